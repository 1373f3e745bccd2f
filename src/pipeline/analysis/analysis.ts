import type { Sharp } from 'sharp';
import type { Analysis, MeasuredKind } from '../../domain/analysis.ts';
import type { Scaling, Size } from '../../operations/operation.ts';
import type { Pixels } from '../pixels/pixels.ts';

/** What is known of a picture before it is decoded. */
export interface PictureShape extends Size {
	/** Frames of an animation; a single one when absent. */
	readonly frames?: number;
	/** It has an alpha channel, whatever is in it. */
	readonly alpha?: boolean;
}

/** A scaled copy of the picture. */
export interface ScaledCopy {
	readonly pixels: Pixels;
	/** A new sharp pipeline that begins with the pixels. */
	open(): Sharp;
}

/** What an analysis is made from. */
export interface Subject {
	/** The copy that was asked for; absent when none was. */
	readonly copy?: ScaledCopy;
	/** The EXIF block of the original, as it stood in the file: whatever somebody wrote there. */
	readonly exif?: Buffer | undefined;
}

/**
 * One kind of analysis, as a value. Like an operation it reads no file and waits for nobody.
 *
 * Adding a kind is writing its file, its shape in `domain/analysis.ts` and a line in `analysis/index.ts`.
 */
export interface Analyser<Kind extends MeasuredKind = MeasuredKind> {
	/** As written in a recipe: `analyse: [<name>]`. */
	readonly name: Kind;
	/** One line for the reference. */
	readonly doc: string;
	/** The copy of the picture that is enough; undefined when it takes no pixels. */
	scaleFor(picture: PictureShape): Scaling | undefined;
	/** @returns undefined when the picture has nothing of the kind */
	run(subject: Subject): Promise<Analysis[Kind]> | Analysis[Kind];
}

/** Largest side of the small copy, pixels: what a ThumbHash takes (evanw.github.io/thumbhash), and enough for most kinds. */
const smallSide = 100;

/** The small copy, which most kinds share. */
export function smallScale(picture: Size): Scaling {
	return scaleWithin(picture, smallSide);
}

/** A copy that is no larger than this on either side, and never enlarged. */
export function scaleWithin({ width, height }: Size, side: number): Scaling {
	const scale = Math.min(1, side / Math.max(width, height));
	return {
		width: Math.max(1, Math.round(width * scale)),
		height: Math.max(1, Math.round(height * scale)),
		kernel: 'lanczos3',
	};
}

/** The copy of a kind that asks for one. */
export function copyOf({ copy }: Subject): ScaledCopy {
	if (!copy) throw new Error('The copy of the picture that was asked for is missing.');
	return copy;
}

/** A pipeline in which white stands behind whatever is transparent, as on most pages. */
export function onWhite(copy: ScaledCopy): Sharp {
	return copy.open().flatten({ background: '#ffffff' });
}

/** One byte for each pixel. */
export async function greysOf(image: Sharp): Promise<Buffer> {
	return image.toColourspace('b-w').raw().toBuffer();
}
