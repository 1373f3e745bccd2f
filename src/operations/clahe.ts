import * as z from 'zod';
import type { Operation } from './operation.ts';
import { integer } from './options.ts';

const side = (name: string) =>
	integer(1, 1_024)
		.default(64)
		.describe(`Pixels that the window around each pixel is ${name}; at most the whole picture.`);

const schema = z.strictObject({
	width: side('wide'),
	height: side('high'),
	maxSlope: integer(0, 100)
		// sharp's own default of 3 changes nothing that could be seen unless the window is a few pixels large.
		.default(20)
		.describe(
			'How many pixels of one value in the window count at most: fewer for less contrast and noise, more in a larger window; 0 is no limit.',
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
	doc: 'Brings out details of dark and light places by what is around them; slow, so best after a resize.',
	schema: schema as z.ZodType<ClaheOptions>,
	example: { width: 100, height: 100, maxSlope: 40 },
	coloursOnly: true,
	predict: (input) => ({ output: input }),

	apply: (image, { width, height, maxSlope }, input) =>
		// libvips fails where the window is larger than the picture.
		image.clahe({ width: Math.min(width, input.width), height: Math.min(height, input.height), maxSlope }),
};
