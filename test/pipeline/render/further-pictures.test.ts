import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { colourDifference, cut, photograph, pngChunk } from '../../helpers/pictures.ts';
import { directoryOf } from '../../helpers/tiff.ts';
import { type PoolFixture, startPool } from '../../imaging/pool-fixture.ts';
import { make, one } from '../make.ts';

/** Files that hold more than the picture that programs show which know nothing of the rest. */

const size = { width: 64, height: 48 };
const png = one([], [{ png: {} }]);

async function pixelsOf(file: Buffer): Promise<Buffer> {
	return sharp(file).removeAlpha().raw().toBuffer();
}

type Colour = readonly [red: number, green: number, blue: number];

/** A PNG of so many frames, each of one colour; the first is the picture of those who know nothing of frames (PNG 3, 4.9). */
function apng(colours: readonly Colour[]): Buffer {
	const header = Buffer.alloc(13);
	header.writeUInt32BE(size.width, 0);
	header.writeUInt32BE(size.height, 4);
	header.set([8, 2, 0, 0, 0], 8);
	const counts = Buffer.alloc(8);
	counts.writeUInt32BE(colours.length, 0);
	let sequence = 0;
	const frames = colours.flatMap((colour, at) => {
		const control = Buffer.alloc(26);
		control.writeUInt32BE(sequence++, 0);
		control.writeUInt32BE(size.width, 4);
		control.writeUInt32BE(size.height, 8);
		// Shown for a tenth of a second.
		control.writeUInt16BE(1, 20);
		control.writeUInt16BE(10, 22);
		const row = Buffer.from([0, ...Array.from({ length: size.width }, () => colour).flat()]);
		const data = deflateSync(Buffer.concat(Array.from({ length: size.height }, () => row)));
		if (at === 0) return [pngChunk('fcTL', control), pngChunk('IDAT', data)];
		const number = Buffer.alloc(4);
		number.writeUInt32BE(sequence++);
		return [pngChunk('fcTL', control), pngChunk('fdAT', Buffer.concat([number, data]))];
	});
	return Buffer.concat([
		Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
		pngChunk('IHDR', header),
		pngChunk('acTL', counts),
		...frames,
		pngChunk('IEND', Buffer.alloc(0)),
	]);
}

describe('an animated PNG', () => {
	const file = apng([
		[255, 0, 0],
		[0, 0, 255],
	]);

	it.each(['png', 'webp', 'gif', 'avif'])('is its first frame as %s', async (format) => {
		const made = await make(file, one([], [{ [format]: {} }]));
		expect(made.facts).toMatchObject({ format: 'png', ...size, frames: 1, alpha: false });
		const { data } = made.variant('only');
		expect((await sharp(data).metadata()).pages ?? 1).toBe(1);
		const { channels } = await sharp(data).stats();
		for (const [index, value] of [255, 0, 0].entries()) {
			expect(Math.abs((channels[index]?.mean ?? 0) - value)).toBeLessThan(3);
		}
	});

	it('has no second page, and is refused when the end is missing', async () => {
		const second = { variants: { only: { page: 2, encode: [{ png: {} }] } } };
		await expect(make(file, second)).rejects.toMatchObject({ code: 'no-such-page' });
		await expect(make(cut(file, 30), png)).rejects.toMatchObject({ class: 'corrupt' });
	});
});

/** A JPEG's application segment, put in at the beginning. */
function withSegment(jpeg: Buffer, number: number, content: Buffer): Buffer {
	const head = Buffer.from([0xff, 0xe0 + number, 0, 0]);
	head.writeUInt16BE(content.length + 2, 2);
	return Buffer.concat([jpeg.subarray(0, 2), head, content, jpeg.subarray(2)]);
}

function withXmp(jpeg: Buffer, attributes: string, inner = ''): Buffer {
	const names =
		'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/"';
	const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description ${names} hdrgm:Version="1.0" ${attributes}>${inner}</rdf:Description></rdf:RDF></x:xmpmeta>`;
	return withSegment(jpeg, 1, Buffer.from(`http://ns.adobe.com/xap/1.0/\0${xmp}`));
}

