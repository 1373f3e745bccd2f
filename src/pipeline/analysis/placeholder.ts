import { type Analyser, copyOf, smallScale } from './analysis.ts';

/** Longest data URI in characters: a page may contain a hundred of them. */
const maximumPlaceholder = 600;
/** Sides to try in pixels, until the result is short enough; the last one always is. */
const sides = [24, 20, 16, 12, 8, 4];
/** Pages show it enlarged and blurred. */
const quality = 40;

export const placeholder: Analyser<'placeholder'> = {
	name: 'placeholder',
	doc: `Tiny WebP as a data URI of at most ${maximumPlaceholder} characters, to show while the picture loads; keeps transparency.`,
	scaleFor: smallScale,
	async run(subject) {
		const copy = copyOf(subject);
		let uri = '';
		for (const side of sides) {
			const webp = await copy
				.open()
				.resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
				.webp({ quality, alphaQuality: quality })
				.toBuffer();
			uri = `data:image/webp;base64,${webp.toString('base64')}`;
			if (uri.length <= maximumPlaceholder) break;
		}
		return uri;
	},
};
