/*
 * Colours that a file describes with a few numbers instead of an ICC profile: their codes (ITU-T H.273), and conversions between linear values of red, green and
 * blue. The description becomes a small profile (`matrix-profile.ts`), so that all later steps know profiles only. High dynamic range has no such profile:
 * `hdr.ts` maps it to sRGB.
 */

/** A point in the chromaticity diagram (CIE 1931): x and y. */
export type Chromaticity = readonly [x: number, y: number];

/** The colours at full red, green and blue, and at all three. */
export interface Primaries {
	readonly red: Chromaticity;
	readonly green: Chromaticity;
	readonly blue: Chromaticity;
	readonly white: Chromaticity;
}

type Vector = readonly [number, number, number];
/** Three rows. */
export type Matrix = readonly [Vector, Vector, Vector];

const d65: Chromaticity = [0.3127, 0.329];
const illuminantC: Chromaticity = [0.31, 0.316];

/** Primaries by their code (ITU-T H.273, table 2). */
export const primariesByCode: Readonly<Record<number, Primaries>> = {
	1: { red: [0.64, 0.33], green: [0.3, 0.6], blue: [0.15, 0.06], white: d65 },
	4: { red: [0.67, 0.33], green: [0.21, 0.71], blue: [0.14, 0.08], white: illuminantC },
	5: { red: [0.64, 0.33], green: [0.29, 0.6], blue: [0.15, 0.06], white: d65 },
	6: { red: [0.63, 0.34], green: [0.31, 0.595], blue: [0.155, 0.07], white: d65 },
	7: { red: [0.63, 0.34], green: [0.31, 0.595], blue: [0.155, 0.07], white: d65 },
	8: { red: [0.681, 0.319], green: [0.243, 0.692], blue: [0.145, 0.049], white: illuminantC },
	9: { red: [0.708, 0.292], green: [0.17, 0.797], blue: [0.131, 0.046], white: d65 },
	10: { red: [1, 0], green: [0, 1], blue: [0, 0], white: [1 / 3, 1 / 3] },
	11: { red: [0.68, 0.32], green: [0.265, 0.69], blue: [0.15, 0.06], white: [0.314, 0.351] },
	12: { red: [0.68, 0.32], green: [0.265, 0.69], blue: [0.15, 0.06], white: d65 },
	22: { red: [0.63, 0.34], green: [0.295, 0.605], blue: [0.155, 0.077], white: d65 },
};

/** sRGB and BT.709. */
export const srgbPrimaries = primariesByCode[1] as Primaries;
/** BT.2020 and BT.2100. */
export const bt2020Primaries = primariesByCode[9] as Primaries;

/** From a value to linear light, both 0 to 1: `(a × value + b) ^ gamma` from `from` on, `slope × value` below. */
export interface Curve {
	readonly gamma: number;
	readonly a?: number;
	readonly b?: number;
	readonly from?: number;
	readonly slope?: number;
}

/** Colours of standard dynamic range. */
export interface ColourDescription {
	readonly primaries: Primaries;
	readonly transfer: Curve;
}

/** Colours of high dynamic range. */
export interface HdrDescription {
	readonly primaries: Primaries;
	/** PQ or HLG (ITU-R BT.2100). */
	readonly transfer: 'pq' | 'hlg';
	/** Luminance of the brightest pixel in cd/m², if the file names it. */
	readonly peak?: number | undefined;
}

/** IEC 61966-2-1. */
export const srgbCurve: Curve = { gamma: 2.4, a: 1 / 1.055, b: 0.055 / 1.055, from: 0.04045, slope: 1 / 12.92 };
/** What a display makes of pictures for television (ITU-R BT.1886). */
const displayCurve: Curve = { gamma: 2.4 };

