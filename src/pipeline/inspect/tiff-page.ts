/** A page of a TIFF, as described by its directory (TIFF 6.0; BigTIFF: "BigTIFF Design" by AWare Systems, 2007). */
export interface TiffPage {
	readonly isLittleEndian: boolean;
	readonly width: number;
	readonly height: number;
	/** Bits of each sample. */
	readonly bits: number;
	readonly sampleFormat: number;
	readonly photometric: number;
	readonly compression: number;
	readonly predictor: number;
	/** Samples per pixel, for colours and extra channels. */
	readonly samples: number;
	/** Samples of the colour; the others are extra. 0 for an unknown photometric interpretation. */
	readonly colours: number;
	/** How the first extra sample is used. */
	readonly alpha: 'none' | 'straight' | 'premultiplied';
	/** Each sample has its own strips or tiles. */
	readonly isPlanar: boolean;
	/** Rows and columns of a chroma sample of YCbCr. */
	readonly subsampling: readonly number[];
	/** A set of inks other than CMYK. */
	readonly hasOtherInks: boolean;
	/** Samples differ in size or type. */
	readonly isMixed: boolean;
	/** Bit 0 of a byte is the leftmost. */
	readonly isReversed: boolean;
	/** The size of a strip or tile. */
	readonly block: { readonly width: number; readonly height: number; readonly isTile: boolean };
	readonly offsets: readonly number[];
	readonly lengths: readonly number[];
	/** EXIF orientation. */
	readonly orientation: number;
	/** All reds, then all greens, then all blues, 16 bits each. */
	readonly palette: readonly number[];
	readonly profile: Buffer | undefined;
	readonly xmp: Buffer | undefined;
	/** Offsets of its directory, of the link to the next one and of the value of its planar configuration. */
	readonly at: number;
	readonly nextAt: number;
	readonly planarAt: number | undefined;
}

export const sampleFormat = { uint: 1, int: 2, float: 3, undefined: 4 } as const;
export const photometric = {
	whiteIsZero: 0,
	blackIsZero: 1,
	rgb: 2,
	palette: 3,
	mask: 4,
	cmyk: 5,
	yCbCr: 6,
	lab: 8,
} as const;
export const compression = {
	none: 1,
	lzw: 5,
	oldJpeg: 6,
	jpeg: 7,
	deflate: 8,
	packBits: 32_773,
	oldDeflate: 32_946,
} as const;

/** Tags (TIFF 6.0, appendix A), and those of XMP (its specification part 3, 3.3) and of ICC profiles (ICC.1:2022, annex B.5). */
const tags = {
	newSubfileType: 254,
	width: 256,
	height: 257,
	bits: 258,
	compression: 259,
	photometric: 262,
	fillOrder: 266,
	stripOffsets: 273,
	orientation: 274,
	samples: 277,
	rowsPerStrip: 278,
	stripLengths: 279,
	planar: 284,
	predictor: 317,
	palette: 320,
	tileWidth: 322,
	tileHeight: 323,
	tileOffsets: 324,
	tileLengths: 325,
	subDirectories: 330,
	inkSet: 332,
	extraSamples: 338,
	sampleFormat: 339,
	subsampling: 530,
	xmp: 700,
	profile: 34_675,
	dngVersion: 50_706,
} as const;

/** Bytes per value by type number (TIFF 6.0, page 15); BigTIFF has 8-byte integers. */
const typeBytes: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8 };

/** A directory. Whatever it declares, nothing outside the file is read. */
interface Directory {
	/** The values of a tag, or none. @throws RangeError if they are outside the file */
	numbers(tag: number): number[];
	bytes(tag: number): Buffer | undefined;
	/** Offset of the first value. */
	placeOf(tag: number): number | undefined;
	readonly at: number;
	/** Offset of the next directory; 0 for the last one. */
	readonly next: number;
	/** Where that offset stands. */
	readonly nextAt: number;
}

interface Layout {
	readonly isLittleEndian: boolean;
	readonly isBig: boolean;
	readonly first: number;
}

