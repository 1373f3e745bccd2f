import type { Analysis } from '../../domain/analysis.ts';
import { type Analyser, copyOf, type ScaledCopy, smallScale } from './analysis.ts';
import { clusterColours } from './clusters.ts';

const colours = 5;
/** Smaller shares are soft edges between two colours. */
const smallestShare = 0.01;
/** Smallest alpha of a pixel that counts; 255 is opaque. */
const leastAlpha = 128;

type Palette = NonNullable<Analysis['palette']>;

/** The dominant colour is part of the palette, and recipes often request both. */
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
	doc: `Up to ${colours} colours of the picture with their shares of the visible area, largest first.`,
	scaleFor: smallScale,
	run: (subject) => paletteOf(copyOf(subject)),
};

export const dominant: Analyser<'dominant'> = {
	name: 'dominant',
	doc: 'The first colour of the palette, such as `#336699`; absent if the whole picture is transparent.',
	scaleFor: smallScale,
	run: async (subject) => (await paletteOf(copyOf(subject)))[0]?.colour,
};
