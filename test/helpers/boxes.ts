/** Boxes of the ISO base media file format (ISO 14496-12), for AVIF and HEIC made by tests. */

export function box(type: string, content: Buffer, size = content.length + 8): Buffer {
	const head = Buffer.alloc(8);
	head.writeUInt32BE(size, 0);
	head.write(type, 4, 'latin1');
	return Buffer.concat([head, content]);
}

/** A box whose size takes 64 bits. */
export function longBox(type: string, content: Buffer, size = content.length + 16): Buffer {
	const long = Buffer.alloc(8);
	long.writeBigUInt64BE(BigInt(size));
	return box(type, Buffer.concat([long, content]), 1);
}

/** A box that begins with a version and flags. */
export function fullBox(type: string, content: Buffer, version = 0): Buffer {
	return box(type, Buffer.concat([Buffer.from([version, 0, 0, 0]), content]));
}

interface ItemShape {
	readonly primary: number;
	readonly items: readonly { readonly id: number; readonly type: string; readonly properties: readonly number[] }[];
	readonly references: readonly { readonly type: string; readonly from: number; readonly to: readonly number[] }[];
}

/** A `meta` box of these items. @param isLong writes ids with 32 bits */
export function metaOf(shape: ItemShape, properties: readonly Buffer[], isLong: boolean): Buffer {
	const id = (value: number) => number(value, isLong ? 4 : 2);
	const version = isLong ? 1 : 0;
	const infe = shape.items.map(({ id: item, type }) =>
		fullBox('infe', Buffer.concat([id(item), number(0, 2), Buffer.from(`${type}\0`, 'latin1')]), isLong ? 3 : 2),
	);
	const ipma = shape.items.flatMap(({ id: item, properties: own }) => [
		id(item),
		number(own.length, 1),
		Buffer.from(own.map((one) => 0x80 | one)),
	]);
	const iref = shape.references.map(({ type, from, to }) =>
		box(type, Buffer.concat([id(from), number(to.length, 2), ...to.map(id)])),
	);
	return fullBox(
		'meta',
		Buffer.concat([
			fullBox('pitm', id(shape.primary), version),
			fullBox('iinf', Buffer.concat([number(infe.length, 2), ...infe])),
			fullBox('iref', Buffer.concat(iref), version),
			box(
				'iprp',
				Buffer.concat([
					box('ipco', Buffer.concat(properties)),
					fullBox('ipma', Buffer.concat([number(shape.items.length, 4), ...ipma]), version),
				]),
			),
		]),
	);
}

function number(value: number, bytes: 1 | 2 | 4): Buffer {
	const written = Buffer.alloc(bytes);
	written.writeUIntBE(value, 0, bytes);
	return written;
}

/** A file of libheif with another reference between its items. */
export function withReference(file: Buffer, type: string, from: number, to: number): Buffer {
	const reference = box(type, Buffer.concat([number(from, 2), number(1, 2), number(to, 2)]));
	return withMeta(file, (name, content) => (name === 'iref' ? Buffer.concat([content, reference]) : content));
}

/** A file of libheif whose first item has another property. */
export function withProperty(file: Buffer, property: Buffer): Buffer {
	return withMeta(file, (name, content) => {
		if (name !== 'iprp') return content;
		const [[, ipco = Buffer.alloc(0)] = [], [, ipma = Buffer.alloc(0)] = []] = split(content);
		const count = split(ipco).length + 1;
		// Version, flags, count of items, id, count of properties.
		const [before, after] = [Buffer.from(ipma.subarray(0, 11)), ipma.subarray(11)];
		before.writeUInt8((ipma[10] ?? 0) + 1, 10);
		return Buffer.concat([
			box('ipco', Buffer.concat([ipco, property])),
			box('ipma', Buffer.concat([before, number(count, 1), after])),
		]);
	});
}

/** Colours as code points of ITU-T H.273. */
export function nclx(primaries: number, transfer: number, matrix = 0): Buffer {
	const codes = [primaries, transfer, matrix].map((code) => number(code, 2));
	return box('colr', Buffer.concat([Buffer.from('nclx'), ...codes, Buffer.from([0x80])]));
}

/** The same file with other code points; its size stays. */
export function withCodes(file: Buffer, primaries: number, transfer: number): Buffer {
	const at = file.indexOf('colrnclx');
	if (at < 0) throw new TypeError('Expected a file with nclx.');
	const changed = Buffer.from(file);
	changed.writeUInt16BE(primaries, at + 8);
	changed.writeUInt16BE(transfer, at + 10);
	return changed;
}

function withMeta(file: Buffer, change: (type: string, content: Buffer) => Buffer): Buffer {
	const [start, meta, ...rest] = split(file);
	if (start?.[0] !== 'ftyp' || meta?.[0] !== 'meta')
		throw new TypeError('Expected a file that begins with ftyp and meta.');
	const boxes = split(meta[1].subarray(4)).map(([type, content]) => [type, change(type, content)] as const);
	const longer = boxes.reduce((sum, [, content]) => sum + content.length + 8, 12) - (meta[1].length + 8);
	const moved = boxes.map(([type, content]) => box(type, type === 'iloc' ? movedBy(longer, content) : content));
	return Buffer.concat([
		box(...start),
		fullBox('meta', Buffer.concat(moved)),
		...rest.map(([type, content]) => box(type, content)),
	]);
}

/** Adds to the place of each item, in the form in which libheif writes them: version 0, and a base of four bytes. */
function movedBy(bytes: number, iloc: Buffer): Buffer {
	const moved = Buffer.from(iloc);
	const items = iloc.readUInt16BE(6);
	for (let at = 8, item = 0; item < items; item++) {
		moved.writeUInt32BE(iloc.readUInt32BE(at + 4) + bytes, at + 4);
		at += 10 + iloc.readUInt16BE(at + 8) * 8;
	}
	return moved;
}

function split(bytes: Buffer): (readonly [string, Buffer])[] {
	const boxes: (readonly [string, Buffer])[] = [];
	for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at))
		boxes.push([bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + bytes.readUInt32BE(at))]);
	return boxes;
}
