import * as z from 'zod';
import type { Operation } from './operation.ts';
import { opaqueColour } from './options.ts';

const schema = z.strictObject({
	background: opaqueColour().default('#ffffff').describe('Colour behind the picture.'),
});
type FlattenOptions = z.infer<typeof schema>;

/**
 * Replaces transparency with a colour.
 *
 * @example { flatten: { background: '#ffffff' } }
 */
export const flatten: Operation<FlattenOptions> = {
	name: 'flatten',
	doc: 'Puts a colour behind a transparent picture, which makes it opaque.',
	schema: schema as z.ZodType<FlattenOptions>,
	example: { background: '#ffe9c7' },
	predict: (input) => ({ output: input }),
	apply: (image, { background }) => image.flatten({ background }),
};
