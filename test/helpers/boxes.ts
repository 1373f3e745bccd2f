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
