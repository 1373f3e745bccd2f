import { z } from 'zod';
import type { Operation } from './operation.ts';
import { number } from './options.ts';

const schema = z.strictObject({
	factor: number(0, 10).describe('Above 1 differences grow, below 1 they shrink; 0 leaves nothing but grey.'),
});
type ContrastOptions = z.infer<typeof schema>;

/** What contrast turns around, in the middle of 0 to 255. */
const middle = 127.5;

/**
 * Moves every value away from the middle grey or towards it.
 *
 * @example { contrast: { factor: 1.2 } }
 */
export const contrast: Operation<ContrastOptions> = {
	name: 'contrast',
	doc: 'Makes differences of light and dark greater or smaller.',
	schema: schema as z.ZodType<ContrastOptions>,
	example: { factor: 1.6 },
	predict: (input) => ({ output: input }),
	// Half a step more, because libvips cuts fractions off.
	apply: (image, { factor }) => image.linear(factor, middle * (1 - factor) + 0.5),
};
