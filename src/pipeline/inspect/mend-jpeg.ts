/*
 * libjpeg does not stop at problems but counts warnings, and libvips reports only the first one. Most of them mean damage. Some concern
 * data outside the picture that cameras and programs are known to write. If these were simply accepted, they would hide all damage behind
 * them. So their causes are removed from a copy of the file, and the copy must decode without a warning. `docs/decisions/0015` lists every
 * warning of libjpeg-turbo's jerror.h.
 *
 * Markers and segments as in ITU-T T.81, annex B.
 */

const [startOfFrame, extended, progressive] = [0xc0, 0xc1, 0xc2];
const huffmanTables = 0xc4;
const [firstRestart, startOfImage, endOfImage, startOfScan] = [0xd0, 0xd8, 0xd9, 0xda];
const [jfif, adobe] = [0xe0, 0xee];
const coefficients = 64;

/** A segment with its marker. The header of a scan is followed by its data, up to the next marker other than a restart. */
interface Part {
	readonly marker: number;
	readonly start: number;
	readonly end: number;
	readonly dataEnd: number;
}

/**
 * The parts of a JPEG, however odd it is. Stray bytes are between them. Ends with the end marker, or at the end of the file.
 *
 * @param isHeader ends before the first scan
 */
export function partsOf(file: Buffer, isHeader = false): Part[] {
	const parts: Part[] = [];
	for (let at = 2; ; ) {
		const start = file.indexOf(0xff, at);
		const marker = start < 0 ? undefined : file[start + 1];
		if (marker === undefined) return parts;
		at = start + (marker === 0xff ? 1 : 2);
		if (marker === 0 || marker === 0xff) continue;
		if (marker === endOfImage) return [...parts, { marker, start, end: at, dataEnd: at }];
		if (marker === 1 || (marker >= firstRestart && marker <= startOfImage)) continue;
		if (at + 2 > file.length) return parts;
		const end = at + file.readUInt16BE(at);
		if (end > file.length) return parts;
		if (marker === startOfScan && isHeader) return parts;
		const dataEnd = marker === startOfScan ? endOfData(file, end) : end;
		parts.push({ marker, start, end, dataEnd });
		at = dataEnd;
	}
}

function endOfData(file: Buffer, from: number): number {
	for (let at = file.indexOf(0xff, from); at >= 0; at = file.indexOf(0xff, at)) {
		const next = file[at + 1];
		if (next === undefined) return at;
		if (next === 0xff) at += 1;
		else if (next === 0 || (next >= firstRestart && next < startOfImage)) at += 2;
		else return at;
	}
	return file.length;
}

/**
 * A copy of a JPEG without the causes of one kind of harmless warning. The picture data is unchanged.
 *
 * @param warning libjpeg's first one about this file
 * @returns undefined if there is nothing to mend, so that the warning means damage
 */
export function mendJpeg(file: Buffer, warning: string): Buffer | undefined {
	const parts = partsOf(file);
	const mended = mendSegments(file, parts);
	if (!mended?.equals(file.subarray(0, mended.length))) return mended;
	const padding = /(\d+) extraneous bytes before marker 0x([0-9a-f]{2})/.exec(warning);
	return padding ? withoutPadding(file, parts, Number(padding[1]), Number.parseInt(padding[2] ?? '', 16)) : undefined;
}

/** Keeps only the segments, corrected for libjpeg, and the end marker. */
function mendSegments(file: Buffer, parts: readonly Part[]): Buffer | undefined {
	const frame = parts.find(({ marker }) => marker === startOfFrame || marker === extended || marker === progressive);
	if (!frame) return undefined;
	const hasStrays = parts.some(({ start }, index) => start !== (parts[index - 1]?.dataEnd ?? 2));
	// Zeros in place of a table are not stray bytes: libjpeg would silently decode with its own table.
	if (hasStrays && !hasTables(file, parts)) return undefined;
	const isEnded = parts.at(-1)?.marker === endOfImage;
	if (!isEnded && !isComplete(file, parts, frame)) return undefined;
	const end = Buffer.from([0xff, endOfImage]);
	const pieces = parts.flatMap((part) => [mendSegment(file, part, frame), file.subarray(part.end, part.dataEnd)]);
	return Buffer.concat([file.subarray(0, 2), ...pieces, ...(isEnded ? [] : [end])]);
}

/**
 * Offsets of the colour transform in Adobe's segment, of the revision in JFIF's, and of the number of components in a frame's, after their
 * markers.
 */
const [adobeTransformAt, jfifRevisionAt, componentsAt] = [15, 9, 9];

