import { type Analyser, copyOf, greysOf, onWhite, smallScale } from './analysis.ts';

/** Side of the transformed square, and number of waves to keep in each direction. */
const side = 32;
const waves = 8;
/** Coefficients this close to the median become 0, because rounding to whole greys would decide them. */
const noise = 1;

/** `cosines[u - 1][x]` for the waves 1 to 8; wave 0 is the brightness, which tells nothing. */
const cosines = Array.from({ length: waves }, (_, wave) =>
	Float64Array.from({ length: side }, (_, at) => Math.cos(((2 * at + 1) * (wave + 1) * Math.PI) / (2 * side))),
);

/**
 * The DCT hash of pHash: the low frequencies of a small grey copy, each above or below their median (Zauner, "Implementation and
 * Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1).
 */
export const phash: Analyser<'phash'> = {
	name: 'phash',
	doc: 'Perceptual hash of shapes, 64 bits in hex: near-duplicates differ in few bits. Required for `GET /v1/pictures/{id}/similar`.',
	scaleFor: smallScale,
	async run(subject) {
		const greys = await greysOf(onWhite(copyOf(subject)).resize({ width: side, height: side, fit: 'fill' }));
		const coefficients = lowFrequencies(greys);
		const ordered = [...coefficients].sort((a, b) => a - b);
		const median = ((ordered[waves * waves * 0.5 - 1] ?? 0) + (ordered[waves * waves * 0.5] ?? 0)) / 2;
		const bits = coefficients.map((coefficient) => (coefficient > median + noise ? '1' : '0')).join('');
		return BigInt(`0b${bits}`).toString(16).padStart(16, '0');
	},
};

/** The discrete cosine transform (type 2, orthonormal), limited to the coefficients that are used. */
function lowFrequencies(greys: Buffer): number[] {
	const rows = cosines.map((cosine) =>
		Float64Array.from({ length: side }, (_, y) => {
			let sum = 0;
			for (let x = 0; x < side; x++) sum += (greys[y * side + x] ?? 0) * (cosine[x] ?? 0);
			return sum;
		}),
	);
	return cosines.flatMap((cosine) =>
		rows.map((row) => row.reduce((sum, value, y) => sum + value * (cosine[y] ?? 0), 0) * (2 / side)),
	);
}
