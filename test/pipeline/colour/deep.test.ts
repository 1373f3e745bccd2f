import { readFile } from 'node:fs/promises';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { primariesByCode } from '../../../src/pipeline/colour/description.ts';
import { describedProfile } from '../../../src/pipeline/colour/matrix-profile.ts';
import { tiffWithProfile } from '../../../src/pipeline/colour/profile.ts';
import { uncompressedTiff } from '../../../src/pipeline/pixels/pixels.ts';
import { curves, inSrgb, type toLinearSrgb } from '../../helpers/colours.ts';
import { pngChunk, profileOf, sharedCase } from '../../helpers/pictures.ts';
import { make, one } from '../make.ts';

async function seen(file: Buffer, steps: readonly unknown[] = []): Promise<Buffer> {
	return sharp((await make(file, one(steps, [{ png: {} }]))).variant('only').data)
		.raw()
		.toBuffer();
}

/** Colours through the whole cube, with 16 bits per channel. */
const colours = [0, 0.02, 0.1, 0.33, 0.5, 0.77, 1].flatMap((red) =>
	[0, 0.1, 0.4, 0.7, 1].flatMap((green) => [0, 0.05, 0.5, 0.9, 1].map((blue) => [red, green, blue] as const)),
);

function deepTiff(profile: Buffer): Buffer {
	const data = Buffer.alloc(colours.length * 6);
	for (const [at, value] of colours.flat().entries()) data.writeUInt16LE(Math.round(value * 0xffff), at * 2);
	return tiffWithProfile({ data, width: colours.length, height: 1, channels: 3 }, profile, 16);
}

function profile(primaries: number, gamma: number): Buffer {
	const made = describedProfile({ primaries: primariesByCode[primaries] as never, transfer: { gamma } });
	if (!made) throw new TypeError('Expected a profile.');
	return made;
}

describe('16 bits per channel with a profile', () => {
	it.each([
		['Display P3', () => profileOf('p3'), 'srgb', 'displayP3'],
		['sRGB', () => profileOf('srgb'), 'srgb', 'bt709'],
		['linear light', async () => profile(1, 1), 'linear', 'bt709'],
		['Display P3 with a gamma', async () => profile(12, 2.2), 'gamma22', 'displayP3'],
		['BT.2020, most of which sRGB lacks', async () => profile(9, 2.2), 'gamma22', 'bt2020'],
	] as const)('are converted as the formulas have it: %s', async (_name, icc, curve, primaries) => {
		const found = await seen(deepTiff(await icc()));
		const expected = colours.flatMap((colour) => inSrgb(colour, curves[curve], primaries as keyof typeof toLinearSrgb));
		expect(found).toHaveLength(expected.length);
		for (const [at, value] of expected.entries())
			expect(Math.abs((found[at] ?? 0) - value), `${colours[Math.floor(at / 3)]}`).toBeLessThanOrEqual(2);
	});

	it.each([
		['Display P3', () => profileOf('p3')],
		['sRGB', () => profileOf('srgb')],
		['linear light', async () => profile(1, 1)],
		['BT.2020', async () => profile(9, 2.2)],
	] as const)('are converted as littleCMS converts 8 bits: %s', async (_name, make) => {
		const icc = await make();
		const shape = { width: colours.length, height: 1, channels: 3 } as const;
		const shallow = Buffer.from(colours.flat().map((value) => Math.round(value * 255)));
		const deep = Buffer.alloc(shallow.length * 2);
		for (const [at, value] of shallow.entries()) deep.writeUInt16LE(value * 257, at * 2);
		const found = await seen(tiffWithProfile({ data: deep, ...shape }, icc, 16));
		const right = await sharp(tiffWithProfile({ data: shallow, ...shape }, icc))
			.toColourspace('srgb')
			.raw()
			.toBuffer();
		for (const [at, value] of right.entries())
			expect(Math.abs((found[at] ?? 0) - value), `${colours[Math.floor(at / 3)]}`).toBeLessThanOrEqual(2);
	});

	it.each([
		['without curves', Buffer.from('rTRC')],
		['without a matrix', Buffer.from('rXYZ')],
		['without its signature', Buffer.from('acsp')],
	])('are sRGB if the profile is damaged: %s', async (_name, lost) => {
		const damaged = Buffer.from(await profileOf('p3'));
		damaged.fill(0x2a, damaged.indexOf(lost), damaged.indexOf(lost) + 4);
		const found = await seen(deepTiff(damaged));
		for (const [at, value] of colours.flat().entries())
			expect(Math.abs((found[at] ?? 0) - value * 255), `${colours[Math.floor(at / 3)]}`).toBeLessThanOrEqual(1);
	});

	it('are converted by profiles of any size', async () => {
		// Padding between tags changes nothing (ICC.1:2022, 7.3).
		const p3 = await profileOf('p3');
		const large = Buffer.concat([p3, Buffer.alloc(1_100_000)]);
		large.writeUInt32BE(large.length, 0);
		const found = await seen(deepTiff(large));
		// lcms approximates dark tones of saturated colours.
		for (const [at, value] of (await seen(deepTiff(p3))).entries())
			expect(Math.abs((found[at] ?? 0) - value), `${colours[Math.floor(at / 3)]}`).toBeLessThanOrEqual(6);
	});

	it.each([
		['grey values with a profile of colours', 'grey16', () => profileOf('p3')],
		['colours with a profile of grey values', 'rgb16', async () => greyProfile(1)],
	] as const)('are left alone: %s', async (_name, space, icc) => {
		const channels = space === 'grey16' ? 1 : 3;
		const data = Buffer.alloc(256 * channels * 2);
		for (let at = 0; at < 256 * channels; at++) data.writeUInt16LE(Math.floor(at / channels) * 257, at * 2);
		const photometric = channels === 1 ? 1 : 2;
		const shape = { width: 256, height: 1, channels, bits: 16, photometric, alpha: 'none' } as const;
		const found = await seen(uncompressedTiff({ data, ...shape, profile: await icc() }));
		for (let at = 0; at < 256 * 3; at++) expect(Math.abs((found[at] ?? 0) - Math.floor(at / 3))).toBeLessThanOrEqual(1);
	});

	it('keep their alpha', async () => {
		const raw = new Uint16Array(4 * 4 * 4).map((_, at) => (at % 4 === 3 ? 128 * 257 : 0x6000));
		const file = await sharp(raw, { raw: { width: 4, height: 4, channels: 4 } })
			.toColourspace('rgb16')
			.withIccProfile('p3')
			.png()
			.toBuffer();
		expect([...(await seen(file))].filter((_, at) => at % 4 === 3)).toEqual(Array.from({ length: 16 }, () => 128));
	});
});

