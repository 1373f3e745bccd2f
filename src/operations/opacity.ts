import * as z from 'zod';
import type { Operation } from './operation.ts';
import { number } from './options.ts';

const schema = z.strictObject({
	value: number(0, 1).describe('Opacity factor: 0 is invisible, 1 changes nothing.'),
});
type OpacityOptions = z.infer<typeof schema>;

/**
 * Makes the picture more transparent.
 *
 * @example { opacity: { value: 0.5 } }
 */
export const opacity: Operation<OpacityOptions> = {
	name: 'opacity',
	doc: 'Makes the picture more transparent.',
	schema: schema as z.ZodType<OpacityOptions>,
	example: { value: 0.5 },
	predict: (input) => ({ output: input, addsAlpha: true }),

	// A layer over the whole picture with `dest-in` works with and without alpha.
	apply: (image, { value }) =>
		image.composite([
			{
				input: Buffer.from([0, 0, 0, Math.round(value * 255)]),
				raw: { width: 1, height: 1, channels: 4 },
				tile: true,
				blend: 'dest-in',
			},
		]),
};
