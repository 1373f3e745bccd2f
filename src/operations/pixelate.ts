import * as z from 'zod';
import { coverIn } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import { integer } from './options.ts';

const schema = z.strictObject({
	size: integer(2, 1_024)
		.default(16)
		.describe('Side of the blocks in pixels, adjusted slightly so that they fill the picture evenly.'),
});
/** The first pass scales down to one pixel per block, the last scales up to the size of the picture. */
type PixelateOptions = z.infer<typeof schema> & { readonly to?: Size; readonly isLast?: boolean };

/**
 * Divides the picture into blocks of one colour each.
 *
 * @example { pixelate: { size: 24 } }
 */
export const pixelate: Operation<PixelateOptions> = {
	name: 'pixelate',
	doc: 'Divides the picture into blocks of one colour each.',
	schema: schema as z.ZodType<PixelateOptions>,
	example: { size: 24 },

	passes(input, { size }) {
		const blocks = (pixels: number) => Math.max(1, Math.round(pixels / size));
		const grid = { width: blocks(input.width), height: blocks(input.height) };
		return [
			{ size, to: grid },
			{ size, to: input, isLast: true },
		];
	},

	predict(input, { to = input, isLast }) {
		const copy = coverIn(input, to);
		const isEnough = !isLast && copy.width <= input.width && copy.height <= input.height;
		return { output: to, ...(isEnough && { sufficientScale: { ...copy, kernel } }) };
	},

	apply: (image, { to, isLast }, input) =>
		image.resize({ ...(to ?? input), fit: 'fill', kernel: isLast ? 'nearest' : kernel }),
};

/** The mean in and around a block; other kernels would overshoot at edges. */
const kernel = 'linear';
