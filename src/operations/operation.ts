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

/** A size to which a whole picture is scaled, without cropping or padding, and the kernel for it. */
export interface Scaling extends Size {
	readonly kernel: Kernel;
}

/** The effect of an operation on a picture of a given size, known before a pixel is decoded. */
export interface Prediction {
	/** Size of the result. */
	readonly output: Size;
	/**
	 * The content decides the size of the result: anything from 1 × 1 to `output`. Later steps are planned, and checked against
	 * the limits, once the size is known.
	 */
	readonly isAtMost?: boolean;
	/** The result may be transparent even if the input is opaque. */
	readonly addsAlpha?: boolean;
	/** Largest intermediate picture, if it is larger than input and output. */
	readonly peak?: Size;
	/**
	 * The size to which the input can be scaled down without changing the result. It lets decoders shrink on load and variants
	 * share work. Absent when every pixel counts.
	 */
	readonly sufficientScale?: Scaling;
	/** Size to which the input is enlarged. A vector picture is rasterised at this size instead. */
	readonly rasterSize?: Size;
}

/** Another picture that an operation needs, such as a logo: 8 bits per channel, sRGB, four channels with unpremultiplied alpha. */
export interface Asset extends Size {
	readonly data: Buffer;
}

/** Assets by the names that options use. */
export type Assets = ReadonlyMap<string, Asset>;

/**
 * One kind of step in a recipe, as a value. It is pure: it does no input or output and never looks at encoded bytes.
 *
 * A new operation takes its file and a line in `operations/index.ts`. Validation, planning, reference pages and the test that
 * runs every example follow from the value.
 */
export interface Operation<Options = unknown> {
	/** As written in a recipe: `{ <name>: { ...options } }`. */
	readonly name: string;
	/** One line for the reference. */
	readonly doc: string;
	/** Options with their defaults; strict, every one with a description. */
	readonly schema: z.ZodType<Options>;
	/** Options for an example, which the reference pages and the tests run. */
	readonly example: Readonly<Record<string, unknown>>;
	/** It would treat opacity as a colour, so it gets pixels without alpha, which is restored afterwards. */
	readonly coloursOnly?: boolean;
	/**
	 * Splits the step into several steps of the same operation, each with its own sharp pipeline, if a single pipeline cannot do
	 * it or would cost too much.
	 */
	passes?(input: Size, options: Options): readonly Options[];
	/** Names of the other pictures that it needs; the caller of `apply` provides them. */
	assets?(options: Options): readonly string[];
	/** @param input size of the picture before this step */
	predict(input: Size, options: Options): Prediction;
	/**
	 * An operation that only rotates or mirrors gives the scaled result from a scaled input, so a later step can take the input
	 * scaled down.
	 *
	 * @param outputScale scale of the result that is sufficient
	 * @returns the scale of the input that gives it; undefined if there is none
	 */
	inputScale?(outputScale: Scaling, options: Options): Scaling | undefined;
	/**
	 * Adds the operation to an empty sharp pipeline. sharp runs operations in an order of its own, so each step gets its own
	 * pipeline.
	 *
	 * @param input the size given to `predict`; the image may already be scaled to `sufficientScale`
	 * @param assets at least those that `assets` named
	 */
	apply(image: Sharp, options: Options, input: Size, assets: Assets): Sharp | Promise<Sharp>;
	/**
	 * Repeats on any frame of an animation what was done to the first one. If the content decides the effect, the first frame
	 * decides for all.
	 *
	 * @param first sharp's information about the first result
	 * @param frame the first frame before the step
	 * @returns undefined if the content decided nothing
	 */
	repeat?(
		options: Options,
		input: Size,
		first: OutputInfo,
		frame: Sharp,
	): ((image: Sharp) => Sharp) | undefined | Promise<((image: Sharp) => Sharp) | undefined>;
	/** It changes colours depending on the whole picture, so it gets all frames of an animation at once. */
	readonly needsAllFrames?: boolean;
}

/** What one sharp pipeline does of a step. */
interface Pass {
	readonly operation: Operation;
	readonly options: unknown;
	/** Size of the picture before it. */
	readonly input: Size;
	readonly prediction: Prediction;
}

/** The passes of these steps, one after the other, for a picture of this size. */
export function* passesOf(steps: Iterable<Pick<Pass, 'operation' | 'options'>>, picture: Size): Generator<Pass, void> {
	let input = picture;
	for (const { operation, options: written } of steps) {
		for (const options of operation.passes?.(input, written) ?? [written]) {
			const prediction = operation.predict(input, options);
			yield { operation, options, input, prediction };
			input = prediction.output;
		}
	}
}
