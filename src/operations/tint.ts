import * as z from 'zod';
import type { Operation } from './operation.ts';
import { number, opaqueColour } from './options.ts';

const schema = z.strictObject({
	colour: opaqueColour().describe('Colour that the shades in between take on; its own lightness does not matter.'),
	intensity: number(0, 1)
		.optional()
		.describe('How much of it there is, mixed with the colours of the picture; nothing else when absent.'),
});
type TintOptions = z.infer<typeof schema>;

/**
 * One colour in all lightnesses: an old photograph in sepia.
 *
 * @example { tint: { colour: '#ffb45a' } }
 */
export const tint: Operation<TintOptions> = {
	name: 'tint',
	doc: 'Turns colours into shades of one colour; black and white stay.',
	schema: schema as z.ZodType<TintOptions>,
	example: { colour: '#c08040' },
	// What is laid over the colours must not add to opacity.
	coloursOnly: true,
	predict: (input) => ({ output: input }),

	async apply(image, { colour, intensity = 1 }, { width, height }) {
		if (intensity === 1) return image.tint(colour);
		const input = await image.clone().tint(colour).ensureAlpha(intensity).raw().toBuffer();
		return image.composite([{ input, raw: { width, height, channels: 4 } }]).removeAlpha();
	},
};
