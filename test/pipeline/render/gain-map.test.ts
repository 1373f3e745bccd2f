import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PicpipeError } from '../../../src/errors.ts';
import { inspect } from '../../../src/pipeline/inspect/inspect.ts';
import { withGainMapLoader } from '../../../src/pipeline/inspect/sharp-input.ts';
import { readExifBlock } from '../../../src/pipeline/metadata/exif-block.ts';
import { parseRecipe } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { ultraHdr } from '../../helpers/gain-map.ts';
import { colourDifference, cut, photograph, similarity } from '../../helpers/pictures.ts';
import { limits, make } from '../make.ts';

const size = { width: 320, height: 240 };

// As in imaging processes, which read gain maps for these variants alone.
beforeAll(() => void sharp.block({ operation: ['VipsForeignLoadUhdr'] }));
afterAll(() => void sharp.unblock({ operation: ['VipsForeignLoadUhdr'] }));

interface Shown {
	readonly size: readonly [width: number, height: number];
	/** Which quarters of the gain map are bright: left top, right top, left bottom, right bottom. */
	readonly bright: readonly boolean[];
}

async function gainMapOf(jpeg: Buffer): Promise<Shown | undefined> {
	const { gainMap } = await withGainMapLoader(() => sharp(jpeg).metadata());
	if (!gainMap) return undefined;
	const { data, info } = await sharp(gainMap.image).raw().toBuffer({ resolveWithObject: true });
	const { width, height, channels } = info;
	const bright = [1, 7].flatMap((down) =>
		[1, 7].map((across) => {
			const [x, y] = [Math.floor((width * across) / 8), Math.floor((height * down) / 8)];
			const value = data[(y * width + x) * channels] ?? 0;
			expect(Math.min(Math.abs(value - 32), Math.abs(value - 224))).toBeLessThan(6);
			return value > 128;
		}),
	);
	return { size: [width, height], bright };
}

async function made(file: Buffer, variant: object) {
	return (await make(file, { variants: { only: { encode: [{ jpeg: {} }], ...variant } } })).variant('only', 'jpeg');
}

const [leftTop, rightTop, leftBottom, rightBottom] = [0, 1, 2, 3].map((place) =>
	[0, 1, 2, 3].map((one) => one === place),
);
const all = [true, true, true, true];
const part = { crop: { width: '50%', height: '50%', position: 'left top' } };

