import type { Sharp } from 'sharp';
import * as z from 'zod';
import type { Operation } from './operation.ts';

const schema = z.strictObject({});
type GrayscaleOptions = z.infer<typeof schema>;

/** What sharp's `grayscale` makes, but still with three channels, and with alpha: as pixels it would give the first alone. */
export function toGreys(image: Sharp): Sharp {
	return image.tint('#ffffff');
}

/**
 * Greys of the same luminance.
 *
 * @example { grayscale: {} }
 */
export const grayscale: Operation<GrayscaleOptions> = {
	name: 'grayscale',
	doc: 'Turns colours into greys that are as light.',
	schema: schema as z.ZodType<GrayscaleOptions>,
	example: {},
	predict: (input) => ({ output: input }),
	apply: toGreys,
};
