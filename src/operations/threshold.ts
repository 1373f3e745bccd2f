import * as z from 'zod';
import { toGreys } from './grayscale.ts';
import type { Operation } from './operation.ts';
import { integer } from './options.ts';

const schema = z.strictObject({
	value: integer(0, 255).default(128).describe('Greys from this value on become white, darker ones black.'),
});
type ThresholdOptions = z.infer<typeof schema> & { readonly isGrey?: boolean };

/**
 * Makes the picture black and white. Opacity stays.
 *
 * @example { threshold: { value: 128 } }
 */
export const threshold: Operation<ThresholdOptions> = {
	name: 'threshold',
	doc: 'Makes each pixel black or white depending on its lightness; opacity stays.',
	schema: schema as z.ZodType<ThresholdOptions>,
	example: { value: 110 },

	passes: (_input, options) => [options, { ...options, isGrey: true }],

	predict: (input) => ({ output: input }),

	// A slope so steep that no value remains in between. sharp's own `threshold` treats opacity as a colour.
	apply: (image, { value, isGrey }) => (isGrey ? image.linear(255, -255 * (value - 1)) : toGreys(image)),
};
