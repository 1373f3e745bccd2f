import * as z from 'zod';
import type { Operation } from './operation.ts';
import { colour, integer, isTranslucent } from './options.ts';

const schema = z.strictObject({
	width: integer(1, 4_096).describe('Width of the border on each side in pixels. The picture grows by it.'),
	colour: colour().default('#000000').describe('Colour of the border.'),
});
type BorderOptions = z.infer<typeof schema>;

/**
 * Adds a border of one colour.
 *
 * @example { border: { width: 20, colour: '#ffffff' } }
 */
export const border: Operation<BorderOptions> = {
	name: 'border',
	doc: 'Adds a border of one colour around the picture.',
	schema: schema as z.ZodType<BorderOptions>,
	example: { width: 24, colour: '#8a1c1c' },

	predict: ({ width, height }, options) => ({
		output: { width: width + 2 * options.width, height: height + 2 * options.width },
		...(isTranslucent(options.colour) && { addsAlpha: true }),
	}),

	apply: (image, { width, colour }) =>
		image.extend({ top: width, right: width, bottom: width, left: width, background: colour }),
};
