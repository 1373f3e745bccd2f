import { type DeepPixels, type Pixels, toEightBitAlpha } from '../pixels/pixels.ts';
import {
	adaptation,
	type ColourDescription,
	type Curve,
	d50,
	inverted,
	type Matrix,
	multiplied,
	srgbPrimaries,
	toXyz,
} from './description.ts';
import { numberOf } from './srgb.ts';

/*
 * Profiles that consist of a curve for each channel and a matrix, as those of cameras, displays and working spaces do (ICC.1:2022, 8.3). Their conversion
 * to sRGB is computed here for 16 bits per channel, and for the profiles of `description.ts`: lcms approximates it with a coarse table for 16 bits, and
 * rounds dark tones of linear light for 8, each of which costs up to eight of 255.
 */

/** From a value to linear light, both 0 to 1. */
type Light = (value: number) => number;

export interface MatrixProfile {
	/** For red, green and blue. */
	readonly curves: readonly [Light, Light, Light];
	/** From linear light to linear sRGB. */
	readonly matrix: Matrix;
}

const identity: Matrix = [
	[1, 0, 0],
	[0, 1, 0],
	[0, 0, 1],
];

/** @returns undefined for a profile with tables of colours, and for one that is damaged */
export function readMatrixProfile(icc: Buffer): MatrixProfile | undefined {
	// The signature of a profile (ICC.1:2022, 7.2.9).
	if (icc.toString('latin1', 36, 40) !== 'acsp') return undefined;
	const tags = readTags(icc);
	// `A2B0` and `D2B0` take precedence over curves and matrix.
	if (['A2B0', 'D2B0'].some((name) => tags.has(name))) return undefined;
	const grey = curveOf(tags.get('kTRC'));
	// The space of the values (ICC.1:2022, 7.2.8).
	if (icc.toString('latin1', 16, 20) === 'GRAY') return grey && { curves: [grey, grey, grey], matrix: identity };
	const [red, green, blue] = ['rTRC', 'gTRC', 'bTRC'].map((name) => curveOf(tags.get(name)));
	const [r, g, b] = ['rXYZ', 'gXYZ', 'bXYZ'].map((name) => xyzOf(tags.get(name)));
	const fromXyz = inverted(multiplied(adaptation(srgbPrimaries.white), toXyz(srgbPrimaries) ?? identity));
	if (!red || !green || !blue || !r || !g || !b || !fromXyz) return undefined;
	const columns: Matrix = [
		[r[0], g[0], b[0]],
		[r[1], g[1], b[1]],
		[r[2], g[2], b[2]],
	];
	return { curves: [red, green, blue], matrix: multiplied(fromXyz, columns) };
}

/**
 * Converts pixels to sRGB with 8 bits per channel; colours outside of sRGB are clipped. Call it after scaling, when there are fewer pixels.
 *
 * @param pixels values as stored
 * @param maximum the value of full light
 */
export function convertedToSrgb(
	{ data, width, height, channels }: DeepPixels | Pixels,
	maximum: number,
	{ curves, matrix }: MatrixProfile,
): Pixels {
	const [[rr, rg, rb], [gr, gg, gb], [br, bg, bb]] = matrix;
	const [redLight, greenLight, blueLight] = curves.map((curve) =>
		Float32Array.from({ length: maximum + 1 }, (_, value) => Math.min(1, Math.max(0, curve(value / maximum)))),
	);
	if (!redLight || !greenLight || !blueLight) throw new TypeError('Expected three curves.');
	const made = Buffer.alloc(data.length);
	for (let at = 0; at + 2 < data.length; at += channels) {
		const red = redLight[Math.min(data[at] ?? 0, maximum)] ?? 0;
		const green = greenLight[Math.min(data[at + 1] ?? 0, maximum)] ?? 0;
		const blue = blueLight[Math.min(data[at + 2] ?? 0, maximum)] ?? 0;
		made[at] = numberOf(rr * red + rg * green + rb * blue);
		made[at + 1] = numberOf(gr * red + gg * green + gb * blue);
		made[at + 2] = numberOf(br * red + bg * green + bb * blue);
		if (channels === 4) made[at + 3] = toEightBitAlpha(data[at + 3] ?? 0, maximum);
	}
	return { data: made, width, height, channels };
}

