import type { Sharp } from 'sharp';
import * as z from 'zod';
import type { Operation } from './operation.ts';

const schema = z.strictObject({});
type GrayscaleOptions = z.infer<typeof schema>;

/** The result of sharp's `grayscale`, with three channels and alpha; sharp would return a single channel as pixels. */
export function toGreys(image: Sharp): Sharp {
	return image.tint('#ffffff');
}

/**
 * Replaces colours with greys of the same luminance.
 *
 * @example { grayscale: {} }
 */
export const grayscale: Operation<GrayscaleOptions> = {
	name: 'grayscale',
	doc: 'Turns the picture into greys of the same lightness.',
	schema: schema as z.ZodType<GrayscaleOptions>,
	example: {},
	predict: (input) => ({ output: input }),
	apply: toGreys,
};
