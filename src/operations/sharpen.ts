import * as z from 'zod';
import type { Operation } from './operation.ts';
import { number } from './options.ts';

const schema = z.strictObject({
	sigma: number(0.1, 10).default(1).describe('Reach of the effect around edges: sigma of a Gaussian in pixels.'),
	m1: number(0, 100).default(1).describe('Sharpening of flat areas.'),
	m2: number(0, 100).default(2).describe('Sharpening of jagged areas.'),
	x1: number(0, 100).default(2).describe('Difference in lightness from which an area counts as jagged.'),
	y2: number(0, 100).default(10).describe('Maximum brightening of a pixel.'),
	y3: number(0, 100).default(20).describe('Maximum darkening of a pixel.'),
});
type SharpenOptions = z.infer<typeof schema>;

/**
 * Sharpens the lightness and keeps the colours; names and results are those of sharp's `sharpen`.
 *
 * @example { sharpen: { sigma: 0.8 } }
 */
export const sharpen: Operation<SharpenOptions> = {
	name: 'sharpen',
	doc: 'Sharpens the lightness and keeps the colours.',
	schema: schema as z.ZodType<SharpenOptions>,
	example: { sigma: 2, m2: 4 },
	predict: (input) => ({ output: input }),
	apply: (image, options) => image.sharpen(options),
};
