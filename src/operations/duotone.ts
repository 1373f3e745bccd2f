import * as z from 'zod';
import type { Operation } from './operation.ts';
import { channelsOf, number, opaqueColour } from './options.ts';

const schema = z.strictObject({
	dark: opaqueColour().describe('Colour that replaces black.'),
	light: opaqueColour().describe('Colour that replaces white.'),
	intensity: number(0, 1)
		.optional()
		.describe('Strength of the effect: 0 keeps the original colours, 1 replaces them. Default 1.'),
});
type DuotoneOptions = z.infer<typeof schema>;

/** Shares of red, green and blue in luminance (ITU-R BT.709). */
const weights = [0.2126, 0.7152, 0.0722] as const;

/**
 * Maps black and white to two colours, and greys to the shades between them.
 *
 * @example { duotone: { dark: '#1b1464', light: '#ffd166' } }
 */
export const duotone: Operation<DuotoneOptions> = {
	name: 'duotone',
	doc: 'Maps black to one colour, white to another, and everything else to shades between them.',
	schema: schema as z.ZodType<DuotoneOptions>,
	example: { dark: '#1b1464', light: '#ffd166' },
	predict: (input) => ({ output: input }),

	apply(image, { intensity = 1, ...options }) {
		const [dark, light] = [channelsOf(options.dark), channelsOf(options.light)];
		const row = (channel: 0 | 1 | 2): [number, number, number] => {
			const step = (intensity * (light[channel] - dark[channel])) / 255;
			const own = (of: 0 | 1 | 2) => weights[of] * step + (of === channel ? 1 - intensity : 0);
			return [own(0), own(1), own(2)];
		};
		return image.recomb([row(0), row(1), row(2)]).linear(
			[1, 1, 1],
			// Half a step more, because libvips truncates fractions.
			dark.map((value) => intensity * value + 0.5),
		);
	},
};