/** A grey profile of a gamma (ICC.1:2022, 8.3.4): white point and curve. */
function greyProfile(gamma: number): Buffer {
	const header = Buffer.alloc(128);
	header.writeUInt32BE(0x02100000, 8);
	header.write('mntrGRAYXYZ ', 12, 'latin1');
	header.write('acsp', 36, 'latin1');
	const d50 = Buffer.from('0000f6d6000100000000d32d', 'hex');
	d50.copy(header, 68);
	const white = Buffer.concat([Buffer.from('XYZ \0\0\0\0', 'latin1'), d50]);
	const curve = Buffer.concat([Buffer.from('curv\0\0\0\0\0\0\0\x01', 'latin1'), Buffer.alloc(4)]);
	curve.writeUInt16BE(Math.round(gamma * 256), 12);
	const table = Buffer.alloc(4 + 2 * 12);
	table.writeUInt32BE(2, 0);
	for (const [index, [name, at, data]] of (
		[
			['wtpt', 156, white],
			['kTRC', 176, curve],
		] as const
	).entries()) {
		table.write(name, 4 + index * 12, 'latin1');
		table.writeUInt32BE(at, 8 + index * 12);
		table.writeUInt32BE(index === 0 ? data.length : 14, 12 + index * 12);
	}
	const made = Buffer.concat([header, table, white, curve]);
	made.writeUInt32BE(made.length, 0);
	return made;
}

async function greyRamp(depth: 8 | 16, gamma: number, alpha = false): Promise<Buffer> {
	const channels = alpha ? 2 : 1;
	const values = Array.from({ length: 256 * channels }, (_, at) =>
		alpha && at % 2 === 1 ? 128 : Math.floor(at / channels),
	);
	const raw = { width: 256, height: 1, channels } as const;
	const data = depth === 8 ? Uint8Array.from(values) : Uint16Array.from(values, (value) => value * 257);
	const png = await sharp(data, { raw })
		.toColourspace(depth === 8 ? 'b-w' : 'grey16')
		.png()
		.toBuffer();
	const icc = Buffer.concat([Buffer.from('grey\0\0', 'latin1'), deflateSync(greyProfile(gamma))]);
	return Buffer.concat([png.subarray(0, 33), pngChunk('iCCP', icc), png.subarray(33)]);
}

