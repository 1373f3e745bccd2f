import * as z from 'zod';
import type { Operation } from './operation.ts';
import { integer, number } from './options.ts';

const schema = z.strictObject({
	factor: number(0, 10).describe('Contrast factor: above 1 increases it, below 1 reduces it, 0 leaves plain grey.'),
	brightness: integer(-255, 255)
		.optional()
		.describe('Value added to red, green and blue (0 to 255) before the contrast is changed.'),
});
type ContrastOptions = z.infer<typeof schema>;

/** The value that contrast keeps: the middle of 0 to 255. */
const middle = 127.5;

/**
 * Moves every value away from middle grey or towards it, after adding the brightness.
 *
 * @example { contrast: { factor: 1.2, brightness: 10 } }
 */
export const contrast: Operation<ContrastOptions> = {
	name: 'contrast',
	doc: 'Changes the contrast and the brightness.',
	schema: schema as z.ZodType<ContrastOptions>,
	example: { factor: 1.6 },
	predict: (input) => ({ output: input }),
	// Half a step more, because libvips truncates fractions.
	apply: (image, { factor, brightness = 0 }) => image.linear(factor, brightness * factor + middle * (1 - factor) + 0.5),
};
