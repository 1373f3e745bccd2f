import type { SharpOptions } from 'sharp';
import { PicpipeError } from '../../errors.ts';
import type { Pixels } from '../pixels/pixels.ts';
import { type Box, boxesIn, boxIn, endsWithinBox, readItems } from './boxes.ts';
import { classifyError, corrupt, endsEarly } from './classify-error.ts';

/**
 * HEIC, as iPhones write it. sharp's libvips reads the header but has no HEVC decoder. libheif in WebAssembly decodes the pixels: about a second
 * and 300 MB for 12 megapixels.
 */

/** Memory per pixel of a HEIC relative to other pictures: WebAssembly holds a second copy. */
export const heicWeight = 2;

/**
 * Decodes the whole picture: upright, in its own colour space, with four channels.
 *
 * @param expected size from the header
 * @throws PicpipeError `corrupt-picture`
 */
export async function decodeHeic(
	file: Buffer,
	expected: { readonly width: number; readonly height: number },
): Promise<Pixels> {
	try {
		// Loaded on first use: two megabytes that most processes never need.
		const [{ default: heicDecode }, { default: libheif }] = await Promise.all([
			import('heic-decode/lib.js'),
			import('libheif-js/libheif-wasm/libheif-bundle.js'),
		]);
		// Each picture has its own decoder: its memory never shrinks, and a crash would break it for the next picture.
		const { data, width, height } = await heicDecode(libheif()).one({ buffer: file });
		if (width !== expected.width || height !== expected.height)
			throw corrupt('The picture contradicts its header.', 'decode');
		return { data: Buffer.from(data.buffer, data.byteOffset, data.byteLength), width, height, channels: 4 };
	} catch (error) {
		throw classifyError(error, 'decode', 'decode');
	}
}

/** @throws PicpipeError `corrupt-picture` */
export function refuseCutHeic(file: Buffer): void {
	if (endsWithinBox(file)) throw corrupt(endsEarly, 'inspect');
}

/* AVIF and HEIC beyond libvips's defaults: other major brands, such as those of sequences, and many items. */

/** Major brands that libvips recognises. It reads the same boxes whatever the brand is (`heifload.c` of libvips 8.18). */
const knownBrands = ['avif', 'heic', 'heix', 'hevc', 'heim', 'heis', 'hevm', 'hevs', 'mif1', 'msf1'];

/** Largest number of items that sharp's libheif reads with its default limits. A grid has one for each tile. */
const usualItems = 256;
/** libheif's own limit, and that of its build in WebAssembly. */
const maximumItems = 1_000;

/** How sharp reads a file. */
export interface HeifReading {
	readonly bytes: Buffer;
	readonly options: SharpOptions;
}

/** @throws PicpipeError `unsupported-feature` for more than 1,000 items */
export function readingOfHeif(file: Buffer): HeifReading {
	const items = countItems(file);
	if (items > maximumItems)
		throw unsupported(`Expected an AVIF or HEIC of at most ${maximumItems} items but received one of ${items}.`);
	// picpipe has its own limits on pixels, checked before anything is decoded.
	const options = items > usualItems ? { unlimited: true } : {};
	if (!readItems(file)) return { bytes: stillOfSequence(file) ?? file, options };
	if (knownBrands.includes(file.toString('latin1', 8, 12))) return { bytes: file, options };
	const bytes = Buffer.from(file);
	bytes.write('avif', 8, 'latin1');
	return { bytes, options };
}

/** Bytes of a visual sample entry before its boxes (ISO 14496-12, 12.1.3). */
const sampleEntryBytes = 78;

/**
 * The first picture of a sequence as an AVIF of its own, for sequences that contain no still picture beside their track.
 *
 * @returns undefined if there is no track of AV1, or another one for alpha, which would be lost
 */
function stillOfSequence(file: Buffer): Buffer | undefined {
	const tracks = [...boxesIn(boxIn(file, 'moov') ?? Buffer.alloc(0))].filter(({ type }) => type === 'trak');
	const [media, ...others] = tracks.map(({ content }) => boxIn(content, 'mdia'));
	const samples = boxIn(boxIn(media, 'minf'), 'stbl');
	const entry = boxIn(boxIn(samples, 'stsd')?.subarray(8), 'av01');
	const [sizes, places, longPlaces] = ['stsz', 'stco', 'co64'].map((type) => boxIn(samples, type));
	if (others.length > 0 || !entry || entry.length < sampleEntryBytes || !sizes || sizes.length < 12) return undefined;
	// One size for all samples, or else a list of them (8.7.3.2).
	const size = countAt(sizes, 4, true) || countAt(sizes, 12, true);
	const place = places ? countAt(places, 8, true) : countAt(longPlaces, 12, true);
	const properties = [...boxesIn(entry.subarray(sampleEntryBytes))].filter(({ type }) =>
		['av1C', 'colr'].includes(type),
	);
	if (size === 0 || place === 0 || place + size > file.length) return undefined;
	return stillOf(file.subarray(place, place + size), { entry, properties });
}

