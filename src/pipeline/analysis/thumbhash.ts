import { rgbaToThumbHash } from 'thumbhash';
import { type Analyser, copyOf, smallScale } from './analysis.ts';

export const thumbhash: Analyser<'thumbhash'> = {
	name: 'thumbhash',
	doc: 'A [ThumbHash](https://evanw.github.io/thumbhash/) in base64, about 25 bytes: average colour, coarse shapes, transparency and proportions.',
	scaleFor: smallScale,
	async run(subject) {
		const { pixels, open } = copyOf(subject);
		const rgba = await open().ensureAlpha().raw().toBuffer();
		return Buffer.from(rgbaToThumbHash(pixels.width, pixels.height, rgba)).toString('base64');
	},
};
