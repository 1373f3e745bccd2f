import type { Sharp } from 'sharp';
import type { Analysis, MeasuredKind } from '../../domain/analysis.ts';
import type { Scaling, Size } from '../../operations/operation.ts';
import type { Pixels } from '../pixels/pixels.ts';

/** Properties of a picture that its header tells. */
export interface PictureShape extends Size {
	/** Frames of an animation; 1 when absent. */
	readonly frames?: number;
	/** It has an alpha channel, even if every pixel is opaque. */
	readonly alpha?: boolean;
}

/** A scaled copy of the picture. */
export interface ScaledCopy {
	readonly pixels: Pixels;
	/** A new sharp pipeline that begins with the pixels. */
	open(): Sharp;
}

/** Input of an analysis. */
export interface Subject {
	/** The picture at the requested scale; absent if `scaleFor` returned none. */
	readonly copy?: ScaledCopy;
	/** The EXIF block of the original as stored in the file; its content is untrusted. */
	readonly exif?: Buffer | undefined;
}

/**
 * One kind of analysis, as a value. Like an operation it does no input or output.
 *
 * A new kind takes its file, its shape in `domain/analysis.ts` and a line in `analysis/index.ts`.
 */
export interface Analyser<Kind extends MeasuredKind = MeasuredKind> {
	/** As written in a recipe: `analyse: [<name>]`. */
	readonly name: Kind;
	/** One line for the reference. */
	readonly doc: string;
	/** The scale that is sufficient; undefined if no pixels are needed. */
	scaleFor(picture: PictureShape): Scaling | undefined;
	/** @returns undefined if the picture has no such property */
	run(subject: Subject): Promise<Analysis[Kind]> | Analysis[Kind];
}

/** Largest side of the small scale in pixels: the limit of ThumbHash (evanw.github.io/thumbhash), and enough for most kinds. */
const smallSide = 100;

/** The small scale that most kinds share. */
export function smallScale(picture: Size): Scaling {
	return scaleWithin(picture, smallSide);
}

/** A scale whose sides are at most this long; it never enlarges. */
export function scaleWithin({ width, height }: Size, side: number): Scaling {
	const scale = Math.min(1, side / Math.max(width, height));
	return {
		width: Math.max(1, Math.round(width * scale)),
		height: Math.max(1, Math.round(height * scale)),
		kernel: 'lanczos3',
	};
}

/** The scaled copy, for kinds that request one. */
export function copyOf({ copy }: Subject): ScaledCopy {
	if (!copy) throw new Error('Expected a scaled copy of the picture.');
	return copy;
}

/** A pipeline with a white background, as on most pages. */
export function onWhite(copy: ScaledCopy): Sharp {
	return copy.open().flatten({ background: '#ffffff' });
}

/** Grey values, one byte per pixel. */
export async function greysOf(image: Sharp): Promise<Buffer> {
	return image.toColourspace('b-w').raw().toBuffer();
}
