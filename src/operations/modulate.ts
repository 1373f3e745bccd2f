import * as z from 'zod';
import type { Operation } from './operation.ts';
import { integer, number } from './options.ts';

const schema = z.strictObject({
	brightness: number(0, 10).default(1).describe('Factor of the lightness.'),
	saturation: number(0, 10).default(1).describe('Factor of the saturation: 0 leaves greys.'),
	hue: integer(-360, 360)
		// Two spellings of one turn would have two digests.
		.overwrite((degrees) => (degrees + 360) % 360)
		.default(0)
		.describe('Degrees by which colours are turned.'),
	lightness: number(-100, 100).default(0).describe('Added to the lightness, which goes from 0 to 100.'),
});
type ModulateOptions = z.infer<typeof schema>;

/**
 * Changes brightness, saturation, hue and lightness in the colour space LCh, where they are what the eye takes them for.
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
