import * as z from 'zod';
import { integer } from '../../operations/options.ts';
import { colours, density, dither, type Encoder, withDensity } from './encoder.ts';

const schema = z
	.strictObject({
		compressionLevel: integer(0, 9).default(6).describe('CPU time spent on a smaller file; 0 is fastest.'),
		progressive: z.boolean().default(false).describe('Show a coarse picture first; larger files.'),
		density,
		palette: z
			.boolean()
			.default(false)
			.describe('Reduce the picture to at most 256 colours, which makes drawings much smaller.'),
		quality: integer(1, 100).default(100).describe('With `palette`: use as few colours as this quality needs.'),
		colours: colours.describe('With `palette`: maximum number of colours, including transparency.'),
		dither: dither.describe(
			'With `palette`: strength of dithering, which mixes dots of the remaining colours; 0 turns it off.',
		),
	})
	.refine(({ palette, quality, colours, dither }) => palette || (quality === 100 && colours === 256 && dither === 1), {
		error: 'expected true because quality, colours or dither is given',
		path: ['palette'],
	});
type PngOptions = z.infer<typeof schema>;

export const png: Encoder<PngOptions> = {
	name: 'png',
	doc: 'PNG: lossless, with transparency; large for photographs.',
	type: 'image/png',
	extension: 'png',
	// libpng's own limit for untrusted sizes.
	maximumSide: 1_000_000,
	schema: schema as z.ZodType<PngOptions>,
	apply: (image, { palette, compressionLevel, progressive, density, ...reduction }) =>
		// sharp enables a palette if any of the other options is present.
		withDensity(image, density).png({ compressionLevel, progressive, ...(palette && { palette, ...reduction }) }),
};