describe('the gain map of Ultra HDR', () => {
	it.each([
		[[], 80, 60, leftTop],
		[[{ resize: { width: 160 } }], 40, 30, leftTop],
		[[{ resize: { width: 100, height: 100 } }], 25, 25, leftTop],
		[[{ resize: { width: 100, height: 100, position: 'attention' } }], 25, 25, leftTop],
		[[part], 40, 30, all],
		[[{ rotate: { angle: 90 } }], 60, 80, rightTop],
		[[{ flip: {} }], 80, 60, leftBottom],
		[[{ flop: {} }, { resize: { width: 160 } }], 40, 30, rightTop],
		[[part, { rotate: { angle: 270 } }, { resize: { width: 60 } }], 15, 20, all],
	])('goes the way of the picture: %j', async (steps, width, height, bright) => {
		const file = await ultraHdr(size);
		const kept = await made(file, { hdr: 'keep', steps });
		expect(await gainMapOf(kept.data)).toEqual({ size: [width, height], bright });
		expect(kept).not.toHaveProperty('dropped');
		const usual = await made(file, { steps });
		expect([kept.width, kept.height]).toEqual([usual.width, usual.height]);
		expect(await colourDifference(kept.data, usual.data)).toBeLessThan(4);
		expect(await similarity(kept.data, usual.data)).toBeGreaterThan(0.93);
		expect(kept.digest).not.toBe(usual.digest);
	});

	it.each([
		[2, rightTop],
		[3, rightBottom],
		[4, leftBottom],
		[5, leftTop],
		[6, rightTop],
		[7, rightBottom],
		[8, leftBottom],
	])('is turned as orientation %i says', async (orientation, bright) => {
		const file = await ultraHdr({ ...size, orientation });
		for (const steps of [
			[],
			[{ resize: { width: 160 } }],
			[{ crop: { width: 320, height: 240 } }, { resize: { width: 160 } }],
		]) {
			const { data } = await made(file, { hdr: 'keep', steps });
			const scale = steps.length > 0 ? 8 : 4;
			expect(await gainMapOf(data)).toEqual({ size: [320 / scale, 240 / scale], bright });
			expect(await similarity(data, (await made(file, { steps })).data)).toBeGreaterThan(0.95);
		}
	});

	it('comes without metadata that is to be stripped, and with what is to be kept', async () => {
		const file = await ultraHdr({ ...size, gps: true });
		const { data } = await made(file, { hdr: 'keep' });
		const exif = (await sharp(data).metadata()).exif?.toString('latin1') ?? '';
		expect(exif).not.toMatch(/GPS|Camera|Make/);
		const set = { artist: 'Ann Example' };
		const named = await made(file, { hdr: 'keep', metadata: { set } });
		expect(named.data.includes('Ann Example')).toBe(true);
		expect(await gainMapOf(named.data)).toBeDefined();
		const dense = await made(file, { hdr: 'keep', encode: [{ jpeg: { density: 240 } }] });
		const { exif: block } = await sharp(dense.data).metadata();
		expect(block && readExifBlock(block)?.image.number(0x011a)).toBe(240);
	});

	it('is kept at odd sizes and with the original colours', async () => {
		const file = await ultraHdr({ ...size, icc: 'p3' });
		for (const variant of [{ steps: [{ resize: { width: 161 } }] }, { colour: 'keep' }, { colour: 'srgb' }]) {
			const kept = await made(file, { hdr: 'keep', ...variant });
			expect(await gainMapOf(kept.data)).toMatchObject({ bright: leftTop });
			const usual = await made(file, variant);
			expect(await colourDifference(kept.data, usual.data)).toBeLessThan(4);
		}
	});

	it('is a fact of the picture, and said to be dropped by variants without it', async () => {
		const file = await ultraHdr(size);
		const variants = {
			kept: { hdr: 'keep', encode: [{ jpeg: {} }, { webp: {} }] },
			usual: { steps: [{ resize: { width: 100 } }], encode: [{ jpeg: {} }] },
		};
		const { facts, outputs } = await make(file, { variants });
		expect(facts).toMatchObject({ ...size, format: 'jpeg', gainMap: true });
		const dropped = outputs.map(({ name, format, dropped }) => [name, format, dropped?.join()]);
		expect(dropped.sort()).toEqual([
			['kept', 'jpeg', undefined],
			['kept', 'webp', 'gain-map'],
			['usual', 'jpeg', 'gain-map'],
		]);
	});

	it('is nothing that other pictures lack', async () => {
		const file = await photograph(size);
		const kept = await made(file, { hdr: 'keep', steps: [{ resize: { width: 160 } }] });
		const usual = await made(file, { steps: [{ resize: { width: 160 } }] });
		expect(kept).not.toHaveProperty('dropped');
		expect(kept.sha256).toBe(usual.sha256);
		expect((await inspect(file, limits)).facts).not.toHaveProperty('gainMap');
	});

	it('does not hide damage', async () => {
		const file = await ultraHdr(size);
		const holed = Buffer.from(file);
		holed.fill(0, 9_000, 11_000);
		for (const damaged of [cut(file, 40), holed]) {
			const error = await made(damaged, { hdr: 'keep' }).catch((one: PicpipeError) => one);
			expect(error).toMatchObject({ code: 'corrupt-picture' });
		}
	});

	it('may be lost in the file: then the variant is made without it and says so', async () => {
		const file = await ultraHdr(size);
		const kept = await made(cut(file, 99), { hdr: 'keep' });
		expect(kept.dropped).toEqual(['gain-map']);
		expect([kept.width, kept.height]).toEqual([320, 240]);
	});
});

describe('recipes with hdr: keep', () => {
	const jpeg = [{ jpeg: {} }];
	it.each([
		[{ encode: [{ webp: {} }] }, /expected jpeg among the encoders, because hdr is keep/],
		[{ encode: [{ jpeg: { quality: { ssim: 0.9 } } }] }, /expected a number as the quality of jpeg/],
		[{ encode: jpeg, steps: [{ blur: {} }] }, /steps\[0\]: expected .*resize.*because hdr is keep/],
		[{ encode: jpeg, steps: [{ rotate: { angle: 20 } }] }, /steps\[0\]: expected .*by a multiple of 90/],
		[{ encode: jpeg, from: 'base' }, /hdr: expected no such key/],
	])('are refused where it cannot be kept: %j', (variant, message) => {
		const variants = { base: { encode: jpeg }, only: { hdr: 'keep', ...variant } };
		expect(() => parseRecipe('test', { variants })).toThrow(message);
	});

	it('have the digest of before without it', () => {
		const digest = (variant: object) =>
			parseRecipe('test', { variants: { only: { encode: jpeg, ...variant } } }).digest;
		expect(digest({ hdr: 'drop' })).toBe(digest({}));
		expect(digest({ hdr: 'keep' })).not.toBe(digest({}));
	});
});
