import type { Asset, Size } from '../../operations/operation.ts';
import type { Inspected } from '../inspect/inspect.ts';
import { open } from '../pixels/pixels.ts';
import { decode } from './decode.ts';

/** Side at which a drawn logo is drawn, pixels: a quarter of a picture of 4,000 pixels, in 4 MB. */
const drawnSide = 1_024;

/** A drawing has no size of its own, and operations scale it anyway. */
function drawnAsset({ width, height }: Size): Size {
	const scale = drawnSide / Math.max(width, height);
	return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * Decodes a picture that operations lay over others, such as a logo. It is decoded like an original: whole, upright, in sRGB.
 *
 * @param picture what `inspect` said about it, within the limits
 * @throws PicpipeError of class `corrupt`, `unsupported` or `limit`
 */
export async function decodeAsset(file: Buffer, picture: Inspected): Promise<Asset> {
	const { width, height } = picture.drawing ? drawnAsset(picture.facts) : picture.facts;
	const pixels = await decode(file, picture, { width, height, kernel: 'lanczos3' });
	if (pixels.channels === 4) return { data: pixels.data, width, height };
	return { data: await open(pixels).ensureAlpha().raw().toBuffer(), width, height };
}
