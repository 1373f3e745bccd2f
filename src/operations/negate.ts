import * as z from 'zod';
import type { Operation } from './operation.ts';

const schema = z.strictObject({});
type NegateOptions = z.infer<typeof schema>;

/**
 * The negative: white for black, and each colour's opposite. Opacity stays.
 *
 * @example { negate: {} }
 */
export const negate: Operation<NegateOptions> = {
	name: 'negate',
	doc: 'Makes the negative: black for white and each colour for its opposite; opacity stays.',
	schema: schema as z.ZodType<NegateOptions>,
	example: {},
	predict: (input) => ({ output: input }),
	apply: (image) => image.negate({ alpha: false }),
};
