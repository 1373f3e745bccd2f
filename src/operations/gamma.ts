import * as z from 'zod';
import type { Operation } from './operation.ts';
import { number } from './options.ts';

const schema = z.strictObject({
	// sharp accepts 1 to 3 in each direction.
	value: number(0.35, 3).describe('Gamma: above 1 makes midtones lighter, below 1 darker.'),
});
type GammaOptions = z.infer<typeof schema>;

/**
 * Raises each value, as a share of 255, to the power of 1 / value: black and white stay.
 *
 * @example { gamma: { value: 1.8 } }
 */
export const gamma: Operation<GammaOptions> = {
	name: 'gamma',
	doc: 'Makes midtones lighter or darker; black and white stay.',
	schema: schema as z.ZodType<GammaOptions>,
	example: { value: 1.8 },
	predict: (input) => ({ output: input }),
	// The first number of sharp's `gamma` darkens before a resize, the second lightens afterwards.
	apply: (image, { value }) => (value < 1 ? image.gamma(1 / value, 1) : image.gamma(1, value)),
};
