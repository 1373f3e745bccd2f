import { z } from 'zod';
import type { Operation } from './operation.ts';
import { colour, integer, maximumSide, number } from './options.ts';

const schema = z.strictObject({
	background: colour().optional().describe('Colour to remove; that of the left top pixel when absent.'),
	threshold: number(0, 255).default(10).describe('How far a pixel may differ from that colour and still be removed.'),
	margin: integer(0, maximumSide).default(0).describe('Pixels of it that stay on each side.'),
	lineArt: z
		.boolean()
		.default(false)
		.describe('Keep even single pixels, as drawings have them; otherwise they count as noise.'),
});
type TrimOptions = z.infer<typeof schema>;

/**
 * Removes borders of one colour. A picture of nothing else stays whole.
 *
 * @example { trim: { background: '#ffffff', threshold: 20, margin: 10 } }
 */
export const trim: Operation<TrimOptions> = {
	name: 'trim',
	doc: 'Removes borders of one colour or of transparency; a picture of nothing else stays whole.',
	schema: schema as z.ZodType<TrimOptions>,
	example: { threshold: 40, margin: 10 },

	predict: (input) => ({ output: input, isAtMost: true }),

	apply(image, { background, threshold, margin, lineArt }, input) {
		// Noise is told by the eight pixels around; sharp refuses, and libvips fails, where there is no room for them.
		if (input.width < 3 && input.height < 3) return image;
		const isNarrow = Math.min(input.width, input.height) < 3;
		return image.trim({ threshold, margin, lineArt: lineArt || isNarrow, ...(background && { background }) });
	},

	repeat(_options, _input, { width, height, trimOffsetLeft = 0, trimOffsetTop = 0 }) {
		return (image) => image.extract({ left: -trimOffsetLeft, top: -trimOffsetTop, width, height });
	},
};
