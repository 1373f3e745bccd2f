import sharp, { type OutputInfo, type Sharp } from 'sharp';
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

/** Pixels with up to 16 bits per channel, in any colour space of red, green and blue. */
export interface DeepPixels {
	readonly data: Uint16Array;
	readonly width: number;
	readonly height: number;
	readonly channels: 3 | 4;
}

/** Runs a pipeline that ends with 16 bits per channel. */
export async function toDeepPixels(image: Sharp): Promise<DeepPixels> {
	const { values, info } = await toDeepValues(image);
	const { width, height } = info;
	return { data: values, width, height, channels: info.channels === 4 ? 4 : 3 };
}

/** The same for any colour space, with any number of channels. */
export async function toDeepValues(image: Sharp): Promise<{ readonly values: Uint16Array; readonly info: OutputInfo }> {
	const { data, info } = await image.raw({ depth: 'ushort' }).toBuffer({ resolveWithObject: true });
	return { values: new Uint16Array(data.buffer, data.byteOffset, data.length / 2), info };
}

/** Alpha with 8 bits. Unlike colours, opaque alpha of 16 bits is nearly all ones, whatever the depth in the file. */
export function toEightBitAlpha(alpha: number, maximum: number): number {
	return maximum > 255 ? Math.round((alpha * 255) / 0xffff) : alpha;
}

/** Divides red, green and blue by alpha, in place. */
export function undoPremultiplied({ data, channels }: Pixels): void {
	if (channels !== 4) return;
	for (let at = 0; at < data.length; at += 4) {
		const alpha = data[at + 3] ?? 0;
		if (alpha === 0 || alpha === 255) continue;
		for (let channel = at; channel < at + 3; channel++)
			data[channel] = Math.min(255, Math.round(((data[channel] ?? 0) * 255) / alpha));
	}
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

/** Pixels in any colour space, channels side by side. */
interface UncompressedPicture {
	readonly data: Buffer;
	readonly width: number;
	readonly height: number;
	/** Those of the colour, and alpha. */
	readonly channels: number;
	/** Bits per channel; 16 in the byte order of the machine, which has to be little-endian. */
	readonly bits: 8 | 16;
	/** PhotometricInterpretation (TIFF 6.0, section 3): 2 for RGB. */
	readonly photometric: number;
	/** Whether the last channel is alpha. */
	readonly alpha: 'none' | 'straight' | 'premultiplied';
	/** EXIF orientation; 1 if absent. */
	readonly orientation?: number;
	/** ICC profile. */
	readonly profile?: Buffer | undefined;
}

const [short, long, undefinedBytes] = [3, 4, 7];
/** Kinds of the extra sample (TIFF 6.0, section 18). */
const extraSample = { premultiplied: 1, straight: 2 };

/** A TIFF of one strip (TIFF 6.0): how sharp gets pixels that are not plain sRGB. */
export function uncompressedTiff(picture: UncompressedPicture): Buffer {
	const { data, width, height, channels, bits, photometric, alpha, orientation = 1, profile } = picture;
	const count = 11 + (alpha === 'none' ? 0 : 1) + (profile ? 1 : 0);
	const directoryEnd = 8 + 2 + count * 12 + 4;
	const bitsAt = directoryEnd;
	const profileAt = bitsAt + 2 * channels + ((2 * channels) % 4);
	const profileBytes = profile?.length ?? 0;
	const dataAt = profileAt + profileBytes + (profileBytes % 2);
	// Up to two shorts are in the entry itself.
	const bitsValue = channels > 2 ? bitsAt : bits * (channels === 2 ? 0x1_0001 : 1);
	const entries: (readonly [tag: number, type: number, count: number, value: number])[] = [
		[256, long, 1, width],
		[257, long, 1, height],
		[258, short, channels, bitsValue],
		// Not compressed.
		[259, short, 1, 1],
		[262, short, 1, photometric],
		[273, long, 1, dataAt],
		[274, short, 1, orientation],
		[277, short, 1, channels],
		// One strip holds all rows.
		[278, long, 1, height],
		[279, long, 1, data.length],
		// Channels side by side.
		[284, short, 1, 1],
		...(alpha === 'none' ? [] : [[338, short, 1, extraSample[alpha]] as const]),
		...(profile ? [[34675, undefinedBytes, profileBytes, profileAt] as const] : []),
	];
	const head = Buffer.alloc(dataAt);
	head.write('II*\0', 'latin1');
	head.writeUInt32LE(8, 4);
	head.writeUInt16LE(count, 8);
	for (const [index, [tag, type, values, value]] of entries.entries()) {
		const at = 10 + index * 12;
		head.writeUInt16LE(tag, at);
		head.writeUInt16LE(type, at + 2);
		head.writeUInt32LE(values, at + 4);
		head.writeUInt32LE(value, at + 8);
	}
	for (let channel = 0; channel < channels; channel++) head.writeUInt16LE(bits, bitsAt + channel * 2);
	if (profile) profile.copy(head, profileAt);
	return Buffer.concat([head, data]);
}
