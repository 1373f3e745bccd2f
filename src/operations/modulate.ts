import * as z from 'zod';
import type { Operation } from './operation.ts';
import { integer, number } from './options.ts';

const schema = z.strictObject({
	brightness: number(0, 10).default(1).describe('Brightness factor.'),
	saturation: number(0, 10).default(1).describe('Saturation factor; 0 gives greys.'),
	hue: integer(-360, 360)
		// Two spellings of one rotation would have two digests.
		.overwrite((degrees) => (degrees + 360) % 360)
		.default(0)
		.describe('Hue rotation in degrees.'),
	lightness: number(-100, 100).default(0).describe('Value added to the lightness, which ranges from 0 to 100.'),
});
type ModulateOptions = z.infer<typeof schema>;

/**
 * Changes brightness, saturation, hue and lightness in the LCh colour space, which matches how the eye perceives them.
 *
 * @example { modulate: { brightness: 1.1, saturation: 1.2 } }
 */
export const modulate: Operation<ModulateOptions> = {
	name: 'modulate',
	doc: 'Changes brightness, saturation, hue and lightness.',
	schema: schema as z.ZodType<ModulateOptions>,
	example: { brightness: 1.1, saturation: 1.4, hue: 30 },
	predict: (input) => ({ output: input }),
	apply: (image, options) => image.modulate(options),
};
