import sharp, { type Sharp } from 'sharp';
import type { ColourOption } from '../../domain/output.ts';
import { type Pixels, toDeepPixels, toPixels, uncompressedTiff } from '../pixels/pixels.ts';

/** Colours beyond sRGB: pixels in the RGB space of an ICC profile (ICC.1:2022). */

/** Largest accepted profile in bytes; printer profiles with large tables are half of that. */
const maximumBytes = 1024 * 1024;

/** A picture's own profile, if its channels are red, green and blue. */
export function rgbProfile(icc: Buffer | undefined, space: string): Buffer | undefined {
	if (!icc || icc.length < 128 || icc.length > maximumBytes || !/^(srgb|rgb|rgb16)$/.test(space)) return undefined;
	// ICC.1:2022, 7.2.8: the data colour space.
	return icc.toString('latin1', 16, 20) === 'RGB ' ? icc : undefined;
}

/** A picture's own profile, if it describes grey values. */
export function greyProfile(icc: Buffer | undefined): Buffer | undefined {
	return icc && icc.length >= 128 && icc.toString('latin1', 16, 20) === 'GRAY' ? icc : undefined;
}

let displayP3: Promise<Buffer> | undefined;

/** The Display P3 profile of libvips, 480 bytes. */
async function displayP3Profile(): Promise<Buffer> {
	const dot = sharp({ create: { width: 1, height: 1, channels: 3, background: '#000000' } });
	const { icc } = await sharp(await dot.withIccProfile('p3').png().toBuffer()).metadata();
	if (!icc) throw new TypeError('Expected a profile of Display P3.');
	return icc;
}

/**
 * The profile that a variant's files carry; undefined for sRGB, which needs none.
 *
 * @param own the profile of the original
 */
export async function profileFor(
	colour: ColourOption | undefined,
	own: Buffer | undefined,
): Promise<Buffer | undefined> {
	if (!own || colour === undefined || colour === 'srgb') return undefined;
	if (colour === 'keep') return own;
	displayP3 ??= displayP3Profile();
	return displayP3;
}

/** A pipeline that begins with pixels whose colours are those of a profile. @param bits of each channel */
export function openWithProfile(pixels: RawPixels, profile: Buffer, bits: 8 | 16 = 8): Sharp {
	const { width, height } = pixels;
	return sharp(tiffWithProfile(pixels, profile, bits), { limitInputPixels: width * height });
}

/**
 * Converts 16 bits per channel to sRGB by the profile in the file, as lcms does it. sharp on its own converts through Display P3, which clips colours, and
 * then with 8 bits.
 *
 * @param image a pipeline of a file that is opened without using its profile
 */
export async function deepToSrgb(image: Sharp): Promise<Pixels> {
	const { data, width, height, channels } = await toDeepPixels(image.toColourspace('rgb16').withIccProfile('srgb'));
	return { data: Buffer.from(data.map((value) => Math.round(value / 257))), width, height, channels };
}

/** Converts the original's own values with 16 bits per channel; a detour through sRGB would lose colours. */
export async function inDisplayP3(image: Sharp, profile: Buffer): Promise<Pixels> {
	const { data, width, height, channels } = await toDeepPixels(image.toColourspace('rgb16'));
	const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
	return toPixels(openWithProfile({ data: bytes, width, height, channels }, profile, 16).withIccProfile('p3'));
}

/** Pixels in any RGB colour space. */
interface RawPixels {
	readonly data: Buffer;
	readonly width: number;
	readonly height: number;
	readonly channels: 3 | 4;
}

/**
 * Wraps pixels with their profile in an uncompressed TIFF, because sharp accepts no profile for raw pixels and would treat them as sRGB.
 *
 * @param bits bits per channel; 16 in the byte order of the machine, which has to be little-endian
 */
export function tiffWithProfile(pixels: RawPixels, profile: Buffer, bits: 8 | 16 = 8): Buffer {
	const [rgb, alpha] = [2, pixels.channels === 4 ? 'straight' : 'none'] as const;
	return uncompressedTiff({ ...pixels, bits, photometric: rgb, alpha, profile });
}
