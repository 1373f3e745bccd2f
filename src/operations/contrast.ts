import * as z from 'zod';
import type { Operation } from './operation.ts';
import { integer, number } from './options.ts';

const schema = z.strictObject({
	factor: number(0, 10).describe('Above 1 differences grow, below 1 they shrink; 0 leaves nothing but grey.'),
	brightness: integer(-255, 255)
		.optional()
		.describe('Added to red, green and blue before, which go from 0 to 255; nothing when absent.'),
});
type ContrastOptions = z.infer<typeof schema>;

/** What contrast turns around, in the middle of 0 to 255. */
const middle = 127.5;

/**
 * Moves every value away from the middle grey or towards it, and before that up or down.
 *
 * @example { contrast: { factor: 1.2, brightness: 10 } }
 */
export const contrast: Operation<ContrastOptions> = {
	name: 'contrast',
	doc: 'Makes differences of light and dark greater or smaller, and all of it lighter or darker.',
	schema: schema as z.ZodType<ContrastOptions>,
	example: { factor: 1.6 },
	predict: (input) => ({ output: input }),
	// Half a step more, because libvips cuts fractions off.
	apply: (image, { factor, brightness = 0 }) => image.linear(factor, brightness * factor + middle * (1 - factor) + 0.5),
};
