import * as z from 'zod';
import { integer } from '../../operations/options.ts';
import type { Encoder } from './encoder.ts';
import { chromaSubsampling, losslessOption } from './options.ts';
import { fixed, isSearchable, notSearchable, quality } from './quality.ts';

const schema = z
	.strictObject({
		quality: quality(50),
		effort: integer(0, 9)
			.default(3)
			.describe(
				'CPU time spent on a smaller file: 0 takes a seventh of the time for a tenth more bytes, 4 takes four times as long for a twentieth less.',
			),
		lossless: losslessOption,
		chromaSubsampling,
	})
	.refine(isSearchable, notSearchable);
type AvifOptions = z.infer<typeof schema>;

export const avif: Encoder<AvifOptions> = {
	name: 'avif',
	doc: 'AVIF: about half of WebP in bytes, with transparency; about four times the CPU time.',
	type: 'image/avif',
	extension: 'avif',
	maximumSide: 16_384,
	schema: schema as z.ZodType<AvifOptions>,
	apply: (image, { quality, ...options }) => image.avif({ ...options, quality: fixed(quality) }),
};
