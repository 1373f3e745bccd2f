import sharp from 'sharp';
import { rgbaToThumbHash } from 'thumbhash';
import type { Scaling, Size } from '../operations/operation.ts';
import type { Pixels } from './decode.ts';

/** Largest side that a ThumbHash takes, pixels (evanw.github.io/thumbhash). */
const thumbhashSide = 100;

/** The copy of a picture that a ThumbHash is made from. */
export function thumbhashScaling({ width, height }: Size): Scaling {
	const scale = Math.min(1, thumbhashSide / Math.max(width, height));
	return {
		width: Math.max(1, Math.round(width * scale)),
		height: Math.max(1, Math.round(height * scale)),
		kernel: 'lanczos3',
	};
}

/** A placeholder of about 25 bytes, in base64: average colour, coarse shapes, transparency and proportions. */
export async function thumbhash({ data, ...raw }: Pixels): Promise<string> {
	const rgba = await sharp(data, { raw }).ensureAlpha().raw().toBuffer();
	return Buffer.from(rgbaToThumbHash(raw.width, raw.height, rgba)).toString('base64');
}
