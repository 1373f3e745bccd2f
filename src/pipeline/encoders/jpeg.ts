import * as z from 'zod';
import { colour } from '../../operations/options.ts';
import { chromaSubsampling, density, type Encoder, withDensity } from './encoder.ts';
import { fixed, quality } from './quality.ts';

const schema = z.strictObject({
	quality: quality(80),
	progressive: z.boolean().default(false).describe('Show a coarse picture first; slower, but a few percent smaller.'),
	mozjpeg: z.boolean().default(false).describe('Use mozjpeg: 5 to 10% smaller at several times the CPU time.'),
	chromaSubsampling,
	density,
	background: colour().default('#ffffff').describe('Colour behind transparent pixels, which JPEG does not support.'),
});
type JpegOptions = z.infer<typeof schema>;

export const jpeg: Encoder<JpegOptions> = {
	name: 'jpeg',
	doc: 'JPEG: supported everywhere; no transparency.',
	type: 'image/jpeg',
	extension: 'jpg',
	// `JPEG_MAX_DIMENSION` of libjpeg, less than the format's 16 bits.
	maximumSide: 65_500,
	schema: schema as z.ZodType<JpegOptions>,
	prepare: (image, { background }) => image.flatten({ background }),
	apply(image, { progressive, mozjpeg, chromaSubsampling, quality, density }) {
		const options = { quality: fixed(quality), chromaSubsampling };
		// mozjpeg chooses `progressive` itself if the option is absent.
		return withDensity(image, density).jpeg(mozjpeg ? { ...options, mozjpeg } : { ...options, progressive });
	},
};
