import type { Pixels } from '../pixels/pixels.ts';
import { endsWithinBox } from './boxes.ts';
import { classifyError, corrupt, endsEarly } from './classify-error.ts';

/**
 * HEIC, as iPhones write it. sharp's libvips reads the header but has no HEVC decoder. libheif in WebAssembly decodes the pixels: about a second
 * and 300 MB for 12 megapixels.
 */

/** Memory per pixel of a HEIC relative to other pictures: WebAssembly holds a second copy. */
export const heicWeight = 2;

/**
 * Decodes the whole picture: upright, in its own colour space, with four channels.
 *
 * @param expected size from the header
 * @throws PicpipeError `corrupt-picture`
 */
export async function decodeHeic(
	file: Buffer,
	expected: { readonly width: number; readonly height: number },
): Promise<Pixels> {
	try {
		// Loaded on first use: two megabytes that most processes never need.
		const [{ default: heicDecode }, { default: libheif }] = await Promise.all([
			import('heic-decode/lib.js'),
			import('libheif-js/libheif-wasm/libheif-bundle.js'),
		]);
		// Each picture has its own decoder: its memory never shrinks, and a crash would break it for the next picture.
		const { data, width, height } = await heicDecode(libheif()).one({ buffer: file });
		if (width !== expected.width || height !== expected.height)
			throw corrupt('The picture contradicts its header.', 'decode');
		return { data: Buffer.from(data.buffer, data.byteOffset, data.byteLength), width, height, channels: 4 };
	} catch (error) {
		throw classifyError(error, 'decode', 'decode');
	}
}

/** @throws PicpipeError `corrupt-picture` */
export function refuseCutHeic(file: Buffer): void {
	if (endsWithinBox(file)) throw corrupt(endsEarly, 'inspect');
}
