import type { Asset } from '../operations/operation.ts';
import { decode, type Inspected } from './decode.ts';
import { open } from './pixels.ts';

/**
 * Decodes a picture that operations lay over others, such as a logo. It is decoded like an original: whole, upright, in sRGB.
 *
 * @param picture what `inspect` said about it, within the limits
 * @throws PicpipeError of class `corrupt`, `unsupported` or `limit`
 */
export async function decodeAsset(file: Buffer, picture: Inspected): Promise<Asset> {
	const { width, height } = picture.facts;
	const pixels = await decode(file, picture, { width, height, kernel: 'lanczos3' });
	if (pixels.channels === 4) return { data: pixels.data, width, height };
	return { data: await open(pixels).ensureAlpha().raw().toBuffer(), width, height };
}
