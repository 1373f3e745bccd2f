import * as z from 'zod';
import type { Operation } from './operation.ts';
import { channelsOf, number, opaqueColour } from './options.ts';

const schema = z.strictObject({
	colour: opaqueColour().default('#000000').describe('Colour of the overlay.'),
	opacity: number(0, 1).default(0.5).describe('Opacity of the overlay: 0 is invisible, 1 hides the picture.'),
	keepTransparency: z
		.boolean()
		.default(false)
		.describe('Keep transparent areas transparent instead of filling them with the colour.'),
});
type ColorizeOptions = z.infer<typeof schema>;

/**
 * Lays a translucent colour over the whole picture.
 *
 * @example { colorize: { colour: '#001a66', opacity: 0.4 } }
 */
export const colorize: Operation<ColorizeOptions> = {
	name: 'colorize',
	doc: 'Lays a translucent colour over the whole picture.',
	schema: schema as z.ZodType<ColorizeOptions>,
	example: { colour: '#8a1c1c', opacity: 0.4 },
	predict: (input) => ({ output: input }),

	apply: (image, { colour, opacity, keepTransparency }) =>
		image.composite([
			{
				input: Buffer.from([...channelsOf(colour), Math.round(opacity * 255)]),
				raw: { width: 1, height: 1, channels: 4 },
				tile: true,
				blend: keepTransparency ? 'atop' : 'over',
			},
		]),
};
