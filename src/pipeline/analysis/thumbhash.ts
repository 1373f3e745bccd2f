import { rgbaToThumbHash } from 'thumbhash';
import { type Analyser, copyOf, smallScale } from './analysis.ts';

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
