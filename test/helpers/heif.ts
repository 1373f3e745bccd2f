import { boxesIn } from '../../src/pipeline/inspect/boxes.ts';
import { box, fullBox } from './boxes.ts';

/** AVIF of kinds that sharp does not write, made of one that it wrote: a single item with its data in `mdat`. */

/** Bytes that every `infe` box of version 2 has before the type. */
function infe(id: number, type: string, name = ''): Buffer {
	return fullBox('infe', Buffer.concat([short(id), short(0), Buffer.from(`${type}${name}\0`, 'latin1')]), 2);
}

interface Shape {
	/** The item that is shown; sharp's own is 1. */
	readonly primary?: number;
	readonly items?: readonly {
		readonly id: number;
		readonly type: string;
		readonly data?: Buffer;
		readonly properties?: readonly number[];
	}[];
	/** Properties behind those of sharp; `ispe` of its item is the first. */
	readonly properties?: readonly Buffer[];
	/** Numbers of further properties of sharp's item, counted from 1. */
	readonly ownProperties?: readonly number[];
	readonly references?: readonly Buffer[];
	/** Major brand. */
	readonly brand?: string;
	/** Boxes at the end of the file. */
	readonly more?: readonly Buffer[];
}

/** The same AVIF with further items, properties and references. Data of further items is in `idat`. */
export function avifWith(avif: Buffer, shape: Shape): Buffer {
	const {
		primary = 1,
		items = [],
		properties = [],
		ownProperties = [],
		references = [],
		brand = 'avif',
		more = [],
	} = shape;
	const all = new Map([...boxesIn(avif)].map(({ type, content }) => [type, content]));
	const mdat = all.get('mdat') ?? Buffer.alloc(0);
	const meta = new Map(
		[...boxesIn((all.get('meta') ?? Buffer.alloc(0)).subarray(4))].map(({ type, content }) => [type, content]),
	);
	const iprp = new Map([...boxesIn(meta.get('iprp') ?? Buffer.alloc(0))].map(({ type, content }) => [type, content]));
	const ipma = iprp.get('ipma') ?? Buffer.alloc(0);
	const own = [...ipma.subarray(11, 11 + (ipma[10] ?? 0))];
	const associations = [
		{ id: 1, numbers: [...own, ...ownProperties] },
		...items.filter((item) => item.properties).map((item) => ({ id: item.id, numbers: item.properties ?? [] })),
	];
	const idat = Buffer.concat(items.map(({ data }) => data ?? Buffer.alloc(0)));
	const metaOf = (mdatAt: number) =>
		fullBox(
			'meta',
			Buffer.concat([
				box('hdlr', meta.get('hdlr') ?? Buffer.alloc(0)),
				fullBox('pitm', short(primary)),
				fullBox(
					'iloc',
					Buffer.concat([Buffer.from([0x44, 0]), short(items.length + 1), locations(items, mdatAt, mdat.length)]),
					1,
				),
				fullBox(
					'iinf',
					Buffer.concat([short(items.length + 1), infe(1, 'av01'), ...items.map(({ id, type }) => infe(id, type))]),
				),
				...(references.length > 0 ? [fullBox('iref', Buffer.concat(references))] : []),
				box(
					'iprp',
					Buffer.concat([
						box('ipco', Buffer.concat([iprp.get('ipco') ?? Buffer.alloc(0), ...properties])),
						fullBox(
							'ipma',
							Buffer.concat([
								long(associations.length),
								...associations.map(({ id, numbers }) =>
									Buffer.concat([short(id), Buffer.from([numbers.length, ...numbers])]),
								),
							]),
						),
					]),
				),
				...(idat.length > 0 ? [box('idat', idat)] : []),
			]),
		);
	const ftyp = box('ftyp', Buffer.concat([Buffer.from(brand), (all.get('ftyp') ?? Buffer.alloc(0)).subarray(4)]));
	const start = ftyp.length + metaOf(0).length + 8;
	return Buffer.concat([ftyp, metaOf(start), box('mdat', mdat), ...more]);
}

/** `iloc` entries of version 1: id, where the data is (0 for the file, 1 for `idat`), no other file, and one extent. */
function locations(items: NonNullable<Shape['items']>, mdatAt: number, mdatLength: number): Buffer {
	let place = 0;
	const entries = [Buffer.concat([short(1), short(0), short(0), short(1), long(mdatAt), long(mdatLength)])];
	for (const { id, data } of items) {
		const length = data?.length ?? 0;
		entries.push(
			length === 0
				? Buffer.concat([short(id), short(0), short(0), short(0)])
				: Buffer.concat([short(id), short(1), short(0), short(1), long(place), long(length)]),
		);
		place += length;
	}
	return Buffer.concat(entries);
}

/** A grid of two by two of sharp's item (ISO 23008-12, 6.6.2.3), which is `side` pixels wide and high. @param tiles ids of the four items */
export function gridOf(avif: Buffer, side: number, tiles: readonly number[]): Buffer {
	const size = short(side * 2);
	const ispe = fullBox('ispe', Buffer.concat([long(side * 2), long(side * 2)]));
	const count = [...boxesIn(avif)]
		.filter(({ type }) => type === 'meta')
		.flatMap(({ content }) => [...boxesIn(content.subarray(4))])
		.filter(({ type }) => type === 'iprp')
		.flatMap(({ content }) => [...boxesIn(content)])
		.filter(({ type }) => type === 'ipco')
		.flatMap(({ content }) => [...boxesIn(content)]).length;
	return avifWith(avif, {
		primary: 2,
		items: [
			{ id: 2, type: 'grid', data: Buffer.concat([Buffer.from([0, 0, 1, 1]), size, size]), properties: [count + 1] },
		],
		properties: [ispe],
		references: [box('dimg', Buffer.concat([short(2), short(tiles.length), ...tiles.map(short)]))],
	});
}

function short(value: number): Buffer {
	const bytes = Buffer.alloc(2);
	bytes.writeUInt16BE(value);
	return bytes;
}

function long(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}
