import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { variantSchema } from '../../../src/domain/picture.ts';
import { searchQuality } from '../../../src/pipeline/encoders/quality.ts';
import type { Pixels } from '../../../src/pipeline/pixels/pixels.ts';
import { similarityTo } from '../../../src/pipeline/pixels/similarity.ts';
import { photograph } from '../../helpers/pictures.ts';
import { make, one } from '../make.ts';

const size = { width: 320, height: 240 };

async function pixelsOf(file: Buffer): Promise<Pixels> {
	const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
	return { data, width: info.width, height: info.height, channels: info.channels as 3 | 4 };
}

/** The definition, window by window, without any sharing of sums. */
function plainSsim(a: Pixels, b: Pixels): number {
	const luma = ({ data, channels }: Pixels, x: number, y: number) => {
		const at = (y * a.width + x) * channels;
		return Math.round(0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0));
	};
	let total = 0;
	let windows = 0;
	for (let top = 0; top + 8 <= a.height; top += 4) {
		for (let left = 0; left + 8 <= a.width; left += 4) {
			const values = Array.from({ length: 64 }, (_, at) => [left + (at % 8), top + (at >> 3)] as const);
			const [one, other] = [a, b].map((from) => values.map(([x, y]) => luma(from, x, y))) as [number[], number[]];
			const mean = (numbers: number[]) => numbers.reduce((sum, value) => sum + value, 0) / 64;
			const [meanA, meanB] = [mean(one), mean(other)];
			const varianceA = mean(one.map((value) => (value - meanA) ** 2));
			const varianceB = mean(other.map((value) => (value - meanB) ** 2));
			const covariance = mean(one.map((value, at) => (value - meanA) * ((other[at] ?? 0) - meanB)));
			const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];
			total +=
				((2 * meanA * meanB + c1) * (2 * covariance + c2)) /
				((meanA ** 2 + meanB ** 2 + c1) * (varianceA + varianceB + c2));
			windows++;
		}
	}
	return total / windows;
}

describe('similarity', () => {
	it('matches its definition', async () => {
		const file = await photograph(size);
		const original = await pixelsOf(file);
		const measure = similarityTo(original);
		expect(measure(original)).toBe(1);
		let before = 1;
		for (const quality of [90, 50, 10]) {
			const poorer = await pixelsOf(await sharp(file).jpeg({ quality }).toBuffer());
			expect(measure(poorer)).toBeCloseTo(plainSsim(original, poorer), 10);
			expect(measure(poorer)).toBeLessThan(before);
			before = measure(poorer);
		}
	});

	it('is far from 1 for inverted colours, and includes opacity', async () => {
		const grey = (value: number, alpha: number): Pixels => ({
			data: Buffer.from(Array.from({ length: 16 * 16 }, () => [value, value, value, alpha]).flat()),
			width: 16,
			height: 16,
			channels: 4,
		});
		expect(similarityTo(grey(0, 255))(grey(255, 255))).toBeLessThan(0.01);
		expect(similarityTo(grey(0, 0))(grey(255, 0))).toBe(1);
		expect(similarityTo(grey(0, 255))(grey(0, 128))).toBeLessThan(0.9);
	});

	it.each([
		[1, 1],
		[3, 9],
		[7, 7],
		[8, 5],
	])('measures a picture of %i × %i, and refuses another size', (width, height) => {
		const noise = (factor: number): Pixels => ({
			data: Buffer.from(Array.from({ length: width * height * 3 }, (_, at) => (at * factor) % 251)),
			width,
			height,
			channels: 3,
		});
		expect(similarityTo(noise(37))(noise(37))).toBe(1);
		expect(() => similarityTo(noise(37))({ ...noise(37), width: width + 1 })).toThrow(RangeError);
	});
});

