import type { OutputInfo, Sharp } from 'sharp';
import type { z } from 'zod';

/** Pixels. */
export interface Size {
	readonly width: number;
	readonly height: number;
}

/** Kernels for scaling down, as sharp names them. */
export const kernels = [
	'nearest',
	'linear',
	'cubic',
	'mitchell',
	'lanczos2',
	'lanczos3',
	'mks2013',
	'mks2021',
] as const;
export type Kernel = (typeof kernels)[number];

/** A copy of a picture, scaled as a whole: nothing cropped, nothing added. */
export interface Scaling extends Size {
	readonly kernel: Kernel;
}

/** What an operation will do to a picture of a given size; known before a pixel is decoded. */
export interface Prediction {
	/** Size of the result. */
	readonly output: Size;
	/**
	 * What is in the picture decides how large the result is: anything from 1 × 1 to `output`. What comes after is planned,
	 * and checked against the limits, when the size is known.
	 */
	readonly isAtMost?: boolean;
	/** The result may be transparent where the input is not. */
	readonly addsAlpha?: boolean;
	/** Largest picture made on the way, where that is larger than input and output. */
	readonly peak?: Size;
	/**
	 * The scaled-down copy of the input that serves as well as the input itself. It is what allows decoders to shrink on
	 * load and variants to share work. Absent when every pixel counts.
	 */
	readonly sufficientScale?: Scaling;
	/** Size to which the input is enlarged on the way. What has no pixels before it is drawn is drawn at this size instead. */
	readonly rasterSize?: Size;
}

/** Another picture that an operation needs, such as a logo: 8 bits a channel, sRGB, four channels with unpremultiplied alpha. */
export interface Asset extends Size {
	readonly data: Buffer;
}

/** By the name that options give. */
export type Assets = ReadonlyMap<string, Asset>;

/**
 * One kind of step in a recipe, as a value. Pure: it never reads, writes or waits, and it never looks at the bytes.
 *
 * Adding an operation is writing its file and adding a line to `operations/index.ts`; validation, planning, reference
 * pages and the test that runs every example follow from the value.
 */
export interface Operation<Options = unknown> {
	/** As written in a recipe: `{ <name>: { ...options } }`. */
	readonly name: string;
	/** One line for the reference. */
	readonly doc: string;
	/** Options with their defaults; strict, every one with a description. */
	readonly schema: z.ZodType<Options>;
	/** Options that show the operation at work; the reference and the tests run them. */
	readonly example: Readonly<Record<string, unknown>>;
	/** It would take opacity for a colour: pixels come to it without, and get theirs back afterwards. */
	readonly coloursOnly?: boolean;
	/**
	 * Splits the step into several of the same operation, each with a sharp pipeline of its own, where one pipeline can't do
	 * it or would take too much.
	 */
	passes?(input: Size, options: Options): readonly Options[];
	/** Names of the other pictures that it needs: whoever runs the step has to bring them along. */
	assets?(options: Options): readonly string[];
	/** @param input size of the picture as it comes to this step */
	predict(input: Size, options: Options): Prediction;
	/**
	 * Where it only turns or mirrors, a scaled copy of the picture becomes a scaled copy of the result, and a step further on for which
	 * such a copy is enough takes that.
	 *
	 * @param wanted a copy of the result
	 * @returns the copy of the input that gives it; undefined where it is not so
	 */
	inputScale?(wanted: Scaling, options: Options): Scaling | undefined;
	/**
	 * Adds the work to a sharp pipeline that holds nothing else yet: sharp runs its operations in an order of its own, so
	 * each step gets a pipeline to itself.
	 *
	 * @param input the size given to `predict`; the image itself may already have been scaled to `enough`
	 * @param assets at least those that the operation has asked for
	 */
	apply(image: Sharp, options: Options, input: Size, assets: Assets): Sharp | Promise<Sharp>;
	/**
	 * In an animation each frame is a picture of its own. Where the picture decides what is done to it, the first frame decides
	 * for all: this does to any of them what was done to the first.
	 *
	 * @param first what sharp said about the first
	 * @param frame the first as it was, where that is not enough
	 * @returns undefined when nothing was left to the picture
	 */
	repeat?(
		options: Options,
		input: Size,
		first: OutputInfo,
		frame: Sharp,
	): ((image: Sharp) => Sharp) | undefined | Promise<((image: Sharp) => Sharp) | undefined>;
	/** It looks at the whole picture to change colours, and of an animation at all frames at once. */
	readonly needsAllFrames?: boolean;
}