/** Most tags of a profile to read; profiles have a dozen. */
const maximumTags = 100;

/** The tags by name (ICC.1:2022, 7.3). */
function readTags(icc: Buffer): ReadonlyMap<string, Buffer> {
	const tags = new Map<string, Buffer>();
	const count = icc.length >= 132 ? Math.min(icc.readUInt32BE(128), maximumTags) : 0;
	for (let index = 0, at = 132; index < count && at + 12 <= icc.length; index++, at += 12) {
		const start = icc.readUInt32BE(at + 4);
		tags.set(icc.toString('latin1', at, at + 4), icc.subarray(start, start + icc.readUInt32BE(at + 8)));
	}
	return tags;
}

function xyzOf(tag: Buffer | undefined): Matrix[number] | undefined {
	if (!tag || tag.length < 20 || typeOf(tag) !== 'XYZ ') return undefined;
	return [fixedAt(tag, 8), fixedAt(tag, 12), fixedAt(tag, 16)];
}

function typeOf(tag: Buffer): string {
	return tag.toString('latin1', 0, 4);
}

/** `s15Fixed16Number` (ICC.1:2022, 4.6). */
function fixedAt(bytes: Buffer, at: number): number {
	return bytes.readInt32BE(at) / 0x10000;
}

function curveOf(tag: Buffer | undefined): Light | undefined {
	if (!tag || tag.length < 12) return undefined;
	if (typeOf(tag) === 'para') return parametricCurve(tag);
	return typeOf(tag) === 'curv' ? sampledCurve(tag) : undefined;
}

/** `curveType` (ICC.1:2022, 10.6): nothing, a gamma, or samples. */
function sampledCurve(tag: Buffer): Light | undefined {
	const count = tag.readUInt32BE(8);
	if (count === 0) return (value) => value;
	if (tag.length < 12 + count * 2) return undefined;
	if (count === 1) {
		const gamma = tag.readUInt16BE(12) / 256;
		return (value) => value ** gamma;
	}
	const sample = (index: number) => tag.readUInt16BE(12 + Math.min(index, count - 1) * 2) / 0xffff;
	return (value) => {
		const place = value * (count - 1);
		const below = Math.floor(place);
		return sample(below) + (place - below) * (sample(below + 1) - sample(below));
	};
}

/** Number of parameters of each kind of curve. */
const parameters = [1, 3, 4, 5, 7];

