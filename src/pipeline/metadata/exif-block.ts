/**
 * Reads single values from an EXIF block (EXIF 2.32, a TIFF 6.0 of tags). Whatever the block claims, nothing outside of it is read,
 * no pointer is followed twice, and only the requested value is returned.
 */

/** A list of tags. */
export interface Directory {
	/** Is the tag present, readable or not? */
	has(tag: number): boolean;
	/** Printable text. @param maximum characters; default 100 */
	text(tag: number, maximum?: number): string | undefined;
	/** A finite number. @param index which one of several */
	number(tag: number, index?: number): number | undefined;
}

export interface ExifBlock {
	/** Tags about the file and the camera. */
	readonly image: Directory;
	/** Tags about the exposure. */
	readonly photo: Directory;
	readonly gps: Directory;
}

/** Most entries of a directory to read; cameras write fewer than a hundred. */
const maximumEntries = 1_000;
/** Longest text in characters. */
const maximumText = 100;
/** Bytes of the longest UTF-8 character. */
const bytesPerCharacter = 4;
const entryBytes = 12;

/** Tags that point to the two other directories. */
const photoPointer = 0x8769;
const gpsPointer = 0x8825;

/** Bytes per value by type number (TIFF 6.0, page 15, and EXIF 2.32, 4.6.2). */
const typeBytes: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8 };
const asciiType = 2;

const nothing: Directory = { has: () => false, text: () => undefined, number: () => undefined };

/** @returns undefined if it is not an EXIF block */
export function readExifBlock(exif: Buffer): ExifBlock | undefined {
	// JPEG puts a name before the block; other formats may.
	const tiff = exif.subarray(exif.toString('latin1', 0, 6) === 'Exif\0\0' ? 6 : 0);
	const order = tiff.toString('latin1', 0, 4);
	if (order !== 'II*\0' && order !== 'MM\0*') return undefined;
	const read = readerOf(tiff, order === 'II*\0');
	const image = directoryAt(tiff, read, read.uint32(4));
	return {
		image,
		photo: directoryAt(tiff, read, image.number(photoPointer)),
		gps: directoryAt(tiff, read, image.number(gpsPointer)),
	};
}

/** Reads numbers at an offset; undefined outside of the block. */
interface Reader {
	uint16(at: number): number | undefined;
	uint32(at: number): number | undefined;
	int32(at: number): number | undefined;
}

function readerOf(tiff: Buffer, isLittle: boolean): Reader {
	// A pointer must not be a fraction.
	const within = (at: number, bytes: number) => Number.isInteger(at) && at >= 0 && at + bytes <= tiff.length;
	return {
		uint16: (at) => (within(at, 2) ? (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at)) : undefined),
		uint32: (at) => (within(at, 4) ? (isLittle ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at)) : undefined),
		int32: (at) => (within(at, 4) ? (isLittle ? tiff.readInt32LE(at) : tiff.readInt32BE(at)) : undefined),
	};
}

/** Place of a tag's values. */
interface Found {
	readonly type: number;
	readonly count: number;
	readonly at: number;
}

function directoryAt(tiff: Buffer, read: Reader, start: number | undefined): Directory {
	const entries = start === undefined ? undefined : read.uint16(start);
	if (start === undefined || entries === undefined) return nothing;

	const entryOf = (tag: number): number | undefined => {
		for (let index = 0; index < Math.min(entries, maximumEntries); index++) {
			const at = start + 2 + index * entryBytes;
			if (read.uint16(at) === tag) return at;
		}
		return undefined;
	};
	const find = (tag: number): Found | undefined => {
		const at = entryOf(tag);
		if (at === undefined) return undefined;
		const [type, count] = [read.uint16(at + 2), read.uint32(at + 4)];
		const bytes = type === undefined ? undefined : typeBytes[type];
		if (type === undefined || count === undefined || bytes === undefined) return undefined;
		// Values of up to four bytes are in the entry itself.
		const place = bytes * count <= 4 ? at + 8 : read.uint32(at + 8);
		return place === undefined ? undefined : { type, count, at: place };
	};

	return {
		has: (tag) => entryOf(tag) !== undefined,
		text(tag, maximum = maximumText) {
			const found = find(tag);
			if (found?.type !== asciiType) return undefined;
			const bytes = Math.min(found.count, maximum * bytesPerCharacter);
			return cleanText(tiff.subarray(found.at, found.at + bytes), maximum);
		},
		number(tag, index = 0) {
			const found = find(tag);
			if (!found || index >= found.count) return undefined;
			const value = numberAt(tiff, read, found.type, found.at + index * (typeBytes[found.type] ?? 0));
			return value !== undefined && Number.isFinite(value) ? value : undefined;
		},
	};
}

function numberAt(tiff: Buffer, read: Reader, type: number, at: number): number | undefined {
	const ratio = (above: number | undefined, below: number | undefined) =>
		above === undefined || below === undefined ? undefined : above / below;
	switch (type) {
		case 1:
			return tiff[at];
		case 3:
			return read.uint16(at);
		case 4:
			return read.uint32(at);
		case 5:
			return ratio(read.uint32(at), read.uint32(at + 4));
		case 9:
			return read.int32(at);
		case 10:
			return ratio(read.int32(at), read.int32(at + 4));
		default:
			return undefined;
	}
}

/** Text up to its terminator, without control and direction characters; some cameras write UTF-8 instead of ASCII. */
function cleanText(bytes: Buffer, maximum: number): string | undefined {
	const [text = ''] = bytes.toString('utf8').split('\0');
	const clean = text.replace(/[\p{C}\p{Zl}\p{Zp}\uFFFD]/gu, '').trim();
	return [...clean].slice(0, maximum).join('') || undefined;
}

/* The chunks of a PNG (PNG, third edition, 5.3), each with a length, a type, content and a checksum. */
const signatureBytes = 8;
/** Bytes of a chunk without its content. */
const chunkBytes = 12;

interface Chunk {
	readonly type: string;
	readonly start: number;
	readonly end: number;
}

/** The chunks of a PNG, up to one that is cut. */
export function* chunksOf(file: Buffer): Generator<Chunk, void> {
	for (let start = signatureBytes; start + chunkBytes <= file.length; ) {
		const end = start + chunkBytes + file.readUInt32BE(start);
		if (end > file.length) return;
		yield { type: file.toString('latin1', start + 4, start + 8), start, end };
		start = end;
	}
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
