import * as z from 'zod';
import type { Operation } from './operation.ts';
import { number } from './options.ts';

const schema = z.strictObject({
	amount: number(0.001, 10)
		.default(0.0417)
		.describe("Share of a pixel's difference from its eight neighbours that is added to it."),
});
type UnsharpOptions = z.infer<typeof schema>;

/**
 * Unsharp masking with a mask of 3 × 3 pixels, a common finish for thumbnails. The default is that of libvips' own thumbnailer (`vipsthumbnail`,
 * whose mask is 32 in the middle and -1 around it, divided by 24).
 *
 * @example { unsharp: { amount: 0.05 } }
 */
export const unsharp: Operation<UnsharpOptions> = {
	name: 'unsharp',
	doc: 'Sharpens fine detail after scaling down. It is cheaper than `sharpen` and includes the colours.',
	schema: schema as z.ZodType<UnsharpOptions>,
	example: { amount: 0.1 },
	coloursOnly: true,
	predict: (input) => ({ output: input }),

	apply(image, { amount }) {
		const around = -amount;
		const middle = 1 + 8 * amount;
		const kernel = [around, around, around, around, middle, around, around, around, around];
		return image.convolve({ width: 3, height: 3, kernel, scale: 1 });
	},
};
