import * as z from 'zod';
import type { Operation } from './operation.ts';
import { integer } from './options.ts';

const side = (name: string) =>
	integer(1, 1_024)
		.default(64)
		.describe(`${name} of the window around each pixel in pixels, at most that of the picture.`);

const schema = z.strictObject({
	width: side('Width'),
	height: side('Height'),
	maxSlope: integer(0, 100)
		// sharp's own default of 3 has no visible effect unless the window is a few pixels large.
		.default(20)
		.describe(
			'Limit of the contrast: lower values give less contrast and noise, larger windows need higher values. 0 means no limit.',
		),
});
type ClaheOptions = z.infer<typeof schema>;

/**
 * Contrast limited adaptive histogram equalisation.
 *
 * @example { clahe: { width: 100, height: 100 } }
 */
export const clahe: Operation<ClaheOptions> = {
	name: 'clahe',
	doc: 'Enhances local contrast, which reveals details in dark and light areas. It is slow, so use it after a resize.',
	schema: schema as z.ZodType<ClaheOptions>,
	example: { width: 100, height: 100, maxSlope: 40 },
	coloursOnly: true,
	predict: (input) => ({ output: input }),

	apply: (image, { width, height, maxSlope }, input) =>
		// libvips fails if the window is larger than the picture.
		image.clahe({ width: Math.min(width, input.width), height: Math.min(height, input.height), maxSlope }),
};
