import type { Sharp } from 'sharp';
import type { z } from 'zod';
import type { Content } from '../content.ts';

/** How an animation runs. */
export interface Animation {
	/** Milliseconds that each frame is shown; as many as there are frames. */
	readonly delay: readonly number[];
	/** Times that it runs; 0 is for ever. */
	readonly loop: number;
}

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
	/** @param image already prepared */
	apply(image: Sharp, options: Options): Sharp;
}

/** An encoder with options that it accepts. */
export interface Candidate {
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
	choose(options: Options, content: Content): Candidate;
}
