import * as z from 'zod';
import type { Operation } from './operation.ts';
import { channelsOf, number, opaqueColour } from './options.ts';

const schema = z.strictObject({
	colour: opaqueColour().default('#000000').describe('Colour to lay over the picture.'),
	opacity: number(0, 1)
		.default(0.5)
		.describe('How much of it covers the picture: 0 is nothing, 1 leaves nothing else.'),
	keepTransparency: z
		.boolean()
		.default(false)
		.describe('What is transparent stays so; otherwise the colour lies there, too.'),
});
type ColorizeOptions = z.infer<typeof schema>;

/**
 * One colour over all of the picture, which shows through.
 *
 * @example { colorize: { colour: '#001a66', opacity: 0.4 } }
 */
export const colorize: Operation<ColorizeOptions> = {
	name: 'colorize',
	doc: 'Lays one colour over the picture, which shows through.',
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
