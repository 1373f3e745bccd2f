import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { inspect } from '../../../src/pipeline/inspect/inspect.ts';
import { box, nclx, withCodes, withProperty, withReference } from '../../helpers/boxes.ts';
import { curves, inSrgb, type toLinearSrgb } from '../../helpers/colours.ts';
import { photograph, pngChunk, profileOf, sharedCase, sharedPictures } from '../../helpers/pictures.ts';
import { limits, make, one } from '../make.ts';

/** Greys and colours, dark and bright, dull and saturated. */
const patches = [
	...[0, 5, 20, 64, 128, 192, 255].map((grey) => [grey, grey, grey] as const),
	[220, 30, 30],
	[30, 180, 60],
	[20, 40, 200],
	[200, 180, 40],
	[90, 70, 60],
] as const;

/** Pixels to a side of a patch. */
const side = 16;
const width = patches.length * side;

/** A row of patches. @param scale what 255 becomes is 255 times this */
function row(scale: number): Uint8Array | Uint16Array {
	const values = Array.from({ length: side * width }, (_, at) => patches[Math.floor((at % width) / side)] ?? []).flat();
	return scale === 1 ? Uint8Array.from(values) : Uint16Array.from(values, (value) => value * scale);
}

type Depth = 8 | 16;

async function png(depth: Depth, ...chunks: readonly Buffer[]): Promise<Buffer> {
	const image = sharp(row(depth === 8 ? 1 : 257), { raw: { width, height: side, channels: 3 } });
	const file = await (depth === 8 ? image : image.toColourspace('rgb16')).png().toBuffer();
	return withChunks(file, ...chunks);
}

/** Chunks after the header. */
function withChunks(file: Buffer, ...chunks: readonly Buffer[]): Buffer {
	return Buffer.concat([file.subarray(0, 33), ...chunks, file.subarray(33)]);
}

async function avif(bitdepth: 8 | 10 | 12): Promise<Buffer> {
	const image = sharp(row(bitdepth === 8 ? 1 : 257), { raw: { width, height: side, channels: 3 } });
	return (bitdepth === 8 ? image : image.toColourspace('rgb16')).avif({ lossless: true, bitdepth }).toBuffer();
}

const cICP = (primaries: number, transfer: number, matrix = 0, isFull = 1) =>
	pngChunk('cICP', Buffer.from([primaries, transfer, matrix, isFull]));
const gAMA = (gamma: number) => pngChunk('gAMA', uint32(gamma * 1e5));
const cHRM = (...numbers: readonly number[]) => pngChunk('cHRM', uint32(...numbers.map((one) => one * 1e5)));
const sRGB = pngChunk('sRGB', Buffer.from([0]));
const srgbChromaticities = [0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06];
const p3Chromaticities = [0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06];

function uint32(...numbers: readonly number[]): Buffer {
	const bytes = Buffer.alloc(numbers.length * 4);
	for (const [index, value] of numbers.entries()) bytes.writeUInt32BE(Math.round(value), index * 4);
	return bytes;
}

async function made(file: Buffer, variant: object = {}): Promise<Buffer> {
	const outputs = await make(file, { variants: { only: { encode: [{ png: {} }], ...variant } } });
	return outputs.variant('only').data;
}

