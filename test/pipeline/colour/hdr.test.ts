import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { box, withCodes, withProperty } from '../../helpers/boxes.ts';
import { openBrowser, type TestBrowser } from '../../helpers/browser.ts';
import { pngChunk } from '../../helpers/pictures.ts';
import { make, one } from '../make.ts';

/** A cube of colours, and greys; each is a column of pixels. */
const steps = 6;
const cube = Array.from({ length: steps ** 3 }, (_, at) =>
	[Math.floor(at / steps ** 2), Math.floor(at / steps) % steps, at % steps].map((step) => step / (steps - 1)),
);
const greys = Array.from({ length: 65 }, (_, at) => [at / 64, at / 64, at / 64]);
const columns = [...cube, ...greys];
const size = { width: columns.length, height: 8, channels: 3 } as const;

function values(maximum: number): number[] {
	return Array.from({ length: size.height }, () => columns.flat().map((value) => Math.round(value * maximum))).flat();
}

const chunk = {
	pq: pngChunk('cICP', Buffer.from([9, 16, 0, 1])),
	hlg: pngChunk('cICP', Buffer.from([9, 18, 0, 1])),
	pqInP3: pngChunk('cICP', Buffer.from([12, 16, 0, 1])),
	hlgInBt709: pngChunk('cICP', Buffer.from([1, 18, 0, 1])),
	light400: lightLevel(400),
	light4000: lightLevel(4_000),
	light150: lightLevel(150),
	display600: pngChunk(
		'mDCV',
		Buffer.concat([Buffer.from('8a48390821349baa199608fc3d134042', 'hex'), uint32(600e4, 1)]),
	),
};

/** The brightest pixel and the average, in cd/m². */
function lightLevel(most: number): Buffer {
	return pngChunk('cLLI', uint32(most * 1e4, 100 * 1e4));
}

function uint32(...numbers: readonly number[]): Buffer {
	const bytes = Buffer.alloc(numbers.length * 4);
	for (const [index, value] of numbers.entries()) bytes.writeUInt32BE(value, index * 4);
	return bytes;
}

async function png(depth: 8 | 16, ...chunks: readonly (keyof typeof chunk)[]): Promise<Buffer> {
	const isDeep = depth === 16;
	const data = isDeep ? Uint16Array.from(values(0xffff)) : Uint8Array.from(values(0xff));
	const file = await sharp(data, { raw: size })
		.toColourspace(isDeep ? 'rgb16' : 'srgb')
		.png()
		.toBuffer();
	return Buffer.concat([file.subarray(0, 33), ...chunks.map((name) => chunk[name]), file.subarray(33)]);
}

async function avif(bitdepth: 8 | 10 | 12, transfer: 16 | 18): Promise<Buffer> {
	const isDeep = bitdepth > 8;
	const data = isDeep ? Uint16Array.from(values(0xffff)) : Uint8Array.from(values(0xff));
	const image = sharp(data, { raw: size }).toColourspace(isDeep ? 'rgb16' : 'srgb');
	return withCodes(await image.avif({ lossless: true, bitdepth }).toBuffer(), 9, transfer);
}

/** The first row. */
async function firstRow(file: Buffer): Promise<Buffer> {
	const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
	return data.subarray(0, info.width * 3);
}

async function made(file: Buffer): Promise<Buffer> {
	return firstRow((await make(file, one([], [{ png: {} }]))).variant('only').data);
}

describe('high dynamic range', () => {
	let browser: TestBrowser;
	beforeAll(async () => {
		browser = await openBrowser();
	});
	afterAll(() => browser?.close());

	/** What Chromium shows on a screen of sRGB. */
	async function shown(file: Buffer, type: string): Promise<Buffer> {
		const page = await browser.newPage({ viewport: { width: size.width, height: size.height } });
		await page.setContent(
			`<style>body { margin: 0 } img { display: block }</style><img src="data:${type};base64,${file.toString('base64')}">`,
		);
		await page.evaluate('document.images[0].decode()');
		const seen = await firstRow(await page.screenshot());
		await page.close();
		return seen;
	}

	const pngs: readonly (keyof typeof chunk)[][] = [
		['pq'],
		['hlg'],
		['pqInP3'],
		['hlgInBt709'],
		['pq', 'light400'],
		['pq', 'light4000'],
		['pq', 'light150'],
		['pq', 'display600'],
		['hlg', 'light400'],
	];
	it.each(pngs)('looks as in Chromium: PNG with %s %s', async (...names) => {
		for (const depth of [8, 16] as const) {
			const file = await png(depth, ...names.filter((name) => name in chunk));
			expectAlike(await made(file), await shown(file, 'image/png'));
		}
	});

	it.each([
		[8, 16],
		[10, 16],
		[12, 16],
		[8, 18],
		[10, 18],
		[12, 18],
	] as const)('looks as in Chromium: AVIF of %i bits, transfer %i', async (bits, transfer) => {
		const file = await avif(bits, transfer);
		expectAlike(await made(file), await shown(file, 'image/avif'));
	});

	it('looks as in Chromium: AVIF that names its brightest pixel', async () => {
		// 400 and 100 cd/m².
		const file = withProperty(await avif(10, 16), box('clli', Buffer.from([1, 144, 0, 100])));
		expectAlike(await made(file), await shown(file, 'image/avif'));
	});
});

