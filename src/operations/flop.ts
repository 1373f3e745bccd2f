import * as z from 'zod';
import type { Operation } from './operation.ts';

const schema = z.strictObject({});
type FlopOptions = z.infer<typeof schema>;

/**
 * Mirrors left and right; the name is sharp's.
 *
 * @example { flop: {} }
 */
export const flop: Operation<FlopOptions> = {
	name: 'flop',
	doc: 'Mirrors the picture horizontally: left and right change places.',
	schema: schema as z.ZodType<FlopOptions>,
	example: {},
	predict: (input) => ({ output: input }),
	inputScale: (wanted) => wanted,
	apply: (image) => image.flop(),
};
