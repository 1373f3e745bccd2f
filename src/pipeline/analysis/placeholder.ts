import { type Analyser, copyOf, smallScale } from './analysis.ts';

/** Longest data URI, characters: it stands in the markup of a page, perhaps a hundred times. */
const maximumPlaceholder = 600;
/** Largest sides that are tried, pixels, until the result is short enough; the last one always is. */
const sides = [24, 20, 16, 12, 8, 4];
/** It is shown blurred, far larger than it is. */
const quality = 40;

export const placeholder: Analyser<'placeholder'> = {
	name: 'placeholder',
	doc: `A tiny WebP as a data URI of at most ${maximumPlaceholder} characters, for the background of what is still loading; transparent where the picture is.`,
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
