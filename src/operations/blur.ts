import * as z from 'zod';
import type { Operation } from './operation.ts';
import { number } from './options.ts';

const schema = z.strictObject({
	sigma: number(0.3, 250).default(5).describe('Sigma of the Gaussian in pixels. Details of about this size disappear.'),
});
type BlurOptions = z.infer<typeof schema>;

/**
 * Gaussian blur.
 *
 * @example { blur: { sigma: 20 } }
 */
export const blur: Operation<BlurOptions> = {
	name: 'blur',
	doc: 'Blurs the picture. A larger sigma takes longer.',
	schema: schema as z.ZodType<BlurOptions>,
	example: { sigma: 8 },
	predict: (input) => ({ output: input }),
	apply: (image, { sigma }) => image.blur({ sigma }),
};