/** `parametricCurveType` (ICC.1:2022, 10.18, table 68). */
function parametricCurve(tag: Buffer): Light | undefined {
	const kind = tag.readUInt16BE(8);
	const count = parameters[kind];
	if (count === undefined || tag.length < 12 + count * 4) return undefined;
	const [gamma = 1, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = Array.from({ length: count }, (_, index) =>
		fixedAt(tag, 12 + index * 4),
	);
	const power = (value: number) => Math.max(0, a * value + b) ** gamma;
	// From its second kind on, a curve adds `c` above and below the place where the power begins; from its third on, a straight line leads there.
	if (kind < 3) return (value) => power(value) + (kind === 2 ? c : 0);
	return (value) => (value >= d ? power(value) + e : c * value + f);
}

/** Largest X, Y and Z of a primary; those of real spaces add up to 1. */
const mostXyz = 4;

/**
 * An ICC profile of these colours (ICC.1:2022): three primaries and one curve, about 500 bytes.
 *
 * @returns undefined for primaries that no picture can have
 */
export function describedProfile({ primaries, transfer }: ColourDescription): Buffer | undefined {
	const own = toXyz(primaries);
	if (!own) return undefined;
	const adapted = adaptation(primaries.white);
	const colorants = multiplied(adapted, own);
	if (!colorants.flat().every((number) => Math.abs(number) <= mostXyz)) return undefined;
	const [x, y, z] = colorants;
	const curve = writtenCurve(transfer);
	return profileOf([
		['desc', unicode('Colours as described in the file')],
		['cprt', unicode('CC0')],
		['wtpt', writtenXyz(d50)],
		['chad', Buffer.concat([tagType('sf32'), ...adapted.flat().map(fixed)])],
		['rXYZ', writtenXyz([x[0], y[0], z[0]])],
		['gXYZ', writtenXyz([x[1], y[1], z[1]])],
		['bXYZ', writtenXyz([x[2], y[2], z[2]])],
		['rTRC', curve],
		['gTRC', curve],
		['bTRC', curve],
	]);
}

const headerBytes = 128;

/** A display profile of these tags. Equal tags share their bytes (ICC.1:2022, 7.3). */
function profileOf(tags: readonly (readonly [name: string, data: Buffer])[]): Buffer {
	const table = Buffer.alloc(4 + tags.length * 12);
	table.writeUInt32BE(tags.length, 0);
	const places = new Map<Buffer, number>();
	let end = headerBytes + table.length;
	for (const [index, [name, data]] of tags.entries()) {
		const at = places.get(data) ?? end;
		if (at === end) end += data.length + padding(data);
		places.set(data, at);
		table.write(name, 4 + index * 12, 'latin1');
		table.writeUInt32BE(at, 8 + index * 12);
		table.writeUInt32BE(data.length, 12 + index * 12);
	}
	const header = Buffer.alloc(headerBytes);
	header.writeUInt32BE(end, 0);
	// Version 4.3.
	header.writeUInt32BE(0x04300000, 8);
	header.write('mntrRGB XYZ ', 12, 'latin1');
	// A date is required; this is no particular one.
	for (const [index, number] of [2000, 1, 1].entries()) header.writeUInt16BE(number, 24 + index * 2);
	header.write('acsp', 36, 'latin1');
	Buffer.concat(d50.map(fixed)).copy(header, 68);
	return Buffer.concat([header, table, ...[...places.keys()].flatMap((data) => [data, Buffer.alloc(padding(data))])]);
}

/** Tags begin at multiples of four bytes. */
function padding({ length }: Buffer): number {
	return -length & 3;
}

function tagType(name: string): Buffer {
	return Buffer.from(`${name}\0\0\0\0`, 'latin1');
}

/** `s15Fixed16Number` (ICC.1:2022, 4.6). */
function fixed(number: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeInt32BE(Math.round(number * 0x10000), 0);
	return bytes;
}

function writtenXyz(numbers: Matrix[number]): Buffer {
	return Buffer.concat([tagType('XYZ '), ...numbers.map(fixed)]);
}

/** `parametricCurveType` (ICC.1:2022, 10.18): a plain gamma, one with a factor, or one with a straight part. */
function writtenCurve({ gamma, a, b = 0, from, slope }: Curve): Buffer {
	const [kind, parameters] =
		a === undefined
			? [0, [gamma]]
			: from === undefined || slope === undefined
				? [1, [gamma, a, b]]
				: [3, [gamma, a, b, slope, from]];
	return Buffer.concat([tagType('para'), Buffer.from([0, kind, 0, 0]), ...parameters.map(fixed)]);
}

/** `multiLocalizedUnicodeType` (ICC.1:2022, 10.15) with one text. */
function unicode(text: string): Buffer {
	const head = Buffer.alloc(20);
	head.writeUInt32BE(1, 0);
	head.writeUInt32BE(12, 4);
	head.write('enUS', 8, 'latin1');
	head.writeUInt32BE(text.length * 2, 12);
	head.writeUInt32BE(28, 16);
	return Buffer.concat([tagType('mluc'), head, Buffer.from(text, 'utf16le').swap16()]);
}
