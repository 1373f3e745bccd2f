import * as z from 'zod';
import { colour } from '../../operations/options.ts';
import type { Encoder } from './encoder.ts';
import { chromaSubsampling } from './options.ts';
import { fixed, quality } from './quality.ts';

const schema = z.strictObject({
	quality: quality(80),
	progressive: z.boolean().default(false).describe('Shows a coarse picture first; a few percent smaller, slower.'),
	mozjpeg: z.boolean().default(false).describe('5 to 10 percent smaller at several times the CPU time.'),
	chromaSubsampling,
	background: colour().default('#ffffff').describe('Colour behind transparent pixels, which JPEG does not have.'),
});
type JpegOptions = z.infer<typeof schema>;

export const jpeg: Encoder<JpegOptions> = {
	name: 'jpeg',
	doc: 'JPEG: shown by everything; no transparency.',
	type: 'image/jpeg',
	extension: 'jpg',
	maximumSide: 65_535,
	schema: schema as z.ZodType<JpegOptions>,
	prepare: (image, { background }) => image.flatten({ background }),
	apply(image, { progressive, mozjpeg, chromaSubsampling, quality }) {
		const options = { quality: fixed(quality), chromaSubsampling };
		// mozjpeg has its own idea of `progressive` and takes it from us only when we don't say.
		return image.jpeg(mozjpeg ? { ...options, mozjpeg } : { ...options, progressive });
	},
};
