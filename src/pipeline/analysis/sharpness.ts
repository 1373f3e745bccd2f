import { type Analyser, copyOf, greysOf, onWhite, scaleWithin } from './analysis.ts';

/** Largest side of the measured picture in pixels: the size of a screen. A common size makes pictures comparable. */
const side = 1_000;

/**
 * The variance of the Laplacian: sharp edges differ strongly from their surroundings (Pech-Pacheco and others, "Diatom
 * autofocusing in brightfield microscopy: a comparative study", 2000).
 */
export const sharpness: Analyser<'sharpness'> = {
	name: 'sharpness',
	doc: `Variance of the Laplacian of the greys at ${side} pixels: higher is sharper. Noise and texture count too, so compare similar pictures.`,
	scaleFor: (picture) => scaleWithin(picture, side),
	async run(subject) {
		const copy = copyOf(subject);
		const { width, height } = copy.pixels;
		const greys = await greysOf(onWhite(copy));
		const grey = (at: number) => greys[at] ?? 0;
		let [sum, squares] = [0, 0];
		for (let y = 1; y < height - 1; y++) {
			for (let x = 1; x < width - 1; x++) {
				const at = y * width + x;
				const edge = grey(at - width) + grey(at - 1) + grey(at + 1) + grey(at + width) - 4 * grey(at);
				sum += edge;
				squares += edge * edge;
			}
		}
		const count = Math.max(0, width - 2) * Math.max(0, height - 2);
		if (count === 0) return 0;
		return Math.round((squares / count - (sum / count) ** 2) * 100) / 100;
	},
};
