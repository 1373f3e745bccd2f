import type { Sharp } from 'sharp';
import * as z from 'zod';
import { integer, number } from '../../operations/options.ts';
import type { Content } from '../pixels/content.ts';
import type { Animation } from '../pixels/pixels.ts';

/** One output format, as a value. Like an operation it is pure and extends a sharp pipeline. */
export interface Encoder<Options = unknown> {
	/** Name in recipes, and of the format in sharp. */
	readonly name: string;
	readonly doc: string;
	/** Media type. */
	readonly type: string;
	readonly extension: string;
	/** Largest width or height that the format supports, in pixels. */
	readonly maximumSide: number;
	/** Options with their defaults; strict, every one with a description. */
	readonly schema: z.ZodType<Options>;
	/** Removes what the format does not support, such as transparency. */
	prepare?(image: Sharp, options: Options): Sharp;
	/** Whether the result stays animated. Without this function it is the first frame. */
	keepsAnimation?(options: Options): boolean;
	/**
	 * @param image already prepared
	 * @param animation timing of the frames; absent for a single frame
	 */
	apply(image: Sharp, options: Options, animation?: Animation): Sharp;
	/** Writes timing that sharp does not accept into the file, which may be changed. */
	finish?(file: Buffer, animation: Animation): Buffer;
}

/** An encoder and its options. */
export interface EncoderChoice {
	readonly encoder: Encoder;
	readonly options: unknown;
}

/** Replaces an encoder in a recipe and chooses one by the content of the picture. */
export interface Chooser<Options = unknown> {
	readonly name: string;
	readonly doc: string;
	/** Options with their defaults; strict, every one with a description. */
	readonly schema: z.ZodType<Options>;
	/** The encoders to choose from. */
	encoders(options: Options): readonly Encoder[];
	/** Whether the result stays animated. */
	keepsAnimation(options: Options): boolean;
	choose(options: Options, content: Content): EncoderChoice;
}

/** Options that several encoders share. */

/** The value of `animated` that requires the animation: the encoding fails without it. */
export const requiredAnimation = 'required';

export const animated = z
	.union([z.boolean(), z.literal(requiredAnimation)], { error: `expected true, false or ${requiredAnimation}` })
	.default(true)
	.describe(
		'Keep animations; otherwise the file shows the first frame. `required` fails where an animation beyond the pixel limit would show its first frame.',
	);

/* Timing of animations. sharp accepts neither delays nor loop counts that do not fit into 16 bits. */

/** Largest delay in milliseconds, and largest loop count, that sharp accepts. */
export const sharpMost = 65_535;

/** The timing for sharp, limited to what it accepts. */
export function timingForSharp({ delay, loop }: Animation): { delay: number[]; loop: number } {
	return { delay: delay.map((milliseconds) => Math.min(milliseconds, sharpMost)), loop: Math.min(loop, sharpMost) };
}

export function fitsSharp({ delay, loop }: Animation): boolean {
	return loop <= sharpMost && delay.every((milliseconds) => milliseconds <= sharpMost);
}

export const losslessOption = z.boolean().default(false).describe('Keep every pixel exactly; `quality` has no effect.');

/** Highest density in JFIF. */
const maximumDensity = 65_535;

export const density = integer(1, maximumDensity)
	.optional()
	.describe(
		'Resolution in pixels per inch, for print. When absent, that of the original with `metadata: keep`, else none.',
	);

/** Writes the density of a file, in place of the kept one. */
export function withDensity(image: Sharp, density: number | undefined): Sharp {
	return density === undefined ? image : image.withDensity(density);
}

export const chromaSubsampling = z
	.enum(['4:2:0', '4:4:4'])
	.default('4:2:0')
	.describe('Chroma subsampling. `4:4:4` keeps the full colour resolution, for text and drawings.');

/** Numbers of colours that fill 1, 2, 4 or 8 bits; libvips rounds any other number up to one of these. */
export const colours = z.literal([2, 4, 16, 256]).default(256);

export const dither = number(0, 1)
	.default(1)
	.describe('Strength of dithering, which mixes dots of the remaining colours; 0 turns it off.');
