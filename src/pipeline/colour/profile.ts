import sharp, { type Sharp } from 'sharp';
import type { ColourOption } from '../../domain/output.ts';

/** Colours beyond sRGB: pixels in the RGB space of an ICC profile (ICC.1:2022). */

/** Largest accepted profile in bytes; printer profiles with large tables are half of that. */
const maximumBytes = 1024 * 1024;

/** A picture's own profile, if its channels are red, green and blue. */
export function rgbProfile(icc: Buffer | undefined, space: string): Buffer | undefined {
	if (!icc || icc.length < 128 || icc.length > maximumBytes || !/^(srgb|rgb|rgb16)$/.test(space)) return undefined;
	// ICC.1:2022, 7.2.8: the data colour space.
	return icc.toString('latin1', 16, 20) === 'RGB ' ? icc : undefined;
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

/** Pixels in any RGB colour space. */
interface RawPixels {
	readonly data: Buffer;
	readonly width: number;
	readonly height: number;
	readonly channels: 3 | 4;
}

/**
 * Wraps pixels with their profile in an uncompressed TIFF (TIFF 6.0), because sharp accepts no profile for raw pixels and would treat
 * them as sRGB.
 *
 * @param bits bits per channel; 16 in the byte order of the machine, which has to be little-endian
 */
export function tiffWithProfile(
	{ data, width, height, channels }: RawPixels,
	profile: Buffer,
	bits: 8 | 16 = 8,
): Buffer {
	const [short, long, undefinedBytes] = [3, 4, 7];
	const count = channels === 4 ? 13 : 12;
	const directoryEnd = 8 + 2 + count * 12 + 4;
	const bitsAt = directoryEnd;
	const profileAt = bitsAt + 8;
	const dataAt = profileAt + profile.length + (profile.length % 2);
	const entries: (readonly [tag: number, type: number, count: number, value: number])[] = [
		[256, long, 1, width],
		[257, long, 1, height],
		[258, short, channels, bitsAt],
		// Not compressed.
		[259, short, 1, 1],
		// RGB.
		[262, short, 1, 2],
		[273, long, 1, dataAt],
		// Upright.
		[274, short, 1, 1],
		[277, short, 1, channels],
		// One strip holds all rows.
		[278, long, 1, height],
		[279, long, 1, data.length],
		// Channels side by side.
		[284, short, 1, 1],
		// Unpremultiplied alpha.
		...(channels === 4 ? [[338, short, 1, 2] as const] : []),
		[34675, undefinedBytes, profile.length, profileAt],
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
	profile.copy(head, profileAt);
	return Buffer.concat([head, data]);
}