/** The middle of each patch. */
async function patchesOf(file: Buffer): Promise<number[][]> {
	const { data, info } = await sharp(file, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
	const step = info.width / patches.length;
	return patches.map((_, index) => {
		const at = ((info.height >> 1) * info.width + Math.floor((index + 0.5) * step)) * info.channels;
		return [...data.subarray(at, at + 3)];
	});
}

function expectNear(found: readonly number[][], expected: readonly (readonly number[])[], most: number): void {
	for (const [index, colour] of found.entries())
		for (const [channel, value] of colour.entries())
			expect(
				Math.abs(value - (expected[index]?.[channel] ?? 0)),
				`${patches[index]} became ${colour} instead of ${expected[index]}`,
			).toBeLessThanOrEqual(most);
}

function shown(curve: keyof typeof curves, primaries: keyof typeof toLinearSrgb = 'bt709'): number[][] {
	return patches.map(([r, g, b]) => inSrgb([r / 255, g / 255, b / 255], curves[curve], primaries));
}

const primaries = [
	[1, 'bt709'],
	[12, 'displayP3'],
	[9, 'bt2020'],
] as const;
const transfers = [
	[13, 'srgb'],
	[1, 'display'],
	[4, 'gamma22'],
	[5, 'gamma28'],
	[7, 'smpte240'],
	[8, 'linear'],
	[17, 'smpte428'],
] as const;
const combinations = primaries.flatMap(([space, name]) =>
	transfers.map(([code, curve]) => ({ space, name, code, curve })),
);

describe('colours without a profile', () => {
	it.each(combinations)('are those of cICP: $name, $curve', async ({ space, name, code, curve }) => {
		for (const depth of [8, 16] as const) {
			const file = await png(depth, cICP(space, code));
			expectNear(await patchesOf(await made(file)), shown(curve, name), 2);
		}
	});

	it.each(combinations)('are those of nclx: $name, $curve', async ({ space, name, code, curve }) => {
		// Browsers show television curves as sRGB.
		const expected = shown(curve === 'display' ? 'srgb' : curve, name);
		for (const bits of [8, 10, 12] as const) {
			// 10 bits are a third of a step of 8 bits apart, which is more than a step in the dark tones of linear light.
			const isCoarse = bits === 10 && curve === 'linear';
			expectNear(await patchesOf(await made(withCodes(await avif(bits), space, code))), expected, isCoarse ? 6 : 3);
		}
	});

	it('are those of gAMA and cHRM', async () => {
		for (const depth of [8, 16] as const) {
			expectNear(await patchesOf(await made(await png(depth, gAMA(1)))), shown('linear'), 2);
			const wide = await png(depth, gAMA(1 / 2.2), cHRM(...p3Chromaticities));
			expectNear(await patchesOf(await made(wide)), shown('gamma22', 'displayP3'), 2);
			const usual = await png(depth, gAMA(0.45455), cHRM(...srgbChromaticities));
			expectNear(await patchesOf(await made(usual)), shown('gamma22'), 2);
		}
	});

	it.each([
		['cICP of sRGB', [cICP(1, 13)]],
		['gAMA as for sRGB, without cHRM', [gAMA(0.45455)]],
		['cHRM without gAMA', [cHRM(...p3Chromaticities)]],
		['sRGB before gAMA and cHRM', [sRGB, gAMA(1), cHRM(...p3Chromaticities)]],
		['a gamma of zero', [gAMA(0)]],
		['an impossible gamma', [gAMA(0.00001)]],
		['primaries that are one point', [gAMA(1), cHRM(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)]],
		['primaries far outside', [gAMA(1), cHRM(0.3127, 0.329, 20, 20, 0.3, 0.6, 0.15, 0.06)]],
		['cICP with unknown primaries', [cICP(3, 13)]],
		['cICP with an unknown curve', [cICP(12, 2)]],
		['cICP of values with a narrow range', [cICP(12, 13, 0, 0)]],
		['cICP that is too short', [pngChunk('cICP', Buffer.from([12, 13, 0]))]],
	])('are sRGB: %s', async (_name, chunks) => {
		expectNear(await patchesOf(await made(await png(8, ...chunks))), patches, 0);
	});

	it.each([
		[1, 1],
		[1, 6],
		[1, 14],
		[1, 15],
		[2, 2],
		[0, 3],
	])('are sRGB: nclx %i/%i', async (space, code) => {
		expectNear(await patchesOf(await made(withCodes(await avif(8), space, code))), patches, 0);
	});

	it('are those of cICP, and not of a profile', async () => {
		const p3 = await sharp(await png(8))
			.withIccProfile('p3')
			.png()
			.toBuffer();
		const numbers = await patchesOf(p3);
		expectNear(await patchesOf(await made(withChunks(p3, cICP(1, 13)))), numbers, 0);
		expectNear(await patchesOf(await made(withChunks(p3, cICP(1, 8)))), linear(numbers), 2);
		// A profile counts more than the other chunks.
		expectNear(await patchesOf(await made(withChunks(p3, gAMA(1)))), patches, 2);
	});

	it('are those of a profile, and not of nclx', async () => {
		const p3 = await sharp(await png(8))
			.withIccProfile('p3')
			.avif({ lossless: true })
			.toBuffer();
		const both = withProperty(p3, nclx(1, 8));
		expect(both.includes('colrnclx')).toBe(true);
		expectNear(await patchesOf(await made(both)), patches, 3);
	});

	it('stay as they are with `keep`, with a profile that says what they mean', async () => {
		for (const file of [await png(8, cICP(9, 4)), withCodes(await avif(8), 9, 4)]) {
			const kept = await made(file, { colour: 'keep' });
			expectNear(await patchesOf(kept), patches, 0);
			const asRead = await sharp(kept).toColourspace('srgb').raw().toBuffer();
			expect(asRead.length).toBeGreaterThan(0);
			expectNear(
				await patchesOf(await sharp(kept).toColourspace('srgb').png().toBuffer()),
				shown('gamma22', 'bt2020'),
				4,
			);
		}
	});

	it('become those of Display P3 with `p3`', async () => {
		const { data, info } = await sharp(await made(await png(8, cICP(12, 13)), { colour: 'p3' }), { ignoreIcc: true })
			.raw()
			.toBuffer({ resolveWithObject: true });
		expect(info.channels).toBe(3);
		expect(Math.max(...[...data].map((value, at) => Math.abs(value - (row(1)[at] ?? 0))))).toBeLessThanOrEqual(1);
		const linearP3 = await made(await png(16, cICP(12, 8)), { colour: 'p3' });
		expect((await sharp(linearP3).metadata()).icc).toEqual(await profileOf('p3'));
		expectNear(await patchesOf(linearP3), linear(patches), 3);
	});

	it('of grey pictures and transparent ones', async () => {
		const first = Buffer.from(row(1).filter((_, at) => at % 3 === 0));
		const raw = { width, height: side, channels: 1 } as const;
		const grey = await sharp(first, { raw }).toColourspace('b-w').png().toBuffer();
		expect((await sharp(grey).metadata()).space).toBe('b-w');
		expectNear(
			await patchesOf(await made(withChunks(grey, gAMA(1)))),
			linear(patches.map(([value]) => [value, value, value])),
			2,
		);
		for (const depth of [8, 16] as const) {
			const veiled = await sharp(await png(depth))
				.ensureAlpha(0.5)
				.toColourspace(depth === 8 ? 'srgb' : 'rgb16')
				.png()
				.toBuffer();
			const seen = await made(withChunks(veiled, cICP(12, 8)));
			expectNear(await patchesOf(seen), shown('linear', 'displayP3'), 2);
			const { channels } = await sharp(seen).stats();
			expect(channels[3]?.mean).toBeCloseTo(128, -0.5);
		}
	});

	it('are right in every variant, scaled or cropped', async () => {
		const file = await png(8, cICP(12, 13));
		const outputs = await make(file, {
			variants: {
				small: { steps: [{ resize: { width: width / 2 } }], encode: [{ png: {} }] },
				again: { from: 'small', steps: [{ flip: {} }], encode: [{ png: {} }] },
				whole: { encode: [{ png: {} }] },
			},
		});
		for (const name of ['small', 'again', 'whole'])
			expectNear(await patchesOf(outputs.variant(name).data), shown('srgb', 'displayP3'), 3);
	});

	it.each(['jpeg', 'webp'] as const)('are not those of EXIF, which browsers ignore, too: %s', async (format) => {
		const plain = sharp(row(1), { raw: { width, height: side, channels: 3 } });
		const [without, ...others] = await Promise.all(
			[undefined, '1', '2', '65535'].map(async (ColorSpace) => {
				const image = plain.clone().toFormat(format, { quality: 95 });
				const exif = { IFD2: { ColorSpace: ColorSpace ?? '' }, IFD4: { InteroperabilityIndex: 'R03' } };
				return patchesOf(await made(await (ColorSpace ? image.withExif(exif) : image).toBuffer()));
			}),
		);
		for (const one of others) expect(one).toEqual(without);
	});

	it('cost a picture in sRGB nothing', async () => {
		for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
			const file = await photograph({ width: 60, height: 40, format });
			const { profile, byMatrix, hdr, isDeepWithProfile } = await inspect(file, limits);
			expect([profile, byMatrix, hdr, isDeepWithProfile ?? false]).toEqual([undefined, undefined, undefined, false]);
		}
	});

	const [heic] = sharedPictures('heic', /cheers/);
	it.skipIf(!heic)('are those of nclx in HEIC', async () => {
		const file = await readFile(heic?.path ?? '');
		const small = one([{ resize: { width: 60 } }], [{ png: {} }]);
		const [plain, wide, linearLight] = await Promise.all(
			[withProperty(file, nclx(1, 13, 6)), withProperty(file, nclx(12, 13, 6)), withProperty(file, nclx(1, 8, 6))].map(
				async (picture) =>
					sharp((await make(picture, small)).variant('only').data)
						.raw()
						.toBuffer(),
			),
		);
		if (!plain || !wide || !linearLight) throw new TypeError('Expected three pictures.');
		let [most, mostOfLinear] = [0, 0];
		for (let at = 0; at < plain.length; at += 3) {
			const share = (channel: number) => (plain[at + channel] ?? 0) / 255;
			const values = [share(0), share(1), share(2)] as const;
			const p3 = inSrgb(values, curves.srgb, 'displayP3');
			const lit = inSrgb(values, curves.linear);
			for (const channel of [0, 1, 2]) {
				most = Math.max(most, Math.abs((p3[channel] ?? 0) - (wide[at + channel] ?? 0)));
				mostOfLinear = Math.max(mostOfLinear, Math.abs((lit[channel] ?? 0) - (linearLight[at + channel] ?? 0)));
			}
		}
		expect(most).toBeLessThanOrEqual(1);
		expect(mostOfLinear).toBeLessThanOrEqual(1);
	});

	it.each([
		['a_cicp_p3.avif', [220, 30, 30], [241, 0, 0]],
		['a_cicp_p3.avif', [30, 180, 60], [0, 183, 28]],
		['p_cicp_p3.png', [220, 30, 30], [241, 0, 0]],
		['p_cicp_p3.png', [30, 180, 60], [0, 183, 28]],
		['p_gama1.png', [220, 30, 30], [239, 96, 96]],
	])('are right in %s: %o', async (name, stored, right) => {
		const path = sharedCase(name);
		if (!path) return expect(process.env.TEST_ALONE ?? 'no folder').toBeTruthy();
		const file = await readFile(path);
		const numbers = await sharp(file).toColourspace('srgb').raw().toBuffer();
		const seen = await sharp(await made(file))
			.raw()
			.toBuffer();
		let found = 0;
		const sum = [0, 0, 0];
		for (let at = 0; at < numbers.length; at += 3) {
			// The AVIF is not lossless.
			if (!stored.every((value, channel) => Math.abs((numbers[at + channel] ?? 0) - value) <= 1)) continue;
			found++;
			for (const channel of [0, 1, 2]) sum[channel] = (sum[channel] ?? 0) + (seen[at + channel] ?? 0);
		}
		expectNear([sum.map((one) => one / found)], [right], 3);
		expect(found).toBeGreaterThan(100);
	});
});

