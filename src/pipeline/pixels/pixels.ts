import sharp, { type Sharp } from 'sharp';
import type { Scaling } from '../../operations/operation.ts';

/** Timing of an animation. */
export interface Animation {
	/** Duration of each frame in milliseconds. */
	readonly delay: readonly number[];
	/** Number of runs; 0 is endless. */
	readonly loop: number;
}

/** Decoded pixels: 8 bits per channel, sRGB, three channels or four with unpremultiplied alpha, upright. */
export interface Pixels {
	/** All frames of an animation, one after the other. */
	readonly data: Buffer;
	readonly width: number;
	/** Height of one frame. */
	readonly height: number;
	readonly channels: 3 | 4;
	/** Absent for a single frame. */
	readonly animation?: Animation;
}

/** A pipeline that begins with these pixels. Encoders write an animation if the pixels have frames. */
export function open({ data, width, height, channels, animation }: Pixels): Sharp {
	if (!animation) return sharp(data, { raw: { width, height, channels }, limitInputPixels: width * height });
	const whole = height * animation.delay.length;
	return sharp(data, {
		raw: { width, height: whole, channels, pageHeight: height },
		limitInputPixels: width * whole,
	});
}

/** Runs a pipeline. @param animation timing, if the image has frames */
export async function toPixels(image: Sharp, animation?: Animation): Promise<Pixels> {
	const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
	const channels = info.channels === 4 ? 4 : 3;
	if (!animation) return { data, width: info.width, height: info.height, channels };
	return { data, width: info.width, height: info.height / animation.delay.length, channels, animation };
}

/** Is every pixel opaque, with or without an alpha channel? */
export function isOpaque({ data, channels }: Pixels): boolean {
	if (channels === 3) return true;
	for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
	return true;
}

/** The frames as separate pictures, which share the memory. */
export function framesOf(pixels: Pixels): readonly Pixels[] {
	const { data, width, height, channels, animation } = pixels;
	if (!animation) return [pixels];
	const bytes = width * height * channels;
	return animation.delay.map((_, index) => ({
		data: data.subarray(index * bytes, (index + 1) * bytes),
		width,
		height,
		channels,
	}));
}

/** The first frame, which formats without animation show. */
export function firstFrame(pixels: Pixels): Pixels {
	return framesOf(pixels)[0] ?? pixels;
}

/** Applies a function to each frame. */
export async function onFrames(pixels: Pixels, work: (frame: Pixels) => Promise<Pixels>): Promise<Pixels> {
	const { animation } = pixels;
	const made: Pixels[] = [];
	for (const frame of framesOf(pixels)) made.push(await work(frame));
	const [first = pixels] = made;
	if (!animation) return first;
	return { ...first, data: Buffer.concat(made.map(({ data }) => data)), animation };
}

/** Scales pixels frame by frame, because a kernel must not mix the edges of two frames. */
export async function scaled(pixels: Pixels, { width, height, kernel }: Scaling): Promise<Pixels> {
	return onFrames(pixels, (frame) => toPixels(open(frame).resize({ width, height, fit: 'fill', kernel })));
}
