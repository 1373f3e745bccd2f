import * as z from 'zod';
import type { Operation } from './operation.ts';
import { integer } from './options.ts';

const schema = z
	.strictObject({
		lower: integer(0, 99).default(1).describe('Percentage of the darkest pixels that may become black.'),
		upper: integer(1, 100).default(99).describe('Percentile above which pixels may become white.'),
	})
	.refine(({ lower, upper }) => lower < upper, { error: 'expected more than lower', path: ['upper'] });
type NormaliseOptions = z.infer<typeof schema>;

/**
 * Stretches the lightness over the whole range.
 *
 * @example { normalise: {} }
 */
export const normalise: Operation<NormaliseOptions> = {
	name: 'normalise',
	doc: 'Stretches the lightness over the whole range from black to white.',
	schema: schema as z.ZodType<NormaliseOptions>,
	example: { lower: 2, upper: 98 },
	needsAllFrames: true,
	predict: (input) => ({ output: input }),
	apply: (image, options) => image.normalise(options),
};