function layoutOf(file: Buffer): Layout | undefined {
	const signature = file.toString('latin1', 0, 4);
	const isLittleEndian = signature.startsWith('II');
	const isBig = signature.includes('+');
	if (!/^(II[*+]\0|MM\0[*+])$/s.test(signature) || file.length < 16) return undefined;
	return { isLittleEndian, isBig, first: integerAt(file, isBig ? 8 : 4, isBig ? 8 : 4, isLittleEndian) };
}

/** @throws RangeError */
function integerAt(file: Buffer, at: number, bytes: number, isLittleEndian: boolean): number {
	if (bytes === 8) return Number(isLittleEndian ? file.readBigUInt64LE(at) : file.readBigUInt64BE(at));
	return isLittleEndian ? file.readUIntLE(at, bytes) : file.readUIntBE(at, bytes);
}

/** @throws RangeError */
function directoryAt(file: Buffer, at: number, { isLittleEndian, isBig }: Layout): Directory {
	const integer = (place: number, bytes: number) => integerAt(file, place, bytes, isLittleEndian);
	const word = isBig ? 8 : 4;
	const entryBytes = isBig ? 20 : 12;
	const start = at + (isBig ? 8 : 2);
	const count = integer(at, start - at);
	const end = start + count * entryBytes;
	const find = (tag: number) => {
		for (let entry = start; entry < end; entry += entryBytes) {
			if (integer(entry, 2) !== tag) continue;
			const bytes = typeBytes[integer(entry + 2, 2)];
			const values = integer(entry + 4, word);
			const place = entry + 4 + word;
			if (bytes) return { bytes, values, at: bytes * values <= word ? place : integer(place, word) };
		}
		return undefined;
	};
	return {
		at,
		next: integer(end, word),
		nextAt: end,
		placeOf: (tag) => find(tag)?.at,
		numbers(tag) {
			const found = find(tag);
			if (!found) return [];
			if (found.at + found.values * found.bytes > file.length)
				throw new RangeError(`Tag ${tag} is outside of the file.`);
			return Array.from({ length: found.values }, (_, index) => integer(found.at + index * found.bytes, found.bytes));
		},
		bytes(tag) {
			const found = find(tag);
			return found && file.subarray(found.at, found.at + found.values * found.bytes);
		},
	};
}

/**
 * Is it a camera raw file? These begin like a TIFF, but their first page is only a preview of other directories, or contains sensor values
 * (DNG 1.7, chapter 4). The PrintIM tag and the number of tags, which file-type checks, prove nothing.
 *
 * @param head the start of a file; a directory beyond it counts as that of a TIFF
 */
export function isCameraRaw(head: Buffer): boolean {
	try {
		const layout = layoutOf(head);
		if (!layout) return false;
		const { numbers } = directoryAt(head, layout.first, layout);
		const isPreview = ((numbers(tags.newSubfileType)[0] ?? 0) & 1) === 1 && numbers(tags.subDirectories).length > 0;
		const [colourFilterArray, linearRaw] = [32_803, 34_892];
		const [colours] = numbers(tags.photometric);
		return isPreview || numbers(tags.dngVersion).length > 0 || colours === colourFilterArray || colours === linearRaw;
	} catch (error) {
		if (error instanceof RangeError) return false;
		throw error;
	}
}

/**
 * Reads the directory of a page.
 *
 * @param page starts at 1
 * @returns undefined if it is damaged or lacks mandatory tags; libvips then reports the problem
 */
export function readPage(file: Buffer, page: number): TiffPage | undefined {
	try {
		const layout = layoutOf(file);
		if (!layout) return undefined;
		let directory = directoryAt(file, layout.first, layout);
		for (let number = 1; number < page; number++) directory = directoryAt(file, directory.next, layout);
		return pageOf(directory, layout);
	} catch (error) {
		if (error instanceof RangeError) return undefined;
		throw error;
	}
}

