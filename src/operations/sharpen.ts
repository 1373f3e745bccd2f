import * as z from 'zod';
import type { Operation } from './operation.ts';
import { number } from './options.ts';

const schema = z.strictObject({
	sigma: number(0.1, 10).default(1).describe('How far the effect of an edge reaches: sigma of a Gaussian, pixels.'),
	m1: number(0, 100).default(1).describe('How much flat areas are sharpened.'),
	m2: number(0, 100).default(2).describe('How much jagged areas are sharpened.'),
	x1: number(0, 100).default(2).describe('Where jagged begins: difference of lightness.'),
	y2: number(0, 100).default(10).describe('By how much a pixel may become lighter.'),
	y3: number(0, 100).default(20).describe('By how much a pixel may become darker.'),
});
type SharpenOptions = z.infer<typeof schema>;

/**
 * Sharpens the lightness and leaves the colours; words and results are those of sharp's `sharpen`.
 *
 * @example { sharpen: { sigma: 0.8 } }
 */
export const sharpen: Operation<SharpenOptions> = {
	name: 'sharpen',
	doc: 'Sharpens the lightness and leaves the colours.',
	schema: schema as z.ZodType<SharpenOptions>,
	example: { sigma: 2, m2: 4 },
	predict: (input) => ({ output: input }),
	apply: (image, options) => image.sharpen(options),
};
