import { inflateSync } from 'node:zlib';
import { corrupt, endsEarly } from '../inspect/classify-error.ts';
import { compression, sampleFormat, type TiffPage } from '../inspect/tiff-page.ts';

/** A strip or tile as plain samples, row after row; every row begins with a whole byte. */
export interface TiffBlock {
	readonly data: Buffer;
	readonly rowBytes: number;
	/** Byte order of samples of whole bytes. */
	readonly isLittleEndian: boolean;
}

/**
 * Decompresses a strip or tile.
 *
 * @param index among all strips or tiles
 * @param rows number of rows that it must have
 * @param samples samples per pixel in this block
 * @throws PicpipeError `corrupt-picture`
 */
export function readBlock(file: Buffer, page: TiffPage, index: number, rows: number, samples: number): TiffBlock {
	const { block, bits, isLittleEndian } = page;
	const rowBytes = Math.ceil((block.width * samples * bits) / 8);
	const [offset, length] = [page.offsets[index], page.lengths[index]];
	if (offset === undefined || length === undefined || offset + length > file.length) throw corrupt(endsEarly, 'decode');
	const stored = file.subarray(offset, offset + length);
	const data = decompress(page.isReversed ? reverseBits(stored) : stored, rowBytes * rows, page.compression);
	if (data.length < rowBytes * rows) throw corrupt(endsEarly, 'decode');
	const rowsData = data.subarray(0, rowBytes * rows);
	// Uncompressed data belongs to the file and must not be changed.
	if (page.predictor === 1) return { data: rowsData, rowBytes, isLittleEndian };
	const copy = Buffer.from(rowsData);
	if (page.predictor === 3 && page.sampleFormat === sampleFormat.float) {
		for (let at = 0; at < copy.length; at += rowBytes)
			undoFloatPredictor(copy.subarray(at, at + rowBytes), samples, bits / 8);
		return { data: copy, rowBytes, isLittleEndian: false };
	}
	for (let at = 0; at < copy.length; at += rowBytes)
		undoPredictor(copy.subarray(at, at + rowBytes), samples, bits / 8, isLittleEndian);
	return { data: copy, rowBytes, isLittleEndian };
}

/** Undoes differences between neighbours (TIFF 6.0, section 14). */
function undoPredictor(row: Buffer, samples: number, bytes: number, isLittleEndian: boolean): void {
	for (let at = samples * bytes; at + bytes <= row.length; at += bytes) {
		let carry = 0;
		for (let byte = 0; byte < bytes; byte++) {
			const place = at + (isLittleEndian ? byte : bytes - 1 - byte);
			const sum = (row[place] as number) + (row[place - samples * bytes] as number) + carry;
			row[place] = sum & 0xff;
			carry = sum >> 8;
		}
	}
}

/** Undoes the predictor of floats (TIFF Technical Note 3 of Adobe, 2005): differences of bytes, the highest bytes of all samples first. */
function undoFloatPredictor(row: Buffer, samples: number, bytes: number): void {
	for (let at = samples; at < row.length; at++) row[at] = ((row[at] as number) + (row[at - samples] as number)) & 0xff;
	const planes = Buffer.from(row);
	const count = row.length / bytes;
	for (let sample = 0; sample < count; sample++) {
		for (let byte = 0; byte < bytes; byte++) row[sample * bytes + byte] = planes[byte * count + sample] as number;
	}
}

function decompress(data: Buffer, expected: number, kind: number): Buffer {
	switch (kind) {
		case compression.lzw:
			return lzw(data, expected);
		case compression.packBits:
			return packBits(data, expected);
		case compression.deflate:
		case compression.oldDeflate:
			return inflate(data, expected);
		default:
			return data;
	}
}

/** Bytes that a block may have beyond the required ones. */
const slack = 64 * 1024;

function inflate(data: Buffer, expected: number): Buffer {
	try {
		return inflateSync(data, { maxOutputLength: expected + slack });
	} catch (cause) {
		throw corrupt('The picture is damaged and cannot be decoded.', 'decode', cause);
	}
}

/** TIFF 6.0, section 9. */
function packBits(data: Buffer, expected: number): Buffer {
	const out = Buffer.alloc(expected);
	let length = 0;
	for (let at = 0; at < data.length && length < expected; ) {
		const count = data.readInt8(at++);
		if (count === -128) continue;
		if (count < 0) {
			out.fill(data[at++] ?? 0, length, length + 1 - count);
			length += 1 - count;
		} else {
			length += data.copy(out, length, at, at + count + 1);
			at += count + 1;
		}
	}
	return out.subarray(0, length);
}

/** Codes of LZW (TIFF 6.0, section 13): clear the table, end, and the first free one. */
const [clearCode, endCode, firstCode] = [256, 257, 258];
const maximumCodes = 4_096;

function lzw(data: Buffer, expected: number): Buffer {
	const out = Buffer.alloc(expected);
	const prefix = new Uint16Array(maximumCodes);
	const suffix = new Uint8Array(maximumCodes);
	const lengths = new Uint16Array(maximumCodes);
	for (let code = 0; code < clearCode; code++) [suffix[code], lengths[code]] = [code, 1];
	let [length, next, bits, previous] = [0, firstCode, 9, -1];
	/** Writes the string of a code backwards and returns its first byte. */
	const write = (code: number): number => {
		let at = length + (lengths[code] as number);
		length = at;
		let part = code;
		for (;;) {
			at--;
			if (at < expected) out[at] = suffix[part] as number;
			if (lengths[part] === 1) return suffix[part] as number;
			part = prefix[part] as number;
		}
	};
	for (let bit = 0; bit + bits <= data.length * 8 && length < expected; ) {
		const at = bit >> 3;
		const window = ((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
		const code = (window >> (24 - (bit & 7) - bits)) & ((1 << bits) - 1);
		bit += bits;
		if (code === endCode) break;
		if (code === clearCode) {
			[next, bits, previous] = [firstCode, 9, -1];
			continue;
		}
		if (code > next || (code === next && previous < 0) || next >= maximumCodes)
			throw corrupt('The picture is damaged and cannot be decoded.', 'decode');
		if (previous >= 0) {
			prefix[next] = previous;
			lengths[next] = (lengths[previous] as number) + 1;
			// A code that is not in the table yet begins with the first byte of the previous one.
			if (code === next) suffix[next] = firstByte(previous);
			suffix[next] = code === next ? (suffix[next] as number) : firstByte(code);
			next++;
			// One code earlier than necessary, as specified.
			if (next >= (1 << bits) - 1 && bits < 12) bits++;
		}
		write(code);
		previous = code;
	}
	return out.subarray(0, Math.min(length, expected));

	function firstByte(code: number): number {
		let part = code;
		while ((lengths[part] as number) > 1) part = prefix[part] as number;
		return suffix[part] as number;
	}
}

function reverseBits(data: Buffer): Buffer {
	return Buffer.from(
		data.map((byte) => {
			let reversed = 0;
			for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) reversed |= 0x80 >> bit;
			return reversed;
		}),
	);
}
