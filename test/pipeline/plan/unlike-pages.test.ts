import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { oddTiff } from '../../helpers/odd-tiff.ts';
import { tiff } from '../../helpers/tiff.ts';
import { make } from '../make.ts';

const png = [{ png: {} }];

async function colourOf(picture: Buffer): Promise<number[]> {
	const { channels } = await sharp(picture).stats();
	return channels.map(({ mean }) => Math.round(mean));
}

describe('a page beside others that the decoder lacks the compression of', () => {
	const red = { width: 16, height: 12, background: '#ff0000' };
	const green = { width: 20, height: 10, background: '#00ff00' };
	const blue = { width: 8, height: 8, background: '#0000ff' };
	const all = { first: { encode: png }, second: { page: 2, encode: png }, third: { page: 3, encode: png } };
	const looks = async (made: Awaited<ReturnType<typeof make>>) =>
		Promise.all(
			Object.keys(all)
				.flatMap((wanted) => made.outputs.filter(({ name }) => name === wanted))
				.map(async ({ name, data }) => [name, ...(await colourOf(data))]),
		);

	// Old-style JPEG (TIFF 6.0, section 22), and those that libtiff's `tiff.h` names LERC, LZMA and ZSTD.
	it.each([6, 34_887, 34_925, 50_000])('is made: compression %i', async (compression) => {
		for (const [at, pages] of [
			[2, [red, { ...green, compression }, blue]],
			[3, [red, green, { ...blue, compression }]],
		] as const) {
			const made = await make(await tiff(pages), { analyse: ['dominant'], variants: all }, { mayFail: true });
			const expected = [
				['first', 255, 0, 0],
				['second', 0, 255, 0],
				['third', 0, 0, 255],
			];
			expect(await looks(made)).toEqual(expected.filter((_, index) => index !== at - 1));
			expect(made.facts).toMatchObject({ width: 16, height: 12, frames: 3 });
			expect(made.analysis.dominant).toBe('#ff0000');
			expect(made.failures.map(({ variant, error }) => [variant, error.code])).toEqual([
				[expected[at - 1]?.[0], 'unsupported-feature'],
			]);
		}
	});

	it.each([
		['old-style JPEG', { compression: 6 }, 'srgb', /old-style JPEG/],
		['a mask', { photometric: 4, samples: 1 }, 'b-w', /transparency mask/],
		['ZSTD', { compression: 50_000 }, 'srgb', /not supported/],
	])('is made if the first page is of an unsupported kind: %s', async (_kind, first, colourSpace, sentence) => {
		const pages = [{ ...red, ...first }, green, blue];
		const made = await make(await tiff(pages), { analyse: ['dominant'], variants: all }, { mayFail: true });
		expect(await looks(made)).toEqual([
			['second', 0, 255, 0],
			['third', 0, 0, 255],
		]);
		expect(made.facts).toMatchObject({ format: 'tiff', width: 16, height: 12, frames: 3, alpha: false, colourSpace });
		expect(made.analysis.dominant).toBeUndefined();
		expect(made.failures.map(({ variant, error }) => [variant, error.code, error.message])).toEqual([
			['first', 'unsupported-feature', expect.stringMatching(sentence)],
		]);
		// Nothing else is asked for.
		const alone = make(await tiff(pages), { analyse: ['dominant'], variants: { first: all.first } });
		await expect(alone).rejects.toMatchObject({
			code: 'unsupported-feature',
			message: expect.stringMatching(sentence),
		});
	});

	it.each([
		{},
		{ isBigEndian: true },
		{ isBig: true },
		{ isBig: true, isBigEndian: true },
		// Its only plane is said to be one of several.
		{ isPlanar: true, samples: 1, photometric: 'blackIsZero' },
	] as const)('is made of every layout: %j', async (layout) => {
		const file = oddTiff({
			...{ width: 16, height: 16, photometric: 'rgb', bits: 8, samples: 3 },
			...layout,
			value: (_x, _y, sample) => [200, 100, 50][sample] ?? 0,
		});
		const both = withCopiedPage(file, 50_000, layout);
		const made = await make(
			both,
			{ variants: { first: { encode: png }, second: { page: 2, encode: png } } },
			{ mayFail: true },
		);
		expect(made.facts.frames).toBe(2);
		expect((await colourOf(made.variant('first').data))[0]).toBe(200);
		expect(made.failures.map(({ variant, error }) => [variant, error.code])).toEqual([
			['second', 'unsupported-feature'],
		]);
	});
});

/** A TIFF of `oddTiff` with its page once more, whose directory says another compression. */
function withCopiedPage(file: Buffer, compression: number, { isBig = false, isBigEndian = false }): Buffer {
	const word = isBig ? 8 : 4;
	// Numbers of 64 bits are small here, so their lower half tells all.
	const upper = isBig && isBigEndian ? 4 : 0;
	const firstAt = word + upper;
	// The directory is the end of the file.
	const first = isBigEndian ? file.readUInt32BE(firstAt) : file.readUInt32LE(firstAt);
	const start = file.length + (file.length % 2);
	const both = Buffer.concat([file, Buffer.alloc(start - file.length), file.subarray(first)]);
	// Tags are in order: width, height, bits, compression.
	const value = start + (isBig ? 8 + 3 * 20 + 12 : 2 + 3 * 12 + 8);
	const nextAt = file.length - word + upper;
	if (isBigEndian) {
		both.writeUInt32BE(start, nextAt);
		both.writeUInt16BE(compression, value);
	} else {
		both.writeUInt32LE(start, nextAt);
		both.writeUInt16LE(compression, value);
	}
	return both;
}
