import sharp from 'sharp';
import type { Size } from '../../src/operations/operation.ts';
import { make, one } from '../pipeline/make.ts';
import { assetsFrom, logo } from './assets.ts';

/** A picture as its pixels: red, green, blue and alpha, 0 to 255, row by row. */
export interface Rgba extends Size {
	readonly data: Uint8Array;
	/** Does the file itself have alpha? Where not, all of it is 255. */
	readonly hasAlpha: boolean;
}

/** @param file of any format that sharp reads */
export async function pixelsOf(file: Buffer): Promise<Rgba> {
	const image = sharp(file);
	const { hasAlpha } = await image.metadata();
	const { data, info } = await image.toColourspace('srgb').ensureAlpha().raw().toBuffer({ resolveWithObject: true });
	return { data, width: info.width, height: info.height, hasAlpha };
}

/** A PNG. @param colour of the pixel at x and y: 3 channels, or 4 for a picture with alpha */
export function draw({ width, height }: Size, colour: (x: number, y: number) => readonly number[]): Promise<Buffer> {
	const channels = colour(0, 0).length === 4 ? 4 : 3;
	const data = Buffer.alloc(width * height * channels);
	for (let y = 0; y < height; y++) {
		for (let x = 0; x < width; x++) data.set(colour(x, y), (y * width + x) * channels);
	}
	return sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 1 }).toBuffer();
}

/** Runs steps through the whole pipeline; they may use the `logo.png` of the examples. */
export async function stepped(file: Buffer, ...steps: readonly unknown[]): Promise<Rgba> {
	return pixelsOf(await steppedFile(file, ...steps));
}

/** The same as a PNG. */
export async function steppedFile(file: Buffer, ...steps: readonly unknown[]): Promise<Buffer> {
	const assets = await assetsFrom({ 'logo.png': await logo() });
	const made = await make(file, one(steps, [{ png: { compressionLevel: 1 } }]), { assets });
	return made.variant('only').data;
}

/** The four channels of one pixel. */
export function at(picture: Rgba, x: number, y: number): number[] {
	const from = (y * picture.width + x) * 4;
	return [...picture.data.subarray(from, from + 4)];
}

/** Each pixel made from those of another picture. */
export function map(from: Rgba, size: Size, colour: (x: number, y: number) => readonly number[]): Rgba {
	const data = new Uint8Array(size.width * size.height * 4);
	for (let y = 0; y < size.height; y++) {
		for (let x = 0; x < size.width; x++) {
			const [red = 0, green = 0, blue = 0, alpha = 255] = colour(x, y);
			const clamped = [red, green, blue, alpha].map((value) => Math.max(0, Math.min(255, Math.round(value))));
			data.set(clamped, (y * size.width + x) * 4);
		}
	}
	return { ...from, width: size.width, height: size.height, data };
}

/** Mean absolute difference of the channels, 0 to 255, where both can be seen. Sizes must be the same. */
export function difference(one: Rgba, other: Rgba): number {
	if (one.width !== other.width || one.height !== other.height) {
		throw new RangeError(`Expected ${other.width} × ${other.height} but received ${one.width} × ${one.height}.`);
	}
	let sum = 0;
	for (let pixel = 0; pixel < one.data.length; pixel += 4) {
		const [alpha = 0, otherAlpha = 0] = [one.data[pixel + 3], other.data[pixel + 3]];
		sum += Math.abs(alpha - otherAlpha);
		// What is invisible in both has no colour.
		if (alpha === 0 && otherAlpha === 0) continue;
		for (let channel = pixel; channel < pixel + 3; channel++) {
			sum += Math.abs((one.data[channel] ?? 0) - (other.data[channel] ?? 0));
		}
	}
	return sum / one.data.length;
}