function mendSegment(file: Buffer, { marker, start, end }: Part, frame: Part): Buffer {
	const segment = Buffer.from(file.subarray(start, end));
	const isNamed = (name: string) => segment.toString('latin1', 4, 4 + name.length) === name;
	const components = file[frame.start + componentsAt] ?? 0;
	// Some phones write other numbers into scans of baseline pictures, which have no meaning there (T.81, table B.3).
	if (marker === startOfScan && frame.marker !== progressive) segment.set([0, coefficients - 1, 0], segment.length - 3);
	if (marker === jfif && isNamed('JFIF\0') && segment.length > jfifRevisionAt) segment[jfifRevisionAt] = 1;
	if (marker === adobe && isNamed('Adobe') && segment.length > adobeTransformAt) {
		// 0: no transform, 1: YCbCr, 2: YCCK. `assumed` is libjpeg's choice for any other number.
		const [assumed, known] = components === 4 ? [2, [0, 2]] : [1, [0, 1]];
		if (!known.includes(segment[adobeTransformAt] ?? 0)) segment[adobeTransformAt] = assumed;
	}
	return segment;
}

/** The components of a scan, each with the numbers of its tables for DC and AC (T.81, B.2.3). */
function componentsOf(file: Buffer, { start }: Part): { id: number; dc: number; ac: number }[] {
	return Array.from({ length: file[start + 4] ?? 0 }, (_, index) => {
		const [id = 0, tables = 0] = [file[start + 5 + 2 * index], file[start + 6 + 2 * index]];
		return { id, dc: tables >> 4, ac: tables & 15 };
	});
}

/** Does the file define every Huffman table that its first scan uses? */
function hasTables(file: Buffer, parts: readonly Part[]): boolean {
	const defined = new Set<number>();
	for (const part of parts) {
		if (part.marker === startOfScan) {
			const isProgressive = parts.some(({ marker }) => marker === progressive);
			return componentsOf(file, part).every(
				({ dc, ac }) => defined.has(dc) && (isProgressive || defined.has(0x10 | ac)),
			);
		}
		if (part.marker !== huffmanTables) continue;
		// A byte for class and number, 16 counts, and the values.
		for (let at = part.start + 4; at + 17 <= part.end; ) {
			defined.add(file[at] ?? 0);
			at += 17 + file.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
		}
	}
	return false;
}

/** More zeros in a row at the end of a file than a scan can end with: its last byte is filled up with ones (T.81, F.1.2.3). */
const zerosOfNothing = Buffer.alloc(16);

/**
 * Is the end of a JPEG missing and replaced by zeros, as in an unfinished download? They are valid data of a scan, so that a decoder may find nothing
 * wrong with them.
 */
export function endsInZeros(file: Buffer): boolean {
	return file.subarray(-zerosOfNothing.length).equals(zerosOfNothing) && partsOf(file).at(-1)?.marker !== endOfImage;
}

/** Do the scans hold every coefficient of every component to its last bit (T.81, G.1.1.1)? A file without its end marker may lack whole scans. */
function isComplete(file: Buffer, parts: readonly Part[], frame: Part): boolean {
	// The data of the last scan have to reach to the end of the file.
	const last = parts.at(-1);
	if (last?.marker !== startOfScan || last.dataEnd < file.length - 1) return false;
	const missing = new Map<number, Set<number>>();
	for (let index = 0; index < (file[frame.start + componentsAt] ?? 0); index++) {
		const id = file[frame.start + componentsAt + 1 + 3 * index] ?? 0;
		missing.set(id, new Set(Array.from({ length: coefficients }, (_, coefficient) => coefficient)));
	}
	for (const scan of parts) {
		if (scan.marker !== startOfScan) continue;
		const [first = 0, to = 0, bits = 0] = file.subarray(scan.end - 3, scan.end);
		const isSequential = frame.marker !== progressive;
		for (const { id } of componentsOf(file, scan)) {
			const of = missing.get(id);
			if (isSequential) of?.clear();
			else if ((bits & 15) === 0) for (let one = first; one <= to; one++) of?.delete(one);
		}
	}
	return [...missing.values()].every(({ size }) => size === 0);
}

/** Most bytes before the end marker that count as padding, whatever they are; damage leaves more behind. */
const maximumOddPadding = 64;

/**
 * A copy without bytes that a scan does not need: padding of one value, or a few bytes at the very end. Behind a hole the decoder may also need fewer
 * bytes than there are; what remains then are data. Before a restart marker nothing is padding.
 *
 * @param count bytes that libjpeg did not need
 */
function withoutPadding(file: Buffer, parts: readonly Part[], count: number, marker: number): Buffer | undefined {
	const scan = parts.find(({ end, dataEnd }, index) => {
		if (dataEnd - end < count || parts[index + 1]?.marker !== marker) return false;
		const bytes = file.subarray(dataEnd - count, dataEnd);
		return bytes.every((byte) => byte === bytes[0]) || (marker === endOfImage && count <= maximumOddPadding);
	});
	return scan && Buffer.concat([file.subarray(0, scan.dataEnd - count), file.subarray(scan.dataEnd)]);
}