function linear(values: readonly (readonly number[])[]): number[][] {
	return values.map(([r = 0, g = 0, b = 0]) => inSrgb([r / 255, g / 255, b / 255], curves.linear));
}

describe('premultiplied alpha', () => {
	/** A lossless AVIF of one colour and rising alpha, from 20 to 255. */
	async function veil(colour: readonly number[], isMultiplied: boolean): Promise<Buffer> {
		const data = Buffer.alloc(64 * 16 * 4);
		for (let pixel = 0; pixel < 64 * 16; pixel++) {
			const alpha = 20 + Math.round(((pixel % 64) * 235) / 63);
			for (const [channel, value] of colour.entries())
				data[pixel * 4 + channel] = isMultiplied ? Math.round((value * alpha) / 255) : value;
			data[pixel * 4 + 3] = alpha;
		}
		return sharp(data, { raw: { width: 64, height: 16, channels: 4 } })
			.avif({ lossless: true })
			.toBuffer();
	}

	it('is undone, before anything is scaled', async () => {
		const colour = [220, 30, 90];
		const file = withReference(await veil(colour, true), 'prem', 1, 2);
		expect((await inspect(file, limits)).isPremultiplied).toBe(true);
		for (const steps of [[], [{ resize: { width: 32 } }]]) {
			const { data } = (await make(file, one(steps, [{ png: {} }]))).variant('only');
			const { data: plain } = (await make(await veil(colour, false), one(steps, [{ png: {} }]))).variant('only');
			const [found, right] = await Promise.all([data, plain].map((one) => sharp(one).raw().toBuffer()));
			for (const [at, value] of (found ?? []).entries()) {
				// A rounded value of faint alpha is less exact.
				const alpha = found?.[at - (at % 4) + 3] ?? 255;
				expect(Math.abs(value - (right?.[at] ?? 0))).toBeLessThanOrEqual(3 + Math.ceil(128 / alpha));
			}
		}
	});

	it('is undone before colours are converted', async () => {
		const file = withCodes(withReference(await veil([220, 30, 30], true), 'prem', 1, 2), 12, 13);
		const { data } = (await make(file, one([], [{ png: {} }]))).variant('only');
		const pixels = await sharp(data).raw().toBuffer();
		const [red = 0, green = 0, blue = 0] = pixels.subarray(63 * 4);
		expectNear([[red, green, blue]], [[241, 0, 0]], 3);
	});

	it('is left alone where the file does not say so', async () => {
		expect((await inspect(await veil([220, 30, 90], false), limits)).isPremultiplied).toBe(false);
		const other = withReference(await veil([220, 30, 90], false), 'prem', 2, 1);
		expect((await inspect(other, limits)).isPremultiplied).toBe(false);
		expect(box('prem', Buffer.alloc(0))).toHaveLength(8);
	});

	it('is undone in a file of libavif', async () => {
		const path = sharedCase('a_premul.avif');
		if (!path) return expect(process.env.TEST_ALONE ?? 'no folder').toBeTruthy();
		const pixels = await sharp(await made(await readFile(path)))
			.raw()
			.toBuffer();
		const faint: number[][] = [];
		for (let at = 0; at < pixels.length; at += 4) {
			const [red = 0, green = 0, blue = 0, alpha = 0] = pixels.subarray(at, at + 4);
			if (alpha >= 25 && alpha <= 42 && red > 150 && green < 90 && blue < 90) faint.push([red, green, blue]);
		}
		expect(faint.length).toBeGreaterThan(20);
		const mean = [0, 1, 2].map((channel) => faint.reduce((sum, one) => sum + (one[channel] ?? 0), 0) / faint.length);
		for (const [channel, value] of [220, 30, 30].entries())
			expect(Math.abs((mean[channel] ?? 0) - value), `${mean}`).toBeLessThanOrEqual(6);
	});
});
