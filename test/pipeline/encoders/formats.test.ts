import { readFile } from 'node:fs/promises';
import heicDecode from 'heic-decode/lib.js';
import libheif from 'libheif-js/libheif-wasm/libheif-bundle.js';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Encoder, isChooser, encoders as named } from '../../../src/pipeline/encoders/index.ts';
import { inputFormats } from '../../../src/pipeline/inspect/sniff.ts';
import {
	colourDifference,
	extraTitle,
	type PhotographFormat,
	photograph,
	sharedPictures,
	similarity,
} from '../../helpers/pictures.ts';
import { make, one } from '../make.ts';

const encoders = named.filter((encoder): encoder is Encoder => !isChooser(encoder));

const size = { width: 400, height: 300 };

/** What sharp calls a format that it reads. */
const sharpNames: Readonly<Record<string, string>> = { avif: 'heif' };

/** Least similarity to the photograph and largest difference of colours: GIF has too few of them. */
const least: Readonly<Record<string, readonly [number, number]>> = { gif: [0.93, 4] };

async function encoded(encoding: Readonly<Record<string, unknown>>, file?: Buffer): Promise<Buffer> {
	return (await make(file ?? (await photograph(size)), one([], [encoding]))).variant('only').data;
}

/** A file, and what it is to look like. */
interface Input {
	readonly file: Buffer;
	readonly reference: Buffer;
}

async function written(format: PhotographFormat): Promise<Input> {
	return { file: await photograph({ ...size, format }), reference: await photograph(size) };
}

/** A drawing that holds the photograph. */
async function drawn(): Promise<Input> {
	const reference = await photograph(size);
	const { width, height } = size;
	const image = `<image width="${width}" height="${height}" href="data:image/jpeg;base64,${reference.toString('base64')}"/>`;
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${image}</svg>`;
	return { file: Buffer.from(svg), reference };
}

/** What its decoder makes of it. */
async function photographed(path: string): Promise<Input> {
	const file = await readFile(path);
	const { data, width, height } = await heicDecode(libheif()).one({ buffer: file });
	const decoded = sharp(data, { raw: { width, height, channels: 4 } });
	return { file, reference: await decoded.png({ compressionLevel: 1 }).toBuffer() };
}

async function expectSame({ file, reference }: Input, input: string, output: string): Promise<void> {
	const whole = await sharp(reference).metadata();
	const recipe = one([{ resize: { width: 200 } }], [{ [output]: {} }]);
	const made = (await make(file, recipe, { svg: { maxBytes: 1e6, maxElements: 100 } })).variant('only');
	const encoder = encoders.find(({ name }) => name === output);
	expect(made).toMatchObject({ format: output, type: encoder?.type, extension: encoder?.extension });
	expect(await sharp(made.data).metadata()).toMatchObject({
		format: sharpNames[output] ?? output,
		width: 200,
		height: Math.round((200 * whole.height) / whole.width),
		space: 'srgb',
	});
	const expected = await sharp(reference).resize({ width: 200 }).png().toBuffer();
	const [leastSimilarity, mostDifference] = least[output] ?? least[input] ?? [0.95, 2.5];
	// Decoders that shrink while they load would make the measure another one.
	const seen = await sharp(made.data).png().toBuffer();
	expect(await similarity(seen, expected)).toBeGreaterThan(leastSimilarity);
	expect(await colourDifference(seen, expected)).toBeLessThan(mostDifference);
}

const outputs = encoders.map(({ name }) => name);

/** Nothing here can write HEIC. */
const writable = inputFormats.filter((format) => format !== 'heic');
describe.each(writable)('%s', (input) => {
	it.each(outputs)('becomes %s', async (output) => expectSame(await written(input), input, output));
});

describe('svg', () => {
	it.each(outputs)('becomes %s', async (output) => expectSame(await drawn(), 'svg', output));
});

/** Of those that are there, the one that is not in Display P3. */
const heic = sharedPictures('heic', /^cheers/);
describe.skipIf(heic.length === 0)(extraTitle('heic', heic), () => {
	let input: Input;
	beforeAll(async () => {
		if (heic[0]) input = await photographed(heic[0].path);
	});

	it.skipIf(heic.length === 0).each(outputs)('becomes %s', async (output) => expectSame(input, 'heic', output));
});

/** Tag 259 of the first page (TIFF 6.0, page 30); sharp writes little-endian. */
function tiffCompression(data: Buffer): number | undefined {
	const directory = data.readUInt32LE(4);
	for (let at = directory + 2; at < directory + 2 + data.readUInt16LE(directory) * 12; at += 12) {
		if (data.readUInt16LE(at) === 259) return data.readUInt16LE(at + 8);
	}
	return undefined;
}

describe('encoder options', () => {
	const colourCount = async (data: Buffer) => {
		const pixels = await sharp(data).removeAlpha().raw().toBuffer();
		return new Set(Array.from({ length: pixels.length / 3 }, (_, at) => pixels.readUIntBE(at * 3, 3))).size;
	};

	it('reduces colours to a palette', async () => {
		const few = await encoded({ png: { palette: true, colours: 16 } });
		expect(await sharp(few).metadata()).toMatchObject({ isPalette: true });
		expect(await colourCount(few)).toBeLessThanOrEqual(16);
		expect(await colourCount(await encoded({ gif: { colours: 4 } }))).toBeLessThanOrEqual(4);
		const poor = await encoded({ png: { palette: true, quality: 20 } });
		expect(poor.length).toBeLessThan((await encoded({ png: { palette: true } })).length * 0.9);
		expect(
			(await encoded({ png: { palette: true, dither: 0 } })).equals(await encoded({ png: { palette: true } })),
		).toBe(false);
	});

	it('changes pixels a little for near-lossless WebP', async () => {
		const [lossless, near] = await Promise.all([
			encoded({ webp: { lossless: true } }),
			encoded({ webp: { nearLossless: true, quality: 40 } }),
		]);
		expect(near.length).toBeLessThan(lossless.length * 0.9);
		const [exact, changed] = await Promise.all([lossless, near].map((data) => sharp(data).raw().toBuffer()));
		const largest = (exact as Buffer).reduce(
			(most, value, at) => Math.max(most, Math.abs(value - ((changed as Buffer)[at] ?? 0))),
			0,
		);
		expect(largest).toBeGreaterThan(0);
		expect(largest).toBeLessThanOrEqual(8);
	});

	it.each([
		['lzw', 5],
		['deflate', 8],
		['none', 1],
	])('keeps every pixel and opacity in a TIFF with %s', async (compression, tag) => {
		const pixels = await sharp(await photograph(size))
			.ensureAlpha(0.5)
			.raw()
			.toBuffer();
		const png = await sharp(pixels, { raw: { ...size, channels: 4 } })
			.png()
			.toBuffer();
		const data = await encoded({ tiff: { compression } }, png);
		expect(tiffCompression(data)).toBe(tag);
		expect((await sharp(data).raw().toBuffer()).equals(pixels)).toBe(true);
	});
});
