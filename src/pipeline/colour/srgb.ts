import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Sharp } from 'sharp';
import { linearLight } from '../pixels/linear-light.ts';
import { type Pixels, toDeepValues, toPixels } from '../pixels/pixels.ts';
import { openWithProfile } from './profile.ts';

/** The colour space of a profile, whatever its name: sRGB, Display P3, or another one. */
export type ColourMeaning = 'srgb' | 'display-p3' | 'other';

/** Number of cached profiles; cameras and programs write the same few again and again. */
const maximumKnown = 256;
const known = new LRUCache<string, Promise<ColourMeaning>>({ max: maximumKnown });

/** Largest difference between two conversions that count as equal. */
interface Tolerance {
	readonly most: number;
	readonly onAverage: number;
}
/** Rounding of lcms where nothing changes. */
const rounding: Tolerance = { most: 1, onAverage: 1 };
/** Deviation of lcms where it computes: up to five in the darkest values of saturated colours, and a fifteenth on average. A curve of gamma 2.2 deviates by more than one. */
const computing: Tolerance = { most: 6, onAverage: 0.2 };

/** Distance between sampled values on each axis of the colour cube; a divisor of 255. */
const cubeStep = 15;

/**
 * Finds out whether a profile is equivalent to sRGB or Display P3. Most files with a profile have one of these two, and converting with the
 * profile takes more than half of the decoding time (docs/decisions/0055-profiles-of-srgb.md).
 *
 * It converts a few thousand colours, which takes some milliseconds, once per profile.
 *
 * @param profile an RGB profile; an invalid one counts as sRGB, because sharp ignores it
 */
export function meaningOf(profile: Buffer): Promise<ColourMeaning> {
	const key = createHash('sha256').update(profile).digest('base64');
	let answer = known.get(key);
	if (!answer) {
		answer = findMeaning(profile).catch(() => 'other');
		known.set(key, answer);
	}
	return answer;
}

async function findMeaning(profile: Buffer): Promise<ColourMeaning> {
	const data = colours();
	const converted = await byProfile({ data, width: data.length / 3, height: 1, channels: 3 }, profile);
	if (isSame(data, converted.data, rounding)) return 'srgb';
	displayP3ToSrgb(data, 3);
	return isSame(data, converted.data, computing) ? 'display-p3' : 'other';
}

function isSame(one: Buffer, other: Buffer, { most, onAverage }: Tolerance): boolean {
	if (one.length !== other.length) return false;
	const differences = one.map((number, at) => Math.abs(number - (other[at] as number)));
	return (
		differences.every((difference) => difference <= most) &&
		differences.reduce((sum, difference) => sum + difference, 0) <= onAverage * one.length
	);
}

/**
 * Converts pixels to sRGB. Call it after scaling, when there are fewer pixels.
 *
 * @param pixels values in the colour space of the profile; their memory may be reused for the result
 */
export async function toSrgb(pixels: Pixels, profile: Buffer, meaning: ColourMeaning): Promise<Pixels> {
	if (meaning === 'other') return byProfile(pixels, profile);
	if (meaning === 'display-p3') displayP3ToSrgb(pixels.data, pixels.channels);
	return pixels;
}

function byProfile(pixels: Pixels, profile: Buffer): Promise<Pixels> {
	return toPixels(openWithProfile(pixels, profile).toColourspace('srgb'));
}

/**
 * Decodes CMYK without a profile. Each ink takes its colour away, and black takes all (CSS Color 5, 10.2): so full black is black, as in browsers. The
 * profile for print that sharp would assume makes it dark grey.
 */
export async function fromPlainCmyk(image: Sharp, depth: 8 | 16): Promise<Pixels> {
	const { values, info } = await toDeepValues(image.pipelineColourspace('cmyk').toColourspace('cmyk'));
	const { width, height } = info;
	// With alpha there are five.
	const stored: number = info.channels;
	const channels = stored === 5 ? 4 : 3;
	const full = 2 ** depth - 1;
	const made = Buffer.alloc(width * height * channels);
	for (let pixel = 0; pixel < width * height; pixel++) {
		const [from, to] = [pixel * stored, pixel * channels];
		const rest = ((full - (values[from + 3] ?? 0)) * 255) / full ** 2;
		for (let ink = 0; ink < 3; ink++) made[to + ink] = Math.round((full - (values[from + ink] ?? 0)) * rest);
		if (channels === 4) made[to + 3] = Math.round(((values[from + 4] ?? 0) * 255) / full);
	}
	return { data: made, width, height, channels };
}

/** A grid through all colours, and every grey, because curves differ most in dark tones. */
function colours(): Buffer {
	const side = 255 / cubeStep + 1;
	const cube = side ** 3;
	const numbers = Buffer.alloc((cube + 256) * 3);
	for (let colour = 0; colour < cube; colour++) {
		numbers[colour * 3] = Math.floor(colour / side ** 2) * cubeStep;
		numbers[colour * 3 + 1] = (Math.floor(colour / side) % side) * cubeStep;
		numbers[colour * 3 + 2] = (colour % side) * cubeStep;
	}
	for (let grey = 0; grey < 256; grey++) numbers.fill(grey, (cube + grey) * 3, (cube + grey + 1) * 3);
	return numbers;
}

/**
 * Display P3, the colour space of phone photographs: the curve of sRGB and wider primaries. So a conversion takes only a 3 × 3 matrix of
 * linear values (IEC 61966-2-1; SMPTE EG 432-1 for the primaries; the matrix as in CSS Color 4, 17).
 */
const matrix = [
	[1.224940176, -0.224940176, 0],
	[-0.042056955, 1.042056955, 0],
	[-0.019637555, -0.078636046, 1.0982736],
] as const;

/** Linear light of each of the 256 values. */
const linear = Float32Array.from({ length: 256 }, (_, number) => linearLight(number));

/** Steps of linear light in the lookup table: the steepest part of the curve has five steps per value. */
const steps = 2 ** 14;
const numbers = Uint8Array.from({ length: steps + 1 }, (_, step) => {
	const value = step / steps;
	return Math.round(255 * (value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055));
});

/** The value of an amount of linear light; colours outside of sRGB are clipped. */
export function numberOf(light: number): number {
	if (light <= 0) return 0;
	return light >= 1 ? 255 : (numbers[(light * steps + 0.5) | 0] as number);
}

/** Converts pixels from Display P3 to sRGB, in place; alpha stays. @param data 8 bits a channel */
function displayP3ToSrgb(data: Buffer, channels: 3 | 4): void {
	const [[rr, rg], [gr, gg], [br, bg, bb]] = matrix;
	for (let at = 0; at + 2 < data.length; at += channels) {
		const red = linear[data[at] as number] as number;
		const green = linear[data[at + 1] as number] as number;
		const blue = linear[data[at + 2] as number] as number;
		data[at] = numberOf(rr * red + rg * green);
		data[at + 1] = numberOf(gr * red + gg * green);
		data[at + 2] = numberOf(br * red + bg * green + bb * blue);
	}
}