/** Number of pages of a TIFF. */
export function countPages(file: Buffer): number {
	const seen = new Set<number>();
	try {
		const layout = layoutOf(file);
		for (let at = layout?.first ?? 0; layout && at !== 0 && !seen.has(at); at = directoryAt(file, at, layout).next)
			seen.add(at);
	} catch (error) {
		if (!(error instanceof RangeError)) throw error;
	}
	return Math.max(1, seen.size);
}

/** Samples of the colour by photometric interpretation. */
const coloursOf: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4, 6: 3, 8: 3 };

function pageOf({ at, nextAt, numbers, bytes, placeOf }: Directory, { isLittleEndian }: Layout): TiffPage | undefined {
	const first = (tag: number, value: number) => numbers(tag)[0] ?? value;
	const [width, height] = [first(tags.width, 0), first(tags.height, 0)];
	const samples = first(tags.samples, 1);
	const colourKind = first(tags.photometric, -1);
	const colours = coloursOf[colourKind] ?? 0;
	const [bits = 1, ...otherBits] = numbers(tags.bits);
	const [format = sampleFormat.uint, ...otherFormats] = numbers(tags.sampleFormat);
	const isTile = numbers(tags.tileWidth).length > 0;
	const block = isTile
		? { width: first(tags.tileWidth, 0), height: first(tags.tileHeight, 0), isTile }
		: { width, height: Math.min(first(tags.rowsPerStrip, height), height), isTile };
	if (width < 1 || height < 1 || samples < colours || block.width < 1 || block.height < 1) return undefined;
	return {
		isLittleEndian,
		width,
		height,
		bits,
		sampleFormat: format,
		photometric: colourKind,
		compression: first(tags.compression, 1),
		predictor: first(tags.predictor, 1),
		samples,
		colours,
		isMixed: otherBits.some((other) => other !== bits) || otherFormats.some((other) => other !== format),
		alpha: alphaOf(numbers(tags.extraSamples)[0], samples - colours),
		isPlanar: first(tags.planar, 1) === 2,
		subsampling: numbers(tags.subsampling),
		hasOtherInks: first(tags.inkSet, 1) !== 1,
		isReversed: first(tags.fillOrder, 1) === 2,
		block,
		offsets: numbers(isTile ? tags.tileOffsets : tags.stripOffsets),
		lengths: numbers(isTile ? tags.tileLengths : tags.stripLengths),
		orientation: first(tags.orientation, 1),
		palette: colourKind === photometric.palette ? numbers(tags.palette) : [],
		profile: bytes(tags.profile),
		xmp: bytes(tags.xmp),
		at,
		nextAt,
		planarAt: placeOf(tags.planar),
	};
}

/** How the first extra sample is used (TIFF 6.0, section 18). Without the tag, a single extra sample counts as alpha, as in libtiff. */
function alphaOf(kind: number | undefined, extra: number): TiffPage['alpha'] {
	if (extra < 1) return 'none';
	if (kind === undefined) return extra === 1 ? 'straight' : 'none';
	return kind === 1 ? 'premultiplied' : kind === 2 ? 'straight' : 'none';
}

/** A copy of the file with this page as its only one. @param isOnePlane its planes are no longer said to be separate */
export function withOnlyPage(file: Buffer, page: TiffPage, isOnePlane = false): Buffer {
	const { at, nextAt, planarAt, isLittleEndian } = page;
	const copy = Buffer.from(file);
	const isBig = layoutOf(file)?.isBig ?? false;
	const write = (value: number, place: number, bytes: number) =>
		isLittleEndian ? copy.writeUIntLE(value, place, bytes) : copy.writeUIntBE(value, place, bytes);
	if (isOnePlane && planarAt !== undefined) write(1, planarAt, 2);
	copy.fill(0, nextAt, nextAt + (isBig ? 8 : 4));
	// Places of 64 bits are within the file, whose length fits into 48.
	if (isBig) write(at, isLittleEndian ? 8 : 10, 6);
	else write(at, 4, 4);
	return copy;
}
