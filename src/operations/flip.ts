import * as z from 'zod';
import type { Operation } from './operation.ts';

const schema = z.strictObject({});
type FlipOptions = z.infer<typeof schema>;

/**
 * Mirrors top and bottom; the name is sharp's.
 *
 * @example { flip: {} }
 */
export const flip: Operation<FlipOptions> = {
	name: 'flip',
	doc: 'Mirrors the picture vertically: top and bottom change places.',
	schema: schema as z.ZodType<FlipOptions>,
	example: {},
	predict: (input) => ({ output: input }),
	inputScale: (wanted) => wanted,
	apply: (image) => image.flip(),
};
