import * as z from 'zod';
import { cutCorners } from './corners.ts';
import { placeIn } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import { place } from './options.ts';

const schema = z.strictObject({
	position: place()
		.default('centre')
		.describe('Which square is kept of a picture that is none: a side, a corner or the centre.'),
});
type CircleOptions = z.infer<typeof schema>;

function squareIn({ width, height }: Size): Size {
	const side = Math.min(width, height);
	return { width: side, height: side };
}

/**
 * The largest circle in the picture; outside of it everything is transparent.
 *
 * @example { circle: {} }
 */
export const circle: Operation<CircleOptions> = {
	name: 'circle',
	doc: 'Keeps the largest circle; outside of it the square around it is transparent.',
	schema: schema as z.ZodType<CircleOptions>,
	example: { position: 'right' },

	predict: (input) => ({ output: squareIn(input), addsAlpha: true }),

	apply(image, { position }, input) {
		const square = squareIn(input);
		const cut = image.extract({ ...square, ...placeIn(input, square, position) });
		return cutCorners(cut, square, square.width / 2);
	},
};
