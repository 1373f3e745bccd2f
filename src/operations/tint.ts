import { z } from 'zod';
import type { Operation } from './operation.ts';
import { opaqueColour } from './options.ts';

const schema = z.strictObject({
	colour: opaqueColour().describe('Colour that the shades in between take on; its own lightness does not matter.'),
});
type TintOptions = z.infer<typeof schema>;

/**
 * One colour in all lightnesses: an old photograph in sepia.
 *
 * @example { tint: { colour: '#ffb45a' } }
 */
export const tint: Operation<TintOptions> = {
	name: 'tint',
	doc: 'Turns colours into shades of one colour; black and white stay.',
	schema: schema as z.ZodType<TintOptions>,
	example: { colour: '#c08040' },
	predict: (input) => ({ output: input }),
	apply: (image, { colour }) => image.tint(colour),
};