describe('search', () => {
	const attempts = (asked: number[]) => async (quality: number) => {
		asked.push(quality);
		return { quality, bytes: quality * 100, ssim: async () => quality / 100 };
	};

	it('finds every quality within 7 tries', async () => {
		for (let wanted = 50; wanted <= 99; wanted++) {
			const asked: number[] = [];
			const low = await searchQuality({ ssim: wanted / 100 }, attempts(asked));
			expect(low).toMatchObject({ found: { quality: wanted }, isMet: true, tries: asked.length });
			expect(low.tries).toBeLessThanOrEqual(7);
		}
		for (let wanted = 1; wanted <= 100; wanted++) {
			const high = await searchQuality({ maxBytes: wanted * 100 + 50 }, attempts([]));
			expect(high).toMatchObject({ found: { quality: wanted }, isMet: true });
			expect(high.tries).toBeLessThanOrEqual(7);
		}
	});

	it('respects its bounds', async () => {
		const find = (target: Parameters<typeof searchQuality>[0]) => searchQuality(target, attempts([]));
		expect(await find({ ssim: 0.6, min: 70 })).toMatchObject({ found: { quality: 70 }, isMet: true });
		expect(await find({ ssim: 0.6, max: 50 })).toMatchObject({ found: { quality: 50 }, isMet: false });
		expect(await find({ ssim: 0.6, min: 40, max: 80 })).toMatchObject({ found: { quality: 60 }, isMet: true });
		expect(await find({ maxBytes: 6_000, max: 50 })).toMatchObject({ found: { quality: 50 }, isMet: true });
		expect(await find({ maxBytes: 6_000, min: 70 })).toMatchObject({ found: { quality: 70 }, isMet: false });
	});

	it('returns the closest if nothing is good enough', async () => {
		expect(await searchQuality({ maxBytes: 99 }, attempts([]))).toMatchObject({ found: { quality: 1 }, isMet: false });
		const poor = async (quality: number) => ({ quality, bytes: 1, ssim: async () => 0.4 });
		expect(await searchQuality({ ssim: 0.9 }, poor)).toMatchObject({ found: { quality: 100 }, isMet: false });
	});

	it('with a limit tries the highest first, and returns the lowest if nothing fits', async () => {
		const found = async (maxBytes: number, asked: number[] = []) =>
			await searchQuality({ maxBytes, min: 10, max: 80, orSmallest: true }, attempts(asked));
		const asked: number[] = [];
		expect(await found(8_000, asked)).toMatchObject({ found: { quality: 80 }, isMet: true, tries: 1 });
		expect(asked).toEqual([80]);
		expect(await found(999)).toMatchObject({ found: { quality: 10 }, isMet: false });
		for (let wanted = 10; wanted < 80; wanted++) {
			const { found: one, tries } = await found(wanted * 100 + 50);
			expect(one.quality).toBe(wanted);
			expect(tries).toBeLessThanOrEqual(8);
		}
		const single = { maxBytes: 999, min: 50, max: 50, orSmallest: true };
		expect(await searchQuality(single, attempts([]))).toMatchObject({ found: { quality: 50 }, isMet: false, tries: 1 });
	});

	it('keeps a good result if an encoder is not monotonic', async () => {
		const odd = async (quality: number) => ({ quality, bytes: quality === 75 ? 10 : 1_000, ssim: async () => 1 });
		expect(await searchQuality({ maxBytes: 1_000 }, odd)).toMatchObject({ found: { quality: 100 }, isMet: true });
		const { found } = await searchQuality({ maxBytes: 999 }, async (quality) => ({
			...(await odd(quality)),
			bytes: quality === 50 ? 10 : 1_000,
		}));
		expect(found.quality).toBe(50);
	});
});

