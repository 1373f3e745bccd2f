import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import sharp, { type Metadata } from 'sharp';
import { describe, expect, it } from 'vitest';
import { jfifDensity, readJpegHeader } from '../../../src/pipeline/inspect/jpeg-header.ts';
import { photograph, sharedPictures, withComment } from '../../helpers/pictures.ts';
import { propertyRuns } from '../../helpers/thoroughness.ts';

/** What sharp says of what is asked. */
function asked(metadata: Metadata): object {
	const { width, height, autoOrient, pages, hasAlpha, orientation, space, depth, hasProfile, exif, xmp, icc } =
		metadata;
	const all = { width, height, autoOrient, pages, hasAlpha, orientation, space, depth, hasProfile, exif, xmp, icc };
	return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

async function plain(): Promise<Buffer> {
	return photograph({ width: 64, height: 48, gps: true, icc: 'p3', orientation: 6 });
}

/** Puts a segment behind the start of the image. */
function withSegment(file: Buffer, marker: number, content: string): Buffer {
	const length = Buffer.alloc(2);
	length.writeUInt16BE(content.length + 2);
	const segment = [Buffer.from([0xff, marker]), length, Buffer.from(content, 'latin1')];
	return Buffer.concat([file.subarray(0, 2), ...segment, file.subarray(2)]);
}

async function withOrientationOfType(type: number): Promise<Buffer> {
	const file = Buffer.from(await plain());
	const at = file.indexOf(Buffer.from([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0]));
	expect(at).toBeGreaterThan(0);
	file[at + 2] = type;
	expect((await sharp(file).metadata()).orientation).toBe(6);
	return file;
}

describe('the density of JFIF', () => {
	const withJfif = async (unit: number, across: number, down: number) => {
		const segment = Buffer.from('JFIF\0\x01\x01\0\0\0\0\0\0\0', 'latin1');
		segment[7] = unit;
		segment.writeUInt16BE(across, 8);
		segment.writeUInt16BE(down, 10);
		return withSegment(await photograph({ width: 64, height: 48 }), 0xe0, segment.toString('latin1'));
	};

	it.each([
		[1, 300, 300],
		[1, 96, 72],
		[2, 118, 118],
		[1, 26, 26],
	])('is read as sharp reads it: unit %i, %i × %i', async (unit, across, down) => {
		const file = await withJfif(unit, across, down);
		expect(jfifDensity(file)).toBe((await sharp(file).metadata()).density);
	});

	it('is unknown where the file does not say it', async () => {
		expect(jfifDensity(await photograph({ width: 64, height: 48 }))).toBeUndefined();
		expect(jfifDensity(await withJfif(0, 300, 300))).toBeUndefined();
		expect(jfifDensity(await withJfif(1, 1, 1))).toBeUndefined();
		expect(jfifDensity((await withJfif(1, 300, 300)).subarray(0, 15))).toBeUndefined();
	});
});

describe('the header of a JPEG', () => {
	it.each<[string, Partial<Parameters<typeof photograph>[0]>]>([
		['nothing beside the pixels', {}],
		['scans of a progressive one', { progressive: true }],
		['greys', { greyscale: true }],
		['a profile', { icc: 'p3' }],
	])('is read as sharp reads it: %s', async (_what, options) => {
		const file = await photograph({ width: 64, height: 48, ...options });
		expect(readJpegHeader(file)).toEqual(asked(await sharp(file).metadata()));
	});

	it.each([1, 2, 3, 4, 5, 6, 7, 8])('is read as sharp reads it: orientation %i', async (orientation) => {
		const file = await photograph({ width: 64, height: 48, orientation, gps: true });
		expect(readJpegHeader(file)).toEqual(asked(await sharp(file).metadata()));
	});

	it('has its XMP and its comment as well', async () => {
		const xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>';
		const file = withComment(
			await sharp(await plain())
				.keepMetadata()
				.withXmp(xmp)
				.jpeg()
				.toBuffer(),
			'a comment',
		);
		expect(readJpegHeader(file)?.xmp?.toString()).toBe(xmp);
		expect(readJpegHeader(file)).toEqual(asked(await sharp(file).metadata()));
	});

	it.each<[string, () => Promise<Buffer>]>([
		['two EXIF blocks', async () => withSegment(await plain(), 0xe1, 'Exif\0\0II*\0\x08\0\0\0\0\0')],
		['several pictures in one file', async () => withSegment(await plain(), 0xe2, 'MPF\0II*\0')],
		[
			'words of a gain map',
			async () => withSegment(await plain(), 0xe1, 'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>'),
		],
		['RGB without YCbCr', async () => withSegment(await plain(), 0xee, 'Adobe\0\x64\0\0\0\0\0')],
		[
			'an EXIF block that is none',
			async () => withSegment(await photograph({ width: 8, height: 8 }), 0xe1, 'Exif\0\0?'),
		],
		['CMYK', async () => photograph({ width: 64, height: 48, icc: 'cmyk' })],
		['a PNG', async () => photograph({ width: 64, height: 48, format: 'png' })],
		['two frames', async () => withSegment(await plain(), 0xc0, '\x08\0\x30\0\x40\x01\x01\x11\0')],
		// Numbers with a sign, which an orientation never is (EXIF 2.32, 4.6.2), and sharp reads all the same.
		...[6, 8].map(
			(type) =>
				[`an orientation of type ${type}`, () => withOrientationOfType(type)] satisfies [string, () => Promise<Buffer>],
		),
		[
			'a piece of a profile that lacks the others',
			async () => withSegment(await plain(), 0xe2, 'ICC_PROFILE\0\x01\x02'),
		],
	])('is left to sharp where it is out of the ordinary: %s', async (_what, file) => {
		expect(readJpegHeader(await file())).toBeUndefined();
	});

	it('is never read otherwise than sharp does, whatever is damaged', async () => {
		const file = await plain();
		const bytes = file.indexOf(Buffer.from([0xff, 0xda]));
		expect(readJpegHeader(file)).toBeDefined();
		const change = fc.record({ at: fc.nat(bytes - 1), value: fc.nat(255) });
		await fc.assert(
			fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
				const damaged = Buffer.from(file);
				for (const { at, value } of changes) damaged[at] = value;
				const read = readJpegHeader(damaged);
				// What is refused is refused by the decoder, when it comes to that.
				const metadata = await sharp(damaged, { limitInputPixels: false })
					.metadata()
					.catch(() => undefined);
				if (!read || !metadata) return;
				const { width, height, autoOrient, space } = metadata;
				expect(read).toMatchObject({ width, height, autoOrient, space });
			}),
			propertyRuns(2_000),
		);
	});

	it('is undefined of what ends before the pixels, wherever', async () => {
		const file = await plain();
		const bytes = file.indexOf(Buffer.from([0xff, 0xda]));
		for (let end = 0; end < bytes; end += 7) expect(readJpegHeader(file.subarray(0, end))).toBeUndefined();
	});

	it('is that of each photograph beside the checkout', async () => {
		for (const { path } of [...sharedPictures('photos'), ...sharedPictures('orientation')]) {
			const file = await readFile(path);
			const read = readJpegHeader(file);
			if (read) expect(read, path).toEqual(asked(await sharp(file).metadata()));
		}
	});
});
