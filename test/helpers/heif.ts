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

/**
 * A sequence of sharp's picture, as players of films write it: no item, and a track for pictures (ISO 14496-12, 8.7).
 *
 * @param tracks kinds of tracks: `pict` and, for alpha, `auxv`
 */
export function sequenceOf(
	avif: Buffer,
	{ tracks, isLong = false }: { readonly tracks: readonly string[]; readonly isLong?: boolean },
): Buffer {
	const all = new Map([...boxesIn(avif)].map(({ type, content }) => [type, content]));
	const inner = (from: Buffer | undefined, wanted: string) =>
		[...boxesIn(from ?? Buffer.alloc(0))].find(({ type }) => type === wanted)?.content;
	const ipco = inner(inner((all.get('meta') ?? Buffer.alloc(0)).subarray(4), 'iprp'), 'ipco');
	const ispe = inner(ipco, 'ispe') ?? Buffer.alloc(12);
	const data = all.get('mdat') ?? Buffer.alloc(0);
	const sampleEntry = Buffer.concat([Buffer.alloc(24), ispe.subarray(6, 8), ispe.subarray(10, 12), Buffer.alloc(50)]);
	const entry = box('av01', Buffer.concat([sampleEntry, box('av1C', inner(ipco, 'av1C') ?? Buffer.alloc(4))]));
	const moovFor = (place: number) =>
		box(
			'moov',
			Buffer.concat(
				tracks.map((kind) => {
					const places = isLong
						? fullBox('co64', Buffer.concat([long(1), long(0), long(place)]))
						: fullBox('stco', Buffer.concat([long(1), long(place)]));
					const stbl = [
						fullBox('stsd', Buffer.concat([long(1), entry])),
						fullBox(
							'stsz',
							isLong
								? Buffer.concat([long(data.length), long(1)])
								: Buffer.concat([long(0), long(1), long(data.length)]),
						),
						places,
					];
					const hdlr = fullBox('hdlr', Buffer.from(`\0\0\0\0${kind}`, 'latin1'));
					return box('trak', box('mdia', Buffer.concat([hdlr, box('minf', box('stbl', Buffer.concat(stbl)))])));
				}),
			),
		);
	const ftyp = box('ftyp', Buffer.from('avis\0\0\0\0avismsf1iso8', 'latin1'));
	const start = ftyp.length + moovFor(0).length + 8;
	return Buffer.concat([ftyp, moovFor(start), box('mdat', data)]);
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
