import sharp, { type Sharp } from 'sharp';
import type { Scaling } from '../../operations/operation.ts';

/** How an animation runs. */
export interface Animation {
	/** Milliseconds that each frame is shown; as many as there are frames. */
	readonly delay: readonly number[];
	/** Times that it runs; 0 is for ever. */
	readonly loop: number;
}

/** Decoded pixels: 8 bits a channel, sRGB, three channels or four with unpremultiplied alpha, upright. */
export interface Pixels {
	/** Of an animation, frame after frame. */
	readonly data: Buffer;
	readonly width: number;
	/** Of one frame. */
	readonly height: number;
	readonly channels: 3 | 4;
	/** Absent when there is a single frame. */
	readonly animation?: Animation;
}

/** A pipeline that begins with these pixels; an encoder makes an animation of one. */
export function open({ data, width, height, channels, animation }: Pixels): Sharp {
	if (!animation) return sharp(data, { raw: { width, height, channels }, limitInputPixels: width * height });
	const whole = height * animation.delay.length;
	return sharp(data, {
		raw: { width, height: whole, channels, pageHeight: height },
		limitInputPixels: width * whole,
	});
}

/** Runs a pipeline. @param animation of an image that has frames */
export async function toPixels(image: Sharp, animation?: Animation): Promise<Pixels> {
	const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
	const channels = info.channels === 4 ? 4 : 3;
	if (!animation) return { data, width: info.width, height: info.height, channels };
	return { data, width: info.width, height: info.height / animation.delay.length, channels, animation };
}

/** Nothing shows through, with or without an alpha channel. */
export function isOpaque({ data, channels }: Pixels): boolean {
	if (channels === 3) return true;
	for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
	return true;
}

/** The frames, each a picture of its own that shares the memory. */
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

/** What a format without animation shows. */
export function firstFrame(pixels: Pixels): Pixels {
	return framesOf(pixels)[0] ?? pixels;
}

/** Does the same to each frame. */
export async function onFrames(pixels: Pixels, work: (frame: Pixels) => Promise<Pixels>): Promise<Pixels> {
	const { animation } = pixels;
	const made: Pixels[] = [];
	for (const frame of framesOf(pixels)) made.push(await work(frame));
	const [first = pixels] = made;
	if (!animation) return first;
	return { ...first, data: Buffer.concat(made.map(({ data }) => data)), animation };
}

/** A scaled copy. Frame by frame, because a kernel must not mix the edge of one with that of the next. */
export async function scaled(pixels: Pixels, { width, height, kernel }: Scaling): Promise<Pixels> {
	return onFrames(pixels, (frame) => toPixels(open(frame).resize({ width, height, fit: 'fill', kernel })));
}
