import type { Pixels } from '../pixels/pixels.ts';
import { classifyError, corrupt, endsEarly } from './classify-error.ts';

/**
 * HEIC, as iPhones write it. libvips as sharp brings it reads the header, and so the limits, but has no decoder for HEVC. That is libheif in
 * WebAssembly: about a second and 300 MB for 12 megapixels.
 */

/** Memory for a pixel of a HEIC, against one of any other picture: WebAssembly holds all of it once more. */
export const heicWeight = 2;

/**
 * Does the file end within one of its boxes (ISO 14496-12, 4.2)? libheif paints tiles that are missing in one colour and says nothing.
 */
export function endsWithinBox(file: Buffer): boolean {
	for (let at = 0; at < file.length; ) {
		if (at + 8 > file.length) return true;
		const size = file.readUInt32BE(at);
		// The last one may go on to the end of the file without saying how far that is.
		if (size === 0) return false;
		if (size === 1 && at + 16 > file.length) return true;
		const length = size === 1 ? Number(file.readBigUInt64BE(at + 8)) : size;
		if (length < 8 || at + length > file.length) return true;
		at += length;
	}
	return false;
}

/**
 * Decodes the whole picture: upright, in its own colours, with four channels.
 *
 * @param expected what the header says
 * @throws PicpipeError `corrupt-picture`
 */
export async function decodeHeic(
	file: Buffer,
	expected: { readonly width: number; readonly height: number },
): Promise<Pixels> {
	try {
		// Loaded when the first one comes: two megabytes that most processes never need.
		const [{ default: heicDecode }, { default: libheif }] = await Promise.all([
			import('heic-decode/lib.js'),
			import('libheif-js/libheif-wasm/libheif-bundle.js'),
		]);
		// Each picture has a decoder of its own: its memory never shrinks, and a crash would leave it broken for the next.
		const { data, width, height } = await heicDecode(libheif()).one({ buffer: file });
		if (width !== expected.width || height !== expected.height)
			throw corrupt('The picture contradicts itself.', 'decode');
		return { data: Buffer.from(data.buffer, data.byteOffset, data.byteLength), width, height, channels: 4 };
	} catch (error) {
		throw classifyError(error, 'decode', 'decode');
	}
}

/** @throws PicpipeError `corrupt-picture` */
export function refuseCutHeic(file: Buffer): void {
	if (endsWithinBox(file)) throw corrupt(endsEarly, 'inspect');
}
