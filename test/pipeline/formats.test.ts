import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type Encoder, isChooser, encoders as named } from '../../src/pipeline/encode.ts';
import { inputFormats } from '../../src/pipeline/sniff.ts';
import { colourDifference, photograph, similarity } from '../helpers/pictures.ts';
import { make, one } from './make.ts';

const encoders = named.filter((encoder): encoder is Encoder => !isChooser(encoder));

const size = { width: 400, height: 300 };

/** What sharp calls a format that it reads. */
const sharpNames: Readonly<Record<string, string>> = { avif: 'heif' };

/** Least similarity to the photograph and largest difference of colours: GIF has too few of them. */
const least: Readonly<Record<string, readonly [number, number]>> = { gif: [0.93, 4] };

async function encoded(encoding: Readonly<Record<string, unknown>>, file?: Buffer): Promise<Buffer> {
	return (await make(file ?? (await photograph(size)), one([], [encoding]))).variant('only').data;
}

/** Nothing here can write HEIC: `decode.test.ts` takes files of phones. */
const writable = inputFormats.filter((format) => format !== 'heic');

describe.each(writable)('%s', (input) => {
	it.each(encoders.map(({ name }) => name))('becomes %s', async (output) => {
		const file = await photograph({ ...size, format: input });
		const made = (await make(file, one([{ resize: { width: 200 } }], [{ [output]: {} }]))).variant('only');
		const encoder = encoders.find(({ name }) => name === output);
		expect(made).toMatchObject({ format: output, type: encoder?.type, extension: encoder?.extension });
		expect(await sharp(made.data).metadata()).toMatchObject({
			format: sharpNames[output] ?? output,
			width: 200,
			height: 150,
			space: 'srgb',
		});
		const reference = await sharp(await photograph(size))
			.resize({ width: 200 })
			.png()
			.toBuffer();
		const [leastSimilarity, mostDifference] = least[output] ?? least[input] ?? [0.95, 2.5];
		expect(await similarity(made.data, reference)).toBeGreaterThan(leastSimilarity);
		expect(await colourDifference(made.data, reference)).toBeLessThan(mostDifference);
	});
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