/** Transfer characteristics by their code (ITU-T H.273, table 3), as seen on a display. */
export const transferByCode: Readonly<Record<number, Curve | 'pq' | 'hlg'>> = {
	1: displayCurve,
	4: { gamma: 2.2 },
	5: { gamma: 2.8 },
	6: displayCurve,
	7: { gamma: 1 / 0.45, a: 1 / 1.1115, b: 0.1115 / 1.1115, from: 0.0912, slope: 1 / 4 },
	8: { gamma: 1 },
	11: displayCurve,
	12: srgbCurve,
	13: srgbCurve,
	14: displayCurve,
	15: displayCurve,
	16: 'pq',
	17: { gamma: 2.6, a: (52.37 / 48) ** (1 / 2.6) },
	18: 'hlg',
};

/** From linear values to X, Y and Z, relative to the own white; undefined if the primaries span no area. */
export function toXyz({ red, green, blue, white }: Primaries): Matrix | undefined {
	const [r, g, b] = [xyz(red), xyz(green), xyz(blue)];
	const columns: Matrix = [
		[r[0], g[0], b[0]],
		[r[1], g[1], b[1]],
		[r[2], g[2], b[2]],
	];
	const inverse = inverted(columns);
	if (!inverse || white[1] <= 0) return undefined;
	const [wx, wy, wz] = xyz(white);
	const shares = applied(inverse, [wx / wy, 1, wz / wy]);
	return multiplied(columns, diagonal(shares));
}

function xyz([x, y]: Chromaticity): Vector {
	return [x, y, 1 - x - y];
}

/** Cone responses (ICC.1:2022, annex E.1, "linear Bradford"). */
const bradford: Matrix = [
	[0.8951, 0.2664, -0.1614],
	[-0.7502, 1.7135, 0.0367],
	[0.0389, -0.0685, 1.0296],
];
/** X, Y and Z of the white of ICC profiles (ICC.1:2022, 7.2.16). */
export const d50: Vector = [0.9642, 1, 0.8249];

/** Adapts X, Y and Z from a white to that of ICC profiles. */
export function adaptation([x, y]: Chromaticity): Matrix {
	const [from, to] = [applied(bradford, [x / y, 1, (1 - x - y) / y]), applied(bradford, d50)];
	const scales = diagonal([to[0] / from[0], to[1] / from[1], to[2] / from[2]]);
	return multiplied(inverted(bradford) as Matrix, multiplied(scales, bradford));
}

/** From linear values of one space to those of another; undefined if one of them is impossible. */
export function conversion(from: Primaries, to: Primaries): Matrix | undefined {
	const [source, target] = [toXyz(from), toXyz(to)];
	const [there, back] = [source && multiplied(adaptation(from.white), source), target && inverted(target)];
	const adapted = inverted(adaptation(to.white));
	return there && back && adapted && multiplied(back, multiplied(adapted, there));
}

/** The matrix that does what `after` does to the result of `first`. */
export function multiplied(after: Matrix, first: Matrix): Matrix {
	const [a, b, c] = [0, 1, 2].map((at) => applied(after, [first[0][at] ?? 0, first[1][at] ?? 0, first[2][at] ?? 0]));
	if (!a || !b || !c) throw new TypeError('Expected three columns.');
	return [
		[a[0], b[0], c[0]],
		[a[1], b[1], c[1]],
		[a[2], b[2], c[2]],
	];
}

function applied(matrix: Matrix, [x, y, z]: Vector): Vector {
	const [one, two, three] = matrix.map(([a, b, c]) => a * x + b * y + c * z);
	return [one ?? 0, two ?? 0, three ?? 0];
}

function diagonal([x, y, z]: Vector): Matrix {
	return [
		[x, 0, 0],
		[0, y, 0],
		[0, 0, z],
	];
}

/** Smallest determinant of primaries that span an area; those of BT.709 have 0.11. */
const leastDeterminant = 1e-4;

/** Undefined if there is no inverse. */
export function inverted([[a, b, c], [d, e, f], [g, h, i]]: Matrix): Matrix | undefined {
	const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
	if (!(Math.abs(determinant) > leastDeterminant)) return undefined;
	const by = 1 / determinant;
	return [
		[(e * i - f * h) * by, (c * h - b * i) * by, (b * f - c * e) * by],
		[(f * g - d * i) * by, (a * i - c * g) * by, (c * d - a * f) * by],
		[(d * h - e * g) * by, (b * g - a * h) * by, (a * e - b * d) * by],
	];
}
