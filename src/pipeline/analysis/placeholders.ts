import { encode } from 'blurhash';
import { rgbaToThumbHash } from 'thumbhash';
import { type Analyser, copyOf, onWhite, smallScale } from './analysis.ts';

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

export const thumbhash: Analyser<'thumbhash'> = {
	name: 'thumbhash',
	doc: '[ThumbHash](https://evanw.github.io/thumbhash/) of about 25 bytes in base64: average colour, coarse shapes, transparency, aspect ratio.',
	scaleFor: smallScale,
	async run(subject) {
		const { pixels, open } = copyOf(subject);
		const rgba = await open().ensureAlpha().raw().toBuffer();
		return Buffer.from(rgbaToThumbHash(pixels.width, pixels.height, rgba)).toString('base64');
	},
};

/** Largest side of the encoded picture in pixels: a BlurHash keeps only a few waves, and its time grows with the pixels. */
const side = 32;
/** Waves along the longer and the shorter side, as its authors recommend for photographs. */
const waves = { long: 4, short: 3 };

export const blurhash: Analyser<'blurhash'> = {
	name: 'blurhash',
	doc: 'A [BlurHash](https://blurha.sh) of about 30 characters, on a white background because it has no transparency.',
	scaleFor: smallScale,
	async run(subject) {
		const { data, info } = await onWhite(copyOf(subject))
			.resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
			.ensureAlpha()
			.raw()
			.toBuffer({ resolveWithObject: true });
		const isWide = info.width >= info.height;
		const [across, down] = isWide ? [waves.long, waves.short] : [waves.short, waves.long];
		return encode(new Uint8ClampedArray(data), info.width, info.height, across, down);
	},
};
