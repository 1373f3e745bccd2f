import { encode } from 'blurhash';
import { type Analyser, copyOf, onWhite, smallScale } from './analysis.ts';

/** Largest side of what is encoded, pixels: a few waves are all that a BlurHash keeps, and its time grows with the pixels. */
const side = 32;
/** Waves along the longer and along the shorter side, as its authors advise for photographs. */
const waves = { long: 4, short: 3 };

export const blurhash: Analyser<'blurhash'> = {
	name: 'blurhash',
	doc: 'A [BlurHash](https://blurha.sh) of about 30 characters. It knows no transparency: white stands behind the picture.',
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
