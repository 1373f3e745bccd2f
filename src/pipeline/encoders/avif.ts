import { z } from 'zod';
import { integer } from '../../operations/options.ts';
import type { Encoder } from './encoder.ts';
import { chromaSubsampling, losslessOption } from './options.ts';
import { fixed, isSearchable, notSearchable, quality } from './quality.ts';

const schema = z
	.strictObject({
		quality: quality(50),
		effort: integer(0, 9)
			.default(2)
			.describe('CPU time spent on a smaller file: each step up takes about twice as long.'),
		lossless: losslessOption,
		chromaSubsampling,
	})
	.refine(isSearchable, notSearchable);
type AvifOptions = z.infer<typeof schema>;

export const avif: Encoder<AvifOptions> = {
	name: 'avif',
	doc: 'AVIF: smaller than WebP, with transparency; two to three times the CPU time.',
	type: 'image/avif',
	extension: 'avif',
	maximumSide: 16_384,
	schema: schema as z.ZodType<AvifOptions>,
	apply: (image, { quality, ...options }) => image.avif({ ...options, quality: fixed(quality) }),
};
