import type { Sharp } from 'sharp';
import { z } from 'zod';
import { colour, integer } from '../operations/options.ts';

/** One output format, as a value; like an operation it is pure and adds to a sharp pipeline. */
export interface Encoder<Options = unknown> {
	/** As written in a recipe and as sharp names the format. */
	readonly name: string;
	readonly doc: string;
	/** Media type. */
	readonly type: string;
	readonly extension: string;
	/** Largest width or height that the format holds, pixels. */
	readonly maximumSide: number;
	/** Options with their defaults; strict, every one with a description. */
	readonly schema: z.ZodType<Options>;
	apply(image: Sharp, options: Options): Sharp;
}

const quality = (fallback: number) => integer(1, 100).default(fallback).describe('1 is smallest, 100 is best.');
const lossless = z.boolean().default(false).describe('Keep every pixel; quality then has no meaning.');
const chromaSubsampling = z
	.enum(['4:2:0', '4:4:4'])
	.default('4:2:0')
	.describe('`4:4:4` keeps the full resolution of colours, for text and drawings.');

const webpSchema = z.strictObject({
	quality: quality(80),
	effort: integer(0, 6).default(4).describe('CPU time spent on a smaller file: 0 is fastest.'),
	lossless,
	smartSubsample: z.boolean().default(false).describe('Keep sharp edges between colours; slower.'),
});
type WebpOptions = z.infer<typeof webpSchema>;

const webp: Encoder<WebpOptions> = {
	name: 'webp',
	doc: 'WebP: small, with transparency, shown by every browser since 2020.',
	type: 'image/webp',
	extension: 'webp',
	maximumSide: 16_383,
	schema: webpSchema as z.ZodType<WebpOptions>,
	apply: (image, options) => image.webp(options),
};

const avifSchema = z.strictObject({
	quality: quality(50),
	effort: integer(0, 9)
		.default(2)
		.describe('CPU time spent on a smaller file: each step up takes about twice as long.'),
	lossless,
	chromaSubsampling,
});
type AvifOptions = z.infer<typeof avifSchema>;

const avif: Encoder<AvifOptions> = {
	name: 'avif',
	doc: 'AVIF: smaller than WebP, with transparency; two to three times the CPU time.',
	type: 'image/avif',
	extension: 'avif',
	maximumSide: 16_384,
	schema: avifSchema as z.ZodType<AvifOptions>,
	apply: (image, options) => image.avif(options),
};

const jpegSchema = z.strictObject({
	quality: quality(80),
	progressive: z.boolean().default(false).describe('Shows a coarse picture first; a few percent smaller, slower.'),
	mozjpeg: z.boolean().default(false).describe('5 to 10 percent smaller at several times the CPU time.'),
	chromaSubsampling,
	background: colour().default('#ffffff').describe('Colour behind transparent pixels, which JPEG does not have.'),
});
type JpegOptions = z.infer<typeof jpegSchema>;

const jpeg: Encoder<JpegOptions> = {
	name: 'jpeg',
	doc: 'JPEG: shown by everything; no transparency.',
	type: 'image/jpeg',
	extension: 'jpg',
	maximumSide: 65_535,
	schema: jpegSchema as z.ZodType<JpegOptions>,
	apply: (image, { background, progressive, mozjpeg, ...options }) =>
		// mozjpeg has its own idea of `progressive` and takes it from us only when we don't say.
		image.flatten({ background }).jpeg(mozjpeg ? { ...options, mozjpeg } : { ...options, progressive }),
};

const pngSchema = z.strictObject({
	compressionLevel: integer(0, 9).default(6).describe('CPU time spent on a smaller file: 0 is fastest.'),
	palette: z.boolean().default(false).describe('At most 256 colours: much smaller for drawings.'),
	progressive: z.boolean().default(false).describe('Shows a coarse picture first; larger.'),
});
type PngOptions = z.infer<typeof pngSchema>;

const png: Encoder<PngOptions> = {
	name: 'png',
	doc: 'PNG: every pixel as it is, with transparency; large for photographs.',
	type: 'image/png',
	extension: 'png',
	// libpng's own limit for untrusted sizes.
	maximumSide: 1_000_000,
	schema: pngSchema as z.ZodType<PngOptions>,
	apply: (image, options) => image.png(options),
};

/** Every encoder that a recipe may name, in the order that reference pages show them. */
export const encoders: readonly Encoder[] = [webp, avif, jpeg, png];

const byName = new Map(encoders.map((encoder) => [encoder.name, encoder]));

export function findEncoder(name: string): Encoder | undefined {
	return byName.get(name);
}
