import { PicpipeError } from '../../errors.ts';

/** Limits on pictures, checked against the header before a pixel is decoded. */
export interface PictureLimits {
	/** Million pixels that are decoded at once: width × height, and × frames of an animation whose frames fit together. */
	readonly maxMegapixels: number;
	/** Pixels. */
	readonly maxDimension: number;
	/** Frames or pages. */
	readonly maxFrames: number;
	/** Absent if SVG is not accepted. */
	readonly svg?: SvgLimits | undefined;
}

/** Size that a header declares. */
export interface Declared {
	readonly width: number;
	readonly height: number;
	/** Frames or pages in the file. */
	readonly frames: number;
	/** Frames or pages to decode at once. */
	readonly decoded: number;
}

/** @throws PicpipeError `too-many-frames`, `too-wide-or-high`, `too-many-pixels` */
export function checkLimits({ width, height, frames, decoded }: Declared, limits: PictureLimits): void {
	const refuse = (code: 'too-many-frames' | 'too-wide-or-high' | 'too-many-pixels', detail: string) => {
		throw new PicpipeError(code, detail, { step: 'inspect' });
	};
	if (frames > limits.maxFrames) {
		refuse('too-many-frames', `Expected at most ${limits.maxFrames} frames but received ${frames}.`);
	}
	if (Math.max(width, height) > limits.maxDimension) {
		refuse(
			'too-wide-or-high',
			`Expected at most ${limits.maxDimension} pixels of width and height but received ${width} × ${height}.`,
		);
	}
	if (width * height * decoded > limits.maxMegapixels * 1e6) {
		const received = `${width} × ${height}${decoded > 1 ? ` × ${decoded} frames` : ''}`;
		refuse('too-many-pixels', `Expected at most ${limits.maxMegapixels} million pixels but received ${received}.`);
	}
}

/**
 * Most readings of an animation whose frames do not fit together. Decoders begin each of them with the first frame, because a frame may consist
 * of changes to the one before, so the work grows with the square: 4 readings decode 2.5 times the frames.
 */
const maximumReadings = 4;

/** How the frames of an animation are decoded. */
export interface FrameReading {
	/** Frames that the limit of pixels allows at once, at least 1. */
	readonly framesAtOnce: number;
	/** Reading all of them a few at a time would take too long, so only the first one is used. */
	readonly isFirstFrameOnly: boolean;
}

/** @param isSeekable whether its decoder can start with any frame */
export function frameReading(
	{ width, height, frames }: Pick<Declared, 'width' | 'height' | 'frames'>,
	isSeekable: boolean,
	{ maxMegapixels }: Pick<PictureLimits, 'maxMegapixels'>,
): FrameReading {
	const fitting = Math.max(1, Math.floor((maxMegapixels * 1e6) / (width * height)));
	if (fitting >= frames) return { framesAtOnce: frames, isFirstFrameOnly: false };
	const isReadable = isSeekable && Math.ceil(frames / fitting) <= maximumReadings;
	return { framesAtOnce: isReadable ? fitting : 1, isFirstFrameOnly: !isReadable };
}

/** Limits on SVGs. */
export interface SvgLimits {
	/** Bytes. */
	readonly maxBytes: number;
	readonly maxElements: number;
}

/** The setting that enables SVG, for messages. */
export const svgSetting = 'PICPIPE_SVG';

/** The limits from the settings; undefined if SVG is not accepted. */
export function svgLimitsOf(settings: {
	readonly svg: boolean;
	readonly maxSvgBytes: number;
	readonly maxSvgElements: number;
}): SvgLimits | undefined {
	if (!settings.svg) return undefined;
	return { maxBytes: settings.maxSvgBytes, maxElements: settings.maxSvgElements };
}

/** @throws PicpipeError `file-too-large` */
export function checkSvgBytes(bytes: number, { maxBytes }: SvgLimits, step?: string): void {
	if (bytes <= maxBytes) return;
	const message = `Expected at most ${maxBytes} bytes for an SVG (PICPIPE_MAX_SVG_BYTES) but received more.`;
	throw new PicpipeError('file-too-large', message, { step });
}
