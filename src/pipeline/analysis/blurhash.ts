import { encode } from 'blurhash';
import { type Analyser, copyOf, onWhite, smallScale } from './analysis.ts';

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
