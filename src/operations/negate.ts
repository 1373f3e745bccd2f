import * as z from 'zod';
import type { Operation } from './operation.ts';

const schema = z.strictObject({});
type NegateOptions = z.infer<typeof schema>;

/**
 * Inverts the colours. Opacity stays.
 *
 * @example { negate: {} }
 */
export const negate: Operation<NegateOptions> = {
	name: 'negate',
	doc: 'Inverts the colours, as in a negative; opacity stays.',
	schema: schema as z.ZodType<NegateOptions>,
	example: {},
	predict: (input) => ({ output: input }),
	apply: (image) => image.negate({ alpha: false }),
};
