import type { Sharp } from 'sharp';
import type { z } from 'zod';
import type { Content } from '../pixels/content.ts';
import type { Animation } from '../pixels/pixels.ts';

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
	/** Takes away what the format can't hold, such as transparency. */
	prepare?(image: Sharp, options: Options): Sharp;
	/** Whether an animation stays one; of any other format it is the first frame. */
	keepsAnimation?(options: Options): boolean;
	/**
	 * @param image already prepared
	 * @param animation how its frames run; absent when there is one
	 */
	apply(image: Sharp, options: Options, animation?: Animation): Sharp;
}

/** An encoder with options that it accepts. */
export interface EncoderChoice {
	readonly encoder: Encoder;
	readonly options: unknown;
}

/** Stands in a recipe where an encoder can, and chooses one by what is in the picture. */
export interface Chooser<Options = unknown> {
	readonly name: string;
	readonly doc: string;
	/** Options with their defaults; strict, every one with a description. */
	readonly schema: z.ZodType<Options>;
	/** Those among which it chooses. */
	encoders(options: Options): readonly Encoder[];
	/** Whether an animation stays one. */
	keepsAnimation(options: Options): boolean;
	choose(options: Options, content: Content): EncoderChoice;
}
