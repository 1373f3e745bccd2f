import { PicpipeError } from '../../errors.ts';
import { checkLimits, type PictureLimits } from './limits.ts';

/** The chunks of a PNG (PNG, third edition, 5.3), each with a length, a type, content and a checksum. */

const signatureBytes = 8;
/** Bytes of a chunk without its content. */
const chunkBytes = 12;

interface Chunk {
	readonly type: string;
	readonly start: number;
	readonly end: number;
}

function* chunksOf(file: Buffer): Generator<Chunk, void> {
	for (let start = signatureBytes; start + chunkBytes <= file.length; ) {
		const end = start + chunkBytes + file.readUInt32BE(start);
		if (end > file.length) return;
		yield { type: file.toString('latin1', start + 4, start + 8), start, end };
		start = end;
	}
}

/**
 * Refuses what libpng reports as an unspecific error: sizes near 2³¹, and the format that Xcode makes of PNGs for iPhones, which no other decoder
 * reads: its first chunk is `CgBI`, its colours are stored blue first and multiplied with alpha, and its data is compressed without a header.
 *
 * @throws PicpipeError `unsupported-feature`, or of class `limit`
 */
export function checkPng(file: Buffer, limits: PictureLimits): void {
	if (file.length < 24) return;
	const first = file.toString('latin1', 12, 16);
	if (first === 'CgBI') {
		const message = 'Expected an ordinary PNG but received one that Xcode has optimised for iPhones (CgBI).';
		throw new PicpipeError('unsupported-feature', message, { step: 'inspect' });
	}
	// The place of the header is fixed.
	if (first !== 'IHDR') return;
	checkLimits({ width: file.readUInt32BE(16), height: file.readUInt32BE(20), frames: 1, decoded: 1 }, limits);
}

/**
 * EXIF may stand behind the pixels (PNG, third edition, 5.6), where libvips does not look for it.
 *
 * @returns the file with its EXIF before the pixels; undefined if it has none behind them
 */
export function withExifFirst(file: Buffer): Buffer | undefined {
	let pixelsAt: number | undefined;
	for (const { type, start, end } of chunksOf(file)) {
		if (type === 'IDAT') pixelsAt ??= start;
		if (type !== 'eXIf') continue;
		if (pixelsAt === undefined) return undefined;
		return Buffer.concat([
			file.subarray(0, pixelsAt),
			file.subarray(start, end),
			file.subarray(pixelsAt, start),
			file.subarray(end),
		]);
	}
	return undefined;
}
