import * as z from 'zod';
import type { Operation } from './operation.ts';
import { number, opaqueColour } from './options.ts';

const schema = z.strictObject({
	colour: opaqueColour().describe('Colour of the midtones; its own lightness has no effect.'),
	intensity: number(0, 1)
		.optional()
		.describe('Strength of the effect: 0 keeps the original colours, 1 replaces them. Default 1.'),
});
type TintOptions = z.infer<typeof schema>;

/**
 * Recolours the picture in shades of one colour, such as sepia.
 *
 * @example { tint: { colour: '#ffb45a' } }
 */
export const tint: Operation<TintOptions> = {
	name: 'tint',
	doc: 'Recolours the picture in shades of one colour; black and white stay.',
	schema: schema as z.ZodType<TintOptions>,
	example: { colour: '#c08040' },
	// The overlay must not change the opacity.
	coloursOnly: true,
	predict: (input) => ({ output: input }),

	async apply(image, { colour, intensity = 1 }, { width, height }) {
		if (intensity === 1) return image.tint(colour);
		const input = await image.clone().tint(colour).ensureAlpha(intensity).raw().toBuffer();
		return image.composite([{ input, raw: { width, height, channels: 4 } }]).removeAlpha();
	},
};