describe('grey with a profile', () => {
	it.each([
		[8, 2.2],
		[16, 2.2],
		[8, 1],
		[16, 1],
	] as const)('of %i bits is converted: gamma %d', async (depth, gamma) => {
		const file = await greyRamp(depth, gamma);
		expect(await sharp(file).metadata()).toMatchObject({ hasProfile: true, depth: depth === 8 ? 'uchar' : 'ushort' });
		const found = await seen(file);
		for (let grey = depth === 8 && gamma === 1 ? 16 : 0; grey < 256; grey++) {
			const [right = 0] = inSrgb([grey / 255, 0, 0], (value) => value ** gamma);
			for (const channel of [0, 1, 2])
				expect(Math.abs((found[grey * 3 + channel] ?? 0) - right), `${grey}`).toBeLessThanOrEqual(2);
		}
	});

	it('of 16 bits keeps its alpha', async () => {
		const found = await seen(await greyRamp(16, 1, true));
		expect(found).toHaveLength(256 * 4);
		expect([...found.subarray(128 * 4, 129 * 4)]).toEqual([188, 188, 188, 128]);
	});

	it('of 16 bits is scaled alike', async () => {
		const found = await seen(await greyRamp(16, 1), [{ resize: { width: 64 } }]);
		const [right = 0] = inSrgb([(32 * 4 + 1.5) / 255, 0, 0], curves.linear);
		expect(Math.abs((found[32 * 3] ?? 0) - right)).toBeLessThanOrEqual(3);
	});

	it('is right in a file of littleCMS', async () => {
		const path = sharedCase('icc_gray16_Gray.icc.png');
		if (!path) return expect(process.env.TEST_ALONE ?? 'no folder').toBeTruthy();
		const found = await seen(await readFile(path));
		expect([64, 128, 192].map((grey) => found[grey * 3])).toEqual([137, 188, 225]);
	});
});

describe('CMYK without a profile', () => {
	const inks = [
		[0, 0, 0, 0],
		[0, 0, 0, 255],
		[0, 0, 0, 128],
		[255, 0, 0, 0],
		[0, 255, 0, 0],
		[0, 0, 255, 0],
		[255, 255, 255, 255],
		[60, 120, 200, 40],
	] as const;
	const side = 16;

	function cmykTiff(bits: 8 | 16): Buffer {
		const values = Array.from({ length: side }, () =>
			inks.flatMap((ink) => Array.from({ length: side }, () => ink).flat()),
		).flat();
		const data =
			bits === 8 ? Buffer.from(values) : Buffer.from(Uint16Array.from(values, (value) => value * 257).buffer);
		const size = { width: side * inks.length, height: side, channels: 4 } as const;
		return uncompressedTiff({ data, ...size, bits, photometric: 5, alpha: 'none' });
	}

	it.each(['tiff', '16-bit tiff', 'jpeg'] as const)(
		'is each ink taken from white, and black is black: %s',
		async (format) => {
			const tiff = cmykTiff(format === '16-bit tiff' ? 16 : 8);
			const file =
				format !== 'jpeg'
					? tiff
					: await sharp(tiff)
							.pipelineColourspace('cmyk')
							.toColourspace('cmyk')
							.jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
							.toBuffer();
			expect(await sharp(file).metadata()).toMatchObject({ space: 'cmyk', hasProfile: false });
			for (const steps of [[], [{ resize: { width: (side * inks.length) / 2 } }]]) {
				const found = await seen(file, steps);
				const step = found.length / 3 / (steps.length > 0 ? side / 2 : side) / inks.length;
				for (const [index, [c, m, y, k]] of inks.entries()) {
					const at = Math.floor((index + 0.5) * step) * 3;
					for (const [channel, ink] of [c, m, y].entries()) {
						const right = ((255 - ink) * (255 - k)) / 255;
						expect(Math.abs((found[at + channel] ?? 0) - right), `${index} ${channel}`).toBeLessThanOrEqual(3);
					}
				}
			}
		},
	);
});
