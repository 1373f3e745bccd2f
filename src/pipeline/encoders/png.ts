import * as z from 'zod';
import { integer } from '../../operations/options.ts';
import type { Encoder } from './encoder.ts';
import { colours, dither } from './options.ts';

const schema = z
	.strictObject({
		compressionLevel: integer(0, 9).default(6).describe('CPU time spent on a smaller file: 0 is fastest.'),
		progressive: z.boolean().default(false).describe('Shows a coarse picture first; larger.'),
		palette: z.boolean().default(false).describe('At most 256 colours: much smaller for drawings.'),
		quality: integer(1, 100)
			.default(100)
			.describe('With a palette: no more colours than this quality needs; 100 takes all.'),
		colours: colours.describe('With a palette: most colours, full transparency is one of them.'),
		dither: dither.describe(
			'With a palette: how much colours that were lost are made up for by mixing dots of others; 0 is not at all.',
		),
	})
	.refine(({ palette, quality, colours, dither }) => palette || (quality === 100 && colours === 256 && dither === 1), {
		error: 'expected true because quality, colours or dither is given',
		path: ['palette'],
	});
type PngOptions = z.infer<typeof schema>;

export const png: Encoder<PngOptions> = {
	name: 'png',
	doc: 'PNG: every pixel as it is, with transparency; large for photographs.',
	type: 'image/png',
	extension: 'png',
	// libpng's own limit for untrusted sizes.
	maximumSide: 1_000_000,
	schema: schema as z.ZodType<PngOptions>,
	apply: (image, { palette, compressionLevel, progressive, ...reduction }) =>
		// sharp takes any of the other options as a wish for a palette.
		image.png({ compressionLevel, progressive, ...(palette && { palette, ...reduction }) }),
};
