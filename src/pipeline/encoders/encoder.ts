import type { Sharp } from 'sharp';
import type { z } from 'zod';
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
}

/** An encoder and its options. */
export interface EncoderChoice {
	readonly encoder: Encoder;
	readonly options: unknown;
}

/** Takes the place of an encoder in a recipe and chooses one by the content of the picture. */
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