/** An AVIF of one item (AV1 Image File Format, 2; ISO 14496-12, 8.11). */
function stillOf(data: Buffer, { entry, properties }: { readonly entry: Buffer; readonly properties: readonly Box[] }) {
	const ispe = boxOf('ispe', [0, 0, 0, 0, 0, 0, ...entry.subarray(24, 26), 0, 0, ...entry.subarray(26, 28)]);
	const all = [ispe, ...properties.map(({ type, content }) => boxOf(type, content))];
	const metaFor = (place: number) => {
		const iloc = Buffer.from([0, 0, 0, 0, 0x44, 0, 0, 1, 0, 1, 0, 0, 0, 1, ...Buffer.alloc(8)]);
		iloc.writeUInt32BE(place, 14);
		iloc.writeUInt32BE(data.length, 18);
		return boxOf('meta', [
			...Buffer.alloc(4),
			...boxOf('hdlr', Buffer.from('\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0', 'latin1')),
			...boxOf('pitm', [0, 0, 0, 0, 0, 1]),
			...boxOf('iloc', iloc),
			...boxOf('iinf', [0, 0, 0, 0, 0, 1, ...boxOf('infe', Buffer.from('\x02\0\0\0\0\x01\0\0av01\0', 'latin1'))]),
			...boxOf('iprp', [
				...boxOf('ipco', Buffer.concat(all)),
				...boxOf('ipma', [0, 0, 0, 0, 0, 0, 0, 1, 0, 1, all.length, ...all.map((_, index) => index + 1)]),
			]),
		]);
	};
	const ftyp = boxOf('ftyp', Buffer.from('avif\0\0\0\0avifmif1miaf', 'latin1'));
	const start = ftyp.length + metaFor(0).length + 8;
	return Buffer.concat([ftyp, metaFor(start), boxOf('mdat', data)]);
}

function boxOf(type: string, content: Buffer | readonly number[]): Buffer {
	const box = Buffer.concat([Buffer.alloc(4), Buffer.from(type, 'latin1'), Buffer.from(content)]);
	box.writeUInt32BE(box.length, 0);
	return box;
}

/** Items that the list of items or that of their places announces (ISO 14496-12, 8.11.3 and 8.11.6). */
function countItems(file: Buffer): number {
	const meta = boxIn(file, 'meta')?.subarray(4);
	const [iinf, iloc] = [boxIn(meta, 'iinf'), boxIn(meta, 'iloc')];
	return Math.max(countAt(iinf, 4, iinf?.[0] !== 0), countAt(iloc, 6, (iloc?.[0] ?? 0) > 1));
}

function countAt(box: Buffer | undefined, at: number, isLong: boolean): number {
	const bytes = isLong ? 4 : 2;
	return box && at + bytes <= box.length ? box.readUIntBE(at, bytes) : 0;
}

/** Properties of pictures whose data has several layers (AV1 Image File Format, 2.3). */
const layerProperties = ['a1op', 'a1lx', 'lsel'];

/**
 * The reason why libheif does not read a file. Its own messages do not help: it seeks beyond the end of every file, and reports unknown
 * parts as too large.
 *
 * @param error of reading the header or decoding
 */
export function explainHeif(error: unknown, file: Buffer): unknown {
	if (!(error instanceof PicpipeError) || error.class === 'internal' || error.code === 'unsupported-feature')
		return error;
	const { step = 'inspect', cause } = error;
	if (endsWithinBox(file)) return corrupt(endsEarly, step, cause);
	const items = readItems(file);
	if (!items && boxIn(file, 'moov'))
		return unsupported(
			'Expected a sequence that contains a still picture, too, but received one without.',
			step,
			cause,
		);
	const shown = items ? [items.primary, ...tilesOf(items)] : [];
	if (shown.some((item) => items?.propertiesOf(item).some(({ type }) => layerProperties.includes(type))))
		return unsupported('Expected an AVIF whose pictures have a single layer but received a layered one.', step, cause);
	const isAboutSize = cause instanceof Error && /image size|pixels/i.test(cause.message);
	if (error.code === 'too-many-pixels' && !isAboutSize)
		return unsupported('The picture has more parts than the decoder supports.', step, cause);
	return error.class === 'corrupt' ? corrupt('The picture is damaged and cannot be decoded.', step, cause) : error;
}

/** The items that make up the picture and its auxiliary pictures. */
function tilesOf({ references }: NonNullable<ReturnType<typeof readItems>>): number[] {
	return references.filter(({ type }) => type === 'dimg').flatMap(({ to }) => to);
}

function unsupported(message: string, step = 'inspect', cause?: unknown): PicpipeError {
	return new PicpipeError('unsupported-feature', message, { step, cause });
}