describe.each(['jpeg', 'webp', 'avif'])('%s', (format) => {
	const encoding = (quality: unknown, more: object = {}) =>
		one([{ resize: { width: 160 } }], [{ [format]: { quality, ...(format === 'avif' && { effort: 0 }), ...more } }]);

	it('takes the lowest quality that is similar enough', async () => {
		const file = await photograph(size);
		const found = (await make(file, encoding({ ssim: 0.95 }))).variant('only');
		const { value = 0, ssim = 0, tries = 0 } = found.quality ?? {};
		const reference = await pixelsOf(
			(await make(file, one([{ resize: { width: 160 } }], [{ png: {} }]))).variant('only').data,
		);
		const scoreOf = async (data: Buffer) => similarityTo(reference)(await pixelsOf(data));
		expect(await scoreOf(found.data)).toBeCloseTo(ssim, 3);
		expect(ssim).toBeGreaterThanOrEqual(0.95);
		expect(tries).toBeGreaterThan(1);
		expect(tries).toBeLessThanOrEqual(7);
		const [same, poorer] = await Promise.all(
			[value, value - 1].map(async (quality) => (await make(file, encoding(quality))).variant('only')),
		);
		expect(same?.sha256).toBe(found.sha256);
		expect(same?.quality).toBeUndefined();
		expect(same?.digest).not.toBe(found.digest);
		expect(await scoreOf(poorer?.data as Buffer)).toBeLessThan(0.95);
	});

	it('takes the highest quality that is small enough, and reports it', async () => {
		const file = await photograph(size);
		const found = (await make(file, encoding({ maxBytes: 6_000 }))).variant('only');
		expect(found.data.length).toBeLessThanOrEqual(6_000);
		const value = found.quality?.value ?? 0;
		const next = (await make(file, encoding(value + 1))).variant('only');
		expect(next.data.length).toBeGreaterThan(6_000);
		expect(variantSchema.shape.quality.parse(found.quality)).toEqual(found.quality);
		expect((await make(file, encoding({ maxBytes: 6_000 }))).variant('only').sha256).toBe(found.sha256);
	});

	it('fails if no quality is small enough', async () => {
		await expect(make(await photograph(size), encoding({ maxBytes: 200 }))).rejects.toMatchObject({
			code: 'output-too-large',
			class: 'limit',
			step: expect.stringMatching(/^encode only\./),
			message: expect.stringMatching(
				/^Expected at most 200 bytes but at quality 1 a \w+ of 160 × 120 pixels still has \d+\.$/,
			),
		});
	});

	it('takes the smallest instead if the recipe says so', async () => {
		const file = await photograph(size);
		const found = (await make(file, encoding({ maxBytes: 200, min: 5, orSmallest: true }))).variant('only');
		expect(found.sha256).toBe((await make(file, encoding(5))).variant('only').sha256);
		expect(found.quality).toMatchObject({ value: 5 });
		await expect(make(file, encoding({ maxBytes: 200, orSmallest: false }))).rejects.toMatchObject({
			code: 'output-too-large',
		});
	});
});

it('is good enough in every frame of an animation, even if frames are merged', async () => {
	const plain = await sharp({ create: { ...size, channels: 3, background: '#808080' } })
		.png()
		.toBuffer();
	const busy = await photograph({ ...size, format: 'png' });
	const frames = [plain, plain, busy, busy, plain];
	const file = await sharp(frames, { join: { animated: true } })
		.webp({ lossless: true, delay: [5, 40, 0, 70, 100] })
		.toBuffer();
	const { data, quality } = (await make(file, one([], [{ webp: { quality: { ssim: 0.95 } } }]))).variant('only');
	const shown = sharp(data, { page: (await sharp(data).metadata()).pages === 3 ? 1 : 2 });
	const score = similarityTo(await pixelsOf(busy))(await pixelsOf(await shown.png().toBuffer()));
	expect(score).toBeGreaterThanOrEqual(0.95);
	expect(score).toBeCloseTo(quality?.ssim ?? 0, 3);
});

it('is found for an animation without motion', async () => {
	const frame = await photograph({ ...size, format: 'png' });
	const file = await sharp([frame, frame], { join: { animated: true } })
		.gif({ reuse: false, keepDuplicateFrames: true })
		.toBuffer();
	const { quality } = (await make(file, one([], [{ webp: { quality: { ssim: 0.95 } } }]))).variant('only');
	expect(quality?.ssim).toBeGreaterThanOrEqual(0.95);
});

it('compares a JPEG with the flattened picture', async () => {
	const file = await sharp(await photograph(size))
		.ensureAlpha(0.3)
		.png()
		.toBuffer();
	const background = '#ff0000';
	const { data, quality } = (await make(file, one([], [{ jpeg: { quality: { ssim: 0.9 }, background } }]))).variant(
		'only',
	);
	const flat = await pixelsOf(await sharp(file).flatten({ background }).png().toBuffer());
	expect(similarityTo(flat)(await pixelsOf(data))).toBeCloseTo(quality?.ssim ?? 0, 3);
});