/** On average within a fraction of a step of 8 bits, and nowhere more than a few. */
function expectAlike(found: Buffer, right: Buffer): void {
	expect(found).toHaveLength(right.length);
	const differences = [...found].map((value, at) => Math.abs(value - (right[at] ?? 0)));
	expect(differences.reduce((sum, one) => sum + one, 0) / differences.length).toBeLessThan(0.5);
	expect(Math.max(...differences)).toBeLessThanOrEqual(5);
	// Greys are a ramp, and no flat area.
	const ramp = [...found].slice(-greys.length * 3).filter((_, at) => at % 3 === 0);
	expect(new Set(ramp).size).toBeGreaterThan(32);
}

describe('values of high dynamic range', () => {
	/** PQ of a luminance in cd/m² (SMPTE ST 2084, 5.2). */
	function pq(luminance: number): number {
		const power = (luminance / 10_000) ** 0.1593017578125;
		return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375;
	}

	async function greyOf(value: number, ...chunks: readonly Buffer[]): Promise<number> {
		const data = new Uint16Array(3).fill(Math.round(value * 0xffff));
		const file = await sharp(data, { raw: { width: 1, height: 1, channels: 3 } })
			.toColourspace('rgb16')
			.png()
			.toBuffer();
		const described = Buffer.concat([file.subarray(0, 33), ...chunks, file.subarray(33)]);
		const { data: variant } = (await make(described, one([], [{ png: {} }]))).variant('only');
		const [red = 0, green = 0, blue = 0] = await sharp(variant).raw().toBuffer();
		expect([green, blue]).toEqual([red, red]);
		return red;
	}

	it('are black, paper white at half the light of white, and white, as SMPTE ST 2094-50 has them', async () => {
		expect(await greyOf(0, chunk.pq)).toBe(0);
		expect(await greyOf(pq(203), chunk.pq)).toBe(188);
		expect(await greyOf(pq(1_000), chunk.pq)).toBe(255);
		expect(await greyOf(1, chunk.pq)).toBe(255);
		// 203 cd/m² in HLG (ITU-R BT.2408, table 1).
		expect(Math.abs((await greyOf(0.75, chunk.hlg)) - 188)).toBeLessThanOrEqual(1);
		expect(await greyOf(1, chunk.hlg)).toBe(255);
	});

	it('below paper white are darkened alike, whatever their luminance', async () => {
		for (const luminance of [5, 20, 100]) {
			const light = (0.5 * luminance) / 203;
			const expected = 255 * (light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055);
			expect(Math.abs((await greyOf(pq(luminance), chunk.pq)) - expected)).toBeLessThanOrEqual(1);
		}
	});

	it('of a picture that is no brighter than paper stay as they are', async () => {
		expect(await greyOf(pq(203), chunk.pq, lightLevel(150))).toBe(255);
		expect(await greyOf(pq(203 / 2), chunk.pq, lightLevel(150))).toBe(188);
	});

	it('keep alpha, are scaled, and are sRGB whatever colours a recipe asks for', async () => {
		const data = new Uint16Array(16 * 16 * 4).map((_, at) => Math.round((at % 4 === 3 ? 0.5 : pq(203)) * 0xffff));
		const file = await sharp(data, { raw: { width: 16, height: 16, channels: 4 } })
			.toColourspace('rgb16')
			.png()
			.toBuffer();
		const described = Buffer.concat([file.subarray(0, 33), chunk.pq, file.subarray(33)]);
		for (const colour of ['srgb', 'p3', 'keep']) {
			const outputs = await make(described, {
				variants: { only: { colour, steps: [{ resize: { width: 8 } }], encode: [{ png: {} }] } },
			});
			const { data: variant } = outputs.variant('only');
			const { data: pixels, info } = await sharp(variant).raw().toBuffer({ resolveWithObject: true });
			expect(info).toMatchObject({ width: 8, height: 8, channels: 4 });
			for (const [channel, value] of [188, 188, 188, 128].entries())
				expect(Math.abs((pixels[channel] ?? 0) - value)).toBeLessThanOrEqual(1);
			expect((await sharp(variant).metadata()).icc).toBeUndefined();
		}
	});
});
