import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { inspectHead, readHead } from '../../src/intake/receive.ts';
import { type OddTiff, oddTiff } from '../helpers/odd-tiff.ts';
import { cut, gifDeclaring, photograph, pngDeclaring } from '../helpers/pictures.ts';
import { thrownBy } from '../helpers/thrown.ts';

/** An ISO base media file with these brands. */
function isoFile(major: string, ...compatible: string[]): Buffer {
	const brands = Buffer.from(`${major}\0\0\0\0${compatible.join('')}`, 'latin1');
	const size = Buffer.alloc(4);
	size.writeUInt32BE(8 + brands.length);
	return Buffer.concat([size, Buffer.from('ftyp'), brands, Buffer.alloc(64)]);
}

describe('inspectHead', () => {
	it.each([
		['jpeg', 'image/jpeg', 'jpg'],
		['png', 'image/png', 'png'],
		['webp', 'image/webp', 'webp'],
		['avif', 'image/avif', 'avif'],
		['gif', 'image/gif', 'gif'],
		['tiff', 'image/tiff', 'tiff'],
	] as const)('detects a real %s', async (format, type, extension) => {
		const file = await photograph({ width: 64, height: 48, format });
		expect(await inspectHead(file.subarray(0, 4_100))).toEqual({ type, extension });
	});

	it.each<[string, Buffer, string]>([
		['a progressive JPEG', Buffer.from([0xff, 0xd8, 0xff, 0xdb, 0, 0x43]), 'image/jpeg'],
		['a GIF of 1987', Buffer.from('GIF87a\x01\x00\x01\x00', 'latin1'), 'image/gif'],
		['an animated GIF', gifDeclaring({ width: 10, height: 10, frames: 3 }), 'image/gif'],
		['an animated AVIF', isoFile('avis', 'avif', 'msf1', 'miaf'), 'image/avif'],
		['an AVIF whose main brand is another', isoFile('mif1', 'miaf', 'avif'), 'image/avif'],
		['a HEIC', isoFile('heic', 'mif1', 'heic'), 'image/heic'],
		['a HEIC whose main brand is another', isoFile('mif1', 'mif1', 'heic'), 'image/heic'],
		['a TIFF of the other byte order', Buffer.from('MM\0*\0\0\0\x08', 'latin1'), 'image/tiff'],
		['a lossless WebP', Buffer.from('RIFF\x1a\0\0\0WEBPVP8L', 'latin1'), 'image/webp'],
		['a PNG that declares to be huge', pngDeclaring(100_000, 100_000), 'image/png'],
		[
			'a PNG whose signature shows damage',
			Buffer.concat([Buffer.from([0x09]), pngDeclaring(10, 10).subarray(1)]),
			'image/png',
		],
	])('takes %s by its type, sound or not', async (_what, head, type) => {
		expect((await inspectHead(head)).type).toBe(type);
	});

	it('accepts a truncated picture: the worker decides about damage', async () => {
		const file = await photograph({ width: 64, height: 48 });
		expect(await inspectHead(cut(file, 10))).toEqual({ type: 'image/jpeg', extension: 'jpg' });
	});

	it.each<[string, Buffer, string]>([
		['text', Buffer.from('This is only a text.\n'), 'of an unknown type'],
		['an HTML page', Buffer.from('<!doctype html><script>alert(1)</script>'), 'of an unknown type'],
		[
			'an SVG',
			Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
			'image/svg+xml, which requires PICPIPE_SVG to be true',
		],
		['other XML', Buffer.from('<?xml version="1.0"?><page/>'), 'application/xml'],
		['a PDF', Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1'), 'application/pdf'],
		['a HEIF of another codec', isoFile('mif1', 'miaf', 'vvc1'), 'image/heif'],
		['an MP4', isoFile('isom', 'iso2', 'avc1', 'mp41'), 'video/mp4'],
		['a JPEG XL', Buffer.from([0xff, 0x0a, 0x7f, 0, 0, 0, 0, 0]), 'image/jxl'],
		['a BMP', Buffer.concat([Buffer.from('BM'), Buffer.alloc(60)]), 'image/bmp'],
		['a WAV, which begins as a WebP does', Buffer.from('RIFF\x24\0\0\0WAVEfmt ', 'latin1'), 'audio/wav'],
		['a raw file of a Canon', Buffer.from('II*\0\x10\0\0\0CR\x02\0', 'latin1'), 'image/x-canon-cr2'],
		['a ZIP', Buffer.from('PK\x03\x04\x14\0\0\0\x08\0', 'latin1'), 'application/zip'],
		['a program', Buffer.from('\x7fELF\x02\x01\x01\0', 'latin1'), 'application/x-elf'],
		['noise', Buffer.concat([Buffer.from([0x00, 0x01]), Buffer.alloc(100, 0xa5)]), 'of an unknown type'],
		['one byte of a JPEG', Buffer.from([0xff]), 'of an unknown type'],
	])('refuses %s and says what it is', async (_what, head, is) => {
		const error = await thrownBy(() => inspectHead(head));
		expect(error.code).toBe('unsupported-type');
		expect(error.message).toBe(`Expected a picture (jpeg, png, webp, avif, heic, gif, tiff) but the bytes are ${is}.`);
	});
});

it.each(['GIF88a\x01\0\x01\0', 'GIF8', 'GIF'])(
	'reports that a part of the signature of %j is missing',
	async (bytes) => {
		const error = await thrownBy(() => inspectHead(Buffer.from(bytes, 'latin1')));
		expect(error.code).toBe('unsupported-type');
		expect(error.message).toBe(
			'Expected a picture (jpeg, png, webp, avif, heic, gif, tiff) but the bytes have only a part of the signature of image/gif.',
		);
	},
);

describe('a TIFF and formats that begin like one', () => {
	const [short, long] = [3, 4] as const;
	const sound = (tags: OddTiff['tags'] = []) =>
		oddTiff({ width: 8, height: 8, photometric: 'rgb', bits: 8, samples: 3, tags, value: () => 99 });
	const further = (count: number) => Array.from({ length: count }, (_, index) => [60_000 + index, short, [1]] as const);

	it.each<[string, Buffer]>([
		['a PrintIM tag', sound([[50_341, 7, [...Buffer.from('PrintIM\x000300')]]])],
		['a thumbnail in another directory', sound([[330, long, [8]]])],
		['a thumbnail as its first page', sound([[254, long, [1]]])],
		...[26, 28, 31].map((count): [string, Buffer] => [
			`${count} tags`,
			withDirectoryFirst(sound([[254, long, [0]], ...further(count - 11)])),
		]),
	])('takes one with %s', async (_what, file) => {
		expect((await inspectHead(file.subarray(0, 4_100))).type).toBe('image/tiff');
	});

	it.each<[string, Buffer]>([
		[
			'whose first page is a preview of another directory',
			sound([
				[254, long, [1]],
				[330, long, [8]],
			]),
		],
		['that is a DNG', sound([[50_706, 1, [1, 4, 0, 0]]])],
		[
			'that holds the values of a sensor',
			oddTiff({ width: 8, height: 8, photometric: 'sensor', bits: 16, samples: 1, value: () => 9 }),
		],
	])("refuses a camera's raw file %s", async (_what, file) => {
		const error = await thrownBy(() => inspectHead(file.subarray(0, 4_100)));
		expect(error.code).toBe('unsupported-type');
		expect(error.message).toMatch(/ but the bytes are (image\/x-adobe-dng|a camera's raw file)\.$/);
	});
});

/** The same TIFF with its directory before everything else, as Nikon's files have it: 28 tags and a first tag 254 there are file-type's sign of one. */
function withDirectoryFirst(file: Buffer): Buffer {
	const directory = file.readUInt32LE(4);
	const copy = file.subarray(directory);
	const moved = Buffer.concat([file.subarray(0, 8), copy, file.subarray(8)]);
	moved.writeUInt32LE(8, 4);
	for (let entry = 10; entry < 8 + copy.length - 4; entry += 12) {
		const [tag, type, count] = [
			moved.readUInt16LE(entry),
			moved.readUInt16LE(entry + 2),
			moved.readUInt32LE(entry + 4),
		];
		const isPlace = tag === 273 || count * (type === 3 ? 2 : 4) > 4;
		if (isPlace) moved.writeUInt32LE(moved.readUInt32LE(entry + 8) + copy.length, entry + 8);
	}
	return moved;
}

describe('an SVG, if accepted', () => {
	it.each([
		'<svg xmlns="http://www.w3.org/2000/svg"/>',
		'\ufeff<?xml version="1.0"?>\n<!-- x -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">\n<svg/>',
	])('is detected by its bytes: %j', async (text) => {
		expect(await inspectHead(Buffer.from(text), true)).toEqual({ type: 'image/svg+xml', extension: 'svg' });
	});

	it('does not change the detection of other types', async () => {
		const file = await photograph({ width: 64, height: 48 });
		expect(await inspectHead(file.subarray(0, 4_100), true)).toEqual({ type: 'image/jpeg', extension: 'jpg' });
		const error = await thrownBy(() => inspectHead(Buffer.from('<html><svg/></html>'), true));
		expect(error.code).toBe('unsupported-type');
	});
});

describe('readHead', () => {
	/** The bytes in chunks of a size, and how many were asked for. */
	function chunked(bytes: Buffer, size: number) {
		const state = { taken: 0 };
		async function* chunks() {
			for (let start = 0; start < bytes.length; start += size) {
				state.taken++;
				yield bytes.subarray(start, start + size);
			}
		}
		return { state, chunks: chunks() };
	}

	async function collect(body: AsyncIterable<Buffer>): Promise<Buffer> {
		const chunks: Buffer[] = [];
		for await (const chunk of body) chunks.push(chunk);
		return Buffer.concat(chunks);
	}

	it.each([1, 7, 1_000, 4_099, 4_100, 4_101, 65_536])('returns every byte of a body in chunks of %i', async (size) => {
		const bytes = randomBytes(10_000);
		const { chunks, state } = chunked(bytes, size);
		const { head, rest } = await readHead(chunks);
		expect(head.length).toBeGreaterThanOrEqual(4_100);
		expect(head.equals(bytes.subarray(0, head.length))).toBe(true);
		// Not one chunk more than it takes.
		expect(state.taken).toBe(Math.ceil(4_100 / size));
		expect((await collect(rest)).equals(bytes)).toBe(true);
	});

	it.each([1, 100, 65_536])('reads on where an SVG begins with a long comment, in chunks of %i', async (size) => {
		const svg = Buffer.from(
			`<?xml version="1.0"?>\n<!-- ${'licence '.repeat(7_500)} -->\n<svg xmlns="http://www.w3.org/2000/svg"/>`,
		);
		const { head, rest } = await readHead(chunked(svg, size).chunks);
		expect(await inspectHead(head, true)).toEqual({ type: 'image/svg+xml', extension: 'svg' });
		expect((await collect(rest)).equals(svg)).toBe(true);
		// Not for ever, and not where it cannot become one.
		const endless = Buffer.concat([Buffer.from('<!-- '), Buffer.alloc(200_000, 'x')]);
		expect((await readHead(chunked(endless, size).chunks)).head.length).toBeLessThan(65_536 + size + 1);
		const html = Buffer.concat([Buffer.from('<!doctype html><p>'), Buffer.alloc(200_000, 'x')]);
		expect((await readHead(chunked(html, 100).chunks)).head.length).toBe(4_100);
	});

	it.each([0, 1, 4_099])('returns a body of %i bytes unchanged', async (length) => {
		const bytes = randomBytes(length);
		const { head, rest } = await readHead(chunked(bytes, 512).chunks);
		expect(head.equals(bytes)).toBe(true);
		expect((await collect(rest)).equals(bytes)).toBe(true);
	});

	it('passes on the error of a body, from the head and from the rest', async () => {
		async function* failing(after: number) {
			for (let count = 0; count < after; count++) yield randomBytes(1_000);
			throw new Error('the client left');
		}
		await expect(readHead(failing(2))).rejects.toThrow('the client left');
		const { rest } = await readHead(failing(7));
		await expect(collect(rest)).rejects.toThrow('the client left');
	});
});