/** What phones write: a JPEG, and behind it one that says how much lighter each part is on a screen that can (Ultra HDR 1.1). */
async function ultraHdr(base: Buffer): Promise<Buffer> {
	const { width = 0, height = 0 } = await sharp(base).metadata();
	const light = sharp({ create: { width: width >> 2, height: height >> 2, channels: 3, background: '#ffffff' } });
	const map = withXmp(
		await light.toColourspace('b-w').jpeg().toBuffer(),
		'hdrgm:GainMapMin="0" hdrgm:GainMapMax="3" hdrgm:Gamma="1" hdrgm:OffsetSDR="0.015625" hdrgm:OffsetHDR="0.015625" hdrgm:HDRCapacityMin="0" hdrgm:HDRCapacityMax="3" hdrgm:BaseRenditionIsHDR="False"',
	);
	const item = (semantic: string, length: string) =>
		`<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="${semantic}" Item:Mime="image/jpeg"${length}/></rdf:li>`;
	const items = `<Container:Directory><rdf:Seq>${item('Primary', '')}${item('GainMap', ` Item:Length="${map.length}"`)}</rdf:Seq></Container:Directory>`;
	const primary = withXmp(withSegment(base, 2, Buffer.concat([mpf, Buffer.alloc(indexBytes)])), '', items);
	const start = primary.indexOf(mpf) + mpf.length;
	primary.set(indexOfTwo(primary.length, map.length, primary.length - start), start);
	return Buffer.concat([primary, map]);
}

const mpf = Buffer.from('MPF\0');
const entriesAt = 50;
const indexBytes = entriesAt + 2 * 16;

/** The index of a file in Multi-Picture Format (CIPA DC-007). @param offset of the second picture, counted from this index */
function indexOfTwo(firstBytes: number, secondBytes: number, offset: number): Buffer {
	const [undefinedBytes, long] = [7, 4];
	const tags = [
		[0xb000, undefinedBytes, 4, Buffer.from('0100').readUInt32LE()],
		[0xb001, long, 1, 2],
		[0xb002, undefinedBytes, 32, entriesAt],
	] as const;
	const index = Buffer.alloc(indexBytes);
	index.write('II*\0', 'latin1');
	index.writeUInt32LE(8, 4);
	directoryOf(tags).copy(index, 8);
	const primary = 0x0003_0000;
	for (const [at, value] of [primary, firstBytes, 0, 0, 0, secondBytes, offset].entries()) {
		index.writeUInt32LE(value, entriesAt + at * 4);
	}
	return index;
}

describe('an Ultra HDR JPEG', () => {
	let fixture: PoolFixture | undefined;
	afterEach(async () => {
		await fixture?.stop();
		fixture = undefined;
	});
	const base = () => photograph({ width: 160, height: 120, quality: 90 });

	it('is one: decoders that know how make it lighter', async () => {
		const file = await ultraHdr(await base());
		const { gainMap, format } = await sharp(file).metadata();
		expect(format).toBe('jpeg');
		expect(await sharp(gainMap?.image).metadata()).toMatchObject({ width: 40, height: 30 });
	});

	it('is its picture for all screens, pixel by pixel, and keeps nothing else', async () => {
		const [plain, file] = [await base(), await ultraHdr(await base())];
		const made = await make(file, one([], [{ png: {} }, { jpeg: {} }]));
		expect(made.facts).toMatchObject({ format: 'jpeg', width: 160, height: 120, frames: 1, colourSpace: 'srgb' });
		expect((await pixelsOf(made.variant('only', 'png').data)).equals(await pixelsOf(plain))).toBe(true);
		const { data } = made.variant('only', 'jpeg');
		expect(await sharp(data).metadata()).not.toHaveProperty('gainMap');
		expect(data.includes('hdrgm')).toBe(false);
		for (const metadata of ['keep', 'copyright']) {
			const kept = await make(file, { variants: { only: { metadata, encode: [{ jpeg: {} }] } } });
			expect(kept.variant('only').data.includes('hdrgm')).toBe(false);
		}
	});

	it('is so when it is made smaller in one go, and in an imaging process, where few decoders may run', async () => {
		const [plain, file] = [await base(), await ultraHdr(await base())];
		const recipe = one([{ resize: { width: 80 } }], [{ jpeg: { quality: 95 } }]);
		const expected = await make(plain, recipe);
		const made = await make(file, recipe);
		expect(await colourDifference(made.variant('only').data, expected.variant('only').data)).toBeLessThan(0.5);
		fixture = await startPool({ processes: 1 });
		const work = fixture.run(await fixture.task(file, recipe));
		expect((await work.result).facts).toMatchObject({ format: 'jpeg', width: 160, height: 120, frames: 1 });
		expect(work.outputs[0]?.data.equals(made.variant('only').data)).toBe(true);
	});
});
