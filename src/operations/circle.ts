import * as z from 'zod';
import { cutCorners } from './corners.ts';
import { placeIn } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import { place } from './options.ts';

const schema = z.strictObject({
	position: place()
		.default('centre')
		.describe('Which square of a wide or tall picture is kept: a side, a corner or the centre.'),
});
type CircleOptions = z.infer<typeof schema>;

function squareIn({ width, height }: Size): Size {
	const side = Math.min(width, height);
	return { width: side, height: side };
}

/**
 * Cuts out the largest circle; everything outside of it becomes transparent.
 *
 * @example { circle: {} }
 */
export const circle: Operation<CircleOptions> = {
	name: 'circle',
	doc: 'Cuts out the largest circle. The corners of the square around it are transparent.',
	schema: schema as z.ZodType<CircleOptions>,
	example: { position: 'right' },

	predict: (input) => ({ output: squareIn(input), addsAlpha: true }),

	apply(image, { position }, input) {
		const square = squareIn(input);
		const cut = image.extract({ ...square, ...placeIn(input, square, position) });
		return cutCorners(cut, square, square.width / 2);
	},
};
