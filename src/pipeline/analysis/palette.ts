import type { Analysis } from '../../domain/analysis.ts';
import { type Analyser, copyOf, type ScaledCopy, smallScale } from './analysis.ts';
import { clusterColours } from './clusters.ts';

const colours = 5;
/** Smaller shares are the soft edges between two colours. */
const smallestShare = 0.01;
/** A pixel counts from here on; 255 is opaque. */
const leastAlpha = 128;

type Palette = NonNullable<Analysis['palette']>;

/** The dominant colour is one of the palette, and often both are asked for. */
const known = new WeakMap<ScaledCopy['pixels'], Promise<Palette>>();

function paletteOf(copy: ScaledCopy): Promise<Palette> {
	const palette = known.get(copy.pixels) ?? findPalette(copy);
	known.set(copy.pixels, palette);
	return palette;
}

async function findPalette(copy: ScaledCopy): Promise<Palette> {
	const rgba = await copy.open().ensureAlpha().raw().toBuffer();
	const visible: number[] = [];
	for (let at = 0; at < rgba.length; at += 4) {
		if ((rgba[at + 3] ?? 0) >= leastAlpha) visible.push(rgba.readUIntBE(at, 3));
	}
	return clusterColours(visible, colours)
		.filter(({ share }) => share >= smallestShare)
		.map(({ colour, share }) => ({
			colour: `#${colour.toString(16).padStart(6, '0')}`,
			share: Math.round(share * 1_000) / 1_000,
		}));
}

export const palette: Analyser<'palette'> = {
	name: 'palette',
	doc: `Up to ${colours} colours with their shares of what is not transparent, the largest first; each is a colour that is in the picture.`,
	scaleFor: smallScale,
	run: (subject) => paletteOf(copyOf(subject)),
};

export const dominant: Analyser<'dominant'> = {
	name: 'dominant',
	doc: 'The first colour of the palette, such as `#336699`; absent when everything is transparent.',
	scaleFor: smallScale,
	run: async (subject) => (await paletteOf(copyOf(subject)))[0]?.colour,
};
