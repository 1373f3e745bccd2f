import * as z from 'zod';
import type { Operation } from './operation.ts';
import { integer } from './options.ts';

const schema = z.strictObject({
	size: integer(2, 50)
		.default(3)
		.describe('Side of the square around each pixel in pixels, at most the shorter side of the picture.'),
});
type MedianOptions = z.infer<typeof schema>;

/**
 * Replaces each pixel with the median of its neighbours.
 *
 * @example { median: { size: 5 } }
 */
export const median: Operation<MedianOptions> = {
	name: 'median',
	doc: 'Replaces each pixel with the median of its neighbours, which removes specks and keeps edges.',
	schema: schema as z.ZodType<MedianOptions>,
	example: { size: 9 },
	predict: (input) => ({ output: input }),

	apply(image, { size }, { width, height }) {
		// libvips fails if the square is larger than the picture.
		const possible = Math.min(size, width, height);
		return possible > 1 ? image.median(possible) : image;
	},
};
