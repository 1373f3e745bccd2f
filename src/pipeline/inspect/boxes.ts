/**
 * Reads boxes of the ISO base media file format (ISO 14496-12, 4.2), the container of AVIF and HEIC. Whatever a box declares, nothing
 * outside its parent is read, and a box that is too long ends the list.
 */

export interface Box {
	/** Four characters. */
	readonly type: string;
	/** The box without size and type; it shares the memory of the file. */
	readonly content: Buffer;
}

/** The boxes in these bytes, in order. */
export function* boxesIn(bytes: Buffer): Generator<Box, void> {
	for (let at = 0; at + 8 <= bytes.length; ) {
		const short = bytes.readUInt32BE(at);
		// A size of 1 precedes a size of 64 bits; 0 extends to the end.
		if (short === 1 && at + 16 > bytes.length) return;
		const head = short === 1 ? 16 : 8;
		const size = short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short || bytes.length - at;
		if (size < head || at + size > bytes.length) return;
		yield { type: bytes.toString('latin1', at + 4, at + 8), content: bytes.subarray(at + head, at + size) };
		at += size;
	}
}

/** Content of the first box of a type. */
export function boxIn(bytes: Buffer | undefined, type: string): Buffer | undefined {
	if (!bytes) return undefined;
	for (const box of boxesIn(bytes)) if (box.type === type) return box.content;
	return undefined;
}

/** Does the file end within one of its boxes? Decoders fill missing data with one colour without an error. */
export function endsWithinBox(file: Buffer): boolean {
	let end = 0;
	for (const { content } of boxesIn(file)) end = content.byteOffset - file.byteOffset + content.length;
	return end < file.length;
}

/** Bytes of version and flags at the start of a full box. */
const versionBytes = 4;

/** A relation between items (ISO 14496-12, 8.11.12). */
interface ItemReference {
	/**
	 * Four characters, such as `auxl` from an alpha plane to its picture, or `prem` from a picture to the alpha that its colours are
	 * multiplied by.
	 */
	readonly type: string;
	readonly from: number;
	readonly to: readonly number[];
}

/** The pictures of a file and their properties: its `meta` box. */
export interface Items {
	/** Id of the picture to show. */
	readonly primary: number;
	readonly references: readonly ItemReference[];
	/** Properties of an item, such as `colr`, `ispe` and `auxC`, in order. */
	propertiesOf(item: number): readonly Box[];
	/** Type of an item, such as `av01`, `grid` and `Exif`. */
	typeOf(item: number): string | undefined;
}

/** @returns undefined for files without a primary item, such as damaged files and sequences */
export function readItems(file: Buffer): Items | undefined {
	const meta = boxIn(file, 'meta')?.subarray(versionBytes);
	const pitm = boxIn(meta, 'pitm');
	const primary = pitm && idIn(new Fields(pitm, versionBytes), pitm[0] !== 0);
	if (!meta || primary === undefined) return undefined;
	const iprp = boxIn(meta, 'iprp');
	const all = [...boxesIn(boxIn(iprp, 'ipco') ?? Buffer.alloc(0))];
	return {
		primary,
		references: referencesIn(boxIn(meta, 'iref')),
		propertiesOf: (item) =>
			propertyNumbers(iprp, item).flatMap((number) => {
				const property = all[number - 1];
				return property ? [property] : [];
			}),
		typeOf: (item) => typeIn(boxIn(meta, 'iinf'), item),
	};
}

/** Reads numbers one after the other; undefined after the end. */
class Fields {
	readonly #bytes: Buffer;
	#at: number;

	constructor(bytes: Buffer, at: number) {
		this.#bytes = bytes;
		this.#at = at;
	}

	next(size: 1 | 2 | 4): number | undefined {
		const at = this.#at;
		this.#at += size;
		return this.#at <= this.#bytes.length ? this.#bytes.readUIntBE(at, size) : undefined;
	}
}

/** An item's id, which later versions of a box write with 32 bits. */
function idIn(fields: Fields, isLong: boolean): number | undefined {
	return fields.next(isLong ? 4 : 2);
}

function referencesIn(iref: Buffer | undefined): readonly ItemReference[] {
	if (!iref) return [];
	const isLong = iref[0] !== 0;
	return [...boxesIn(iref.subarray(versionBytes))].flatMap(({ type, content }) => {
		const fields = new Fields(content, 0);
		const [from, count = 0] = [idIn(fields, isLong), fields.next(2)];
		const to: number[] = [];
		for (let id = idIn(fields, isLong); id !== undefined && to.length < count; id = idIn(fields, isLong)) to.push(id);
		return from === undefined ? [] : [{ type, from, to }];
	});
}

/** Numbers of an item's properties, starting at 1 (`ipma`, ISO 14496-12, 8.11.14). */
function propertyNumbers(iprp: Buffer | undefined, item: number): readonly number[] {
	for (const { type, content } of boxesIn(iprp ?? Buffer.alloc(0))) {
		if (type !== 'ipma') continue;
		const fields = new Fields(content, versionBytes);
		const isLong = content[0] !== 0;
		// The highest bit of each number marks the property as essential.
		const size = (content[3] ?? 0) & 1 ? 2 : 1;
		const entries = fields.next(4) ?? 0;
		for (let entry = 0; entry < entries; entry++) {
			const [id, count] = [idIn(fields, isLong), fields.next(1)];
			if (id === undefined || count === undefined) break;
			const numbers = Array.from({ length: count }, () => (fields.next(size) ?? 0) & (size === 2 ? 0x7fff : 0x7f));
			if (id === item) return numbers;
		}
	}
	return [];
}

function typeIn(iinf: Buffer | undefined, item: number): string | undefined {
	if (!iinf) return undefined;
	// A count of items, which the boxes themselves make redundant.
	for (const { content } of boxesIn(iinf.subarray(versionBytes + (iinf[0] === 0 ? 2 : 4)))) {
		// Since version 2, id, number of protection and type (`infe`, ISO 14496-12, 8.11.6).
		const [version = 0] = content;
		const fields = new Fields(content, versionBytes);
		if (version < 2 || idIn(fields, version > 2) !== item) continue;
		const at = versionBytes + (version > 2 ? 4 : 2) + 2;
		return content.toString('latin1', at, at + 4);
	}
	return undefined;
}
