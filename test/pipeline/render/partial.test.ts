import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { extraTitle, sharedPictures } from '../../helpers/pictures.ts';
import { tiff } from '../../helpers/tiff.ts';
import { make, one } from '../make.ts';

/** What a picture gets when some of its variants cannot be made as their recipe has them. */

const webp = [{ webp: { effort: 0 } }];
const resize = (options: object) => [{ resize: options }];

/** A still of one colour. */
async function still(width: number, height: number): Promise<Buffer> {
	return sharp({ create: { width, height, channels: 3, background: '#c04010' } })
		.png({ compressionLevel: 1 })
		.toBuffer();
}

/** A GIF whose frames are of one colour each: red grows from frame to frame. */
async function animation(frames: number, width: number, height: number, extra: object = {}): Promise<Buffer> {
	const data = Buffer.alloc(width * height * frames * 3, 40);
	for (let frame = 0; frame < frames; frame++) {
		for (let at = 0; at < width * height; at++) data[(frame * width * height + at) * 3] = redOf(frame);
	}
	const raw = { width, height: height * frames, channels: 3, pageHeight: height } as const;
	return sharp(data, { raw })
		.gif({ delay: Array.from({ length: frames }, (_, at) => 40 + at * 10), loop: 3, effort: 1, dither: 0, ...extra })
		.toBuffer();
}

const redOf = (frame: number) => 20 + frame * 20;

async function redsOf(file: Buffer): Promise<number[]> {
	const { pages = 1 } = await sharp(file).metadata();
	const reds = Array.from({ length: pages }, async (_, page) => {
		const { channels } = await sharp(file, { page }).stats();
		return channels[0]?.mean ?? -1;
	});
	return Promise.all(reds);
}

describe('a variant beyond the largest side of its format', () => {
	it.each([
		['webp', { effort: 0, quality: 50 }, 16_383],
		['avif', { effort: 0 }, 16_384],
		['jpeg', {}, 65_500],
		['gif', { effort: 1 }, 65_535],
	] as const)('is scaled down to what %s can hold, and says so', async (format, options, side) => {
		for (const [width, height] of [
			[side + 1_000, 4],
			[4, side + 1_000],
		] as const) {
			const encode = [{ [format]: options }, { png: { compressionLevel: 0 } }];
			const within = { maxDimension: 70_000, maxOutputDimension: 70_000 };
			const made = await make(await still(width, height), one([], encode), within);
			const { data, limited, ...scaled } = made.variant('only', format);
			const size = { width: Math.min(width, side), height: Math.min(height, side) };
			expect(scaled).toMatchObject(size);
			expect(await sharp(data, { limitInputPixels: false }).metadata()).toMatchObject(size);
			expect(limited).toEqual({
				reason: 'format',
				message: `Expected at most ${side} pixels of width and height for ${format}, so the variant of ${width} × ${height} was scaled down to ${size.width} × ${size.height}.`,
			});
			// The other format holds it.
			expect(made.variant('only', 'png')).toMatchObject({ width, height });
			expect(made.variant('only', 'png').limited).toBeUndefined();
		}
	});

	it('keeps its shape, its colours and its quality target, after a step as well as without one', async () => {
		const file = await still(100, 20_000);
		for (const steps of [[], resize({ width: 90 }), [{ flip: {} }, ...resize({ width: 90 })]]) {
			const made = await make(file, one(steps, [{ webp: { effort: 0, quality: { ssim: 0.9 } } }]));
			const { data, ...rest } = made.variant('only');
			expect(rest).toMatchObject({ width: 82, height: 16_383, limited: { reason: 'format' } });
			const { channels } = await sharp(data).stats();
			for (const [at, value] of [192, 64, 16].entries())
				expect(Math.abs((channels[at]?.mean ?? 0) - value)).toBeLessThan(6);
		}
	});

	it('is scaled frame by frame', async () => {
		const file = await animation(3, 8, 17_000);
		const made = await make(file, one([], [{ webp: { lossless: true, effort: 0 } }]));
		const { data, limited, ...rest } = made.variant('only');
		expect(rest).toMatchObject({ width: 8, height: 16_383 });
		expect(limited?.reason).toBe('format');
		expect(await sharp(data, { pages: -1 }).metadata()).toMatchObject({ pages: 3, pageHeight: 16_383 });
		expect(await redsOf(data)).toEqual([20, 40, 60]);
	});

	it('that is decoded and encoded in one pass is so too', async () => {
		const file = await sharp({ create: { width: 40, height: 17_000, channels: 3, background: '#c04010' } })
			.jpeg()
			.toBuffer();
		const made = await make(file, one(resize({ width: 39 }), webp));
		expect(made.steps.map(({ step }) => step)).toEqual(['decode', 'encode only.webp']);
		expect(made.variant('only')).toMatchObject({ width: 39, height: 16_383, limited: { reason: 'format' } });
	});
});

describe('a variant that cannot be made', () => {
	const failing = { steps: resize({ width: 9_000, height: 9_000 }), encode: webp };

	it('fails alone, with those that build on it; facts and analysis are found all the same', async () => {
		const recipe = {
			analyse: ['dominant', 'phash'],
			variants: {
				huge: failing,
				cut: { from: 'huge', steps: resize({ width: 10 }), encode: webp },
				small: { steps: resize({ width: 20 }), encode: webp },
				smaller: { from: 'small', steps: resize({ width: 10 }), encode: webp },
			},
		};
		for (const concurrency of [1, 2]) {
			const made = await make(await still(40, 40), recipe, { mayFail: true, concurrency });
			expect(made.outputs.map(({ name }) => name).sort()).toEqual(['small', 'smaller']);
			const message = 'Expected resize to make at most 50 million pixels in variant huge but it would be 9000 × 9000.';
			expect(made.failures.map(({ variant, format, error }) => [variant, format, error.code, error.message])).toEqual([
				['huge', undefined, 'output-too-large', message],
				['cut', undefined, 'output-too-large', `It builds on variant huge, which failed: ${message}`],
			]);
			expect(made.facts).toMatchObject({ format: 'png', width: 40, height: 40 });
			expect(made.analysis.dominant).toBe('#c04010');
			expect(made.analysis.phash).toMatch(/^[0-9a-f]{16}$/);
		}
	});

	it('and all others too leave facts and analysis', async () => {
		const recipe = { analyse: ['dominant'], variants: { huge: failing } };
		const made = await make(await still(40, 40), recipe, { mayFail: true });
		expect([made.outputs, made.failures.length, made.analysis.dominant]).toEqual([[], 1, '#c04010']);
	});

	it('in one format is made in the others', async () => {
		// No quality makes noise that small.
		const noise = await sharp({
			create: {
				...{ width: 64, height: 64, channels: 3 as const, background: '#888' },
				noise: { type: 'gaussian', mean: 128, sigma: 90 },
			},
		})
			.png()
			.toBuffer();
		const encode = [{ webp: { quality: { maxBytes: 100 } } }, { jpeg: {} }, { avif: { effort: 0 } }];
		const made = await make(noise, { variants: { a: { encode }, b: { from: 'a', encode: webp } } }, { mayFail: true });
		expect(made.failures).toMatchObject([
			{ variant: 'a', format: 'webp', error: { code: 'output-too-large', step: 'encode a.webp' } },
		]);
		expect(made.outputs.map(({ name, format }) => `${name}.${format}`).sort()).toEqual(['a.avif', 'a.jpeg', 'b.webp']);
	});

	it('because of what only the pixels tell fails alone', async () => {
		const dot = await sharp({ create: { width: 60, height: 60, channels: 3, background: '#fff' } })
			.composite([{ input: { create: { width: 1, height: 30, channels: 3, background: '#000' } }, left: 9, top: 9 }])
			.png()
			.toBuffer();
		const steps = [{ trim: { lineArt: true } }, ...resize({ width: 2_000 })];
		const variants = {
			line: { steps, encode: webp },
			on: { from: 'line', steps: resize({ width: 10 }), encode: webp },
			whole: { encode: webp },
		};
		const made = await make(dot, { variants }, { mayFail: true });
		expect(made.outputs.map(({ name }) => name)).toEqual(['whole']);
		expect(made.failures.map(({ variant, error }) => [variant, error.code])).toEqual([
			['line', 'output-too-large'],
			['on', 'output-too-large'],
		]);
		expect(made.failures[0]?.error.message).toContain('2000 × 60000');
	});

	it('of another page leaves those of pages that are there', async () => {
		const file = await tiff([
			{ width: 60, height: 40, background: '#ff0000' },
			{ width: 30, height: 20, background: '#00ff00' },
		]);
		const variants = {
			first: { encode: webp },
			second: { page: 2, encode: webp },
			third: { page: 3, encode: webp },
			on: { from: 'third', steps: resize({ width: 5 }), encode: webp },
		};
		const made = await make(file, { variants }, { mayFail: true });
		expect(made.outputs.map(({ name }) => name).sort()).toEqual(['first', 'second']);
		expect(made.failures.map(({ variant, error }) => [variant, error.code])).toEqual([
			['third', 'no-such-page'],
			['on', 'no-such-page'],
		]);
	});

	it('is not why a damaged picture is made in part', async () => {
		const file = await still(400, 400);
		const cut = Buffer.concat([file.subarray(0, 60), Buffer.alloc(20), file.subarray(80)]);
		await expect(make(cut, undefined, { mayFail: true })).rejects.toMatchObject({ class: 'corrupt' });
	});
});

describe('an animation of more pixels than allowed', () => {
	const size = { width: 60, height: 40 };
	const frames = 10;
	/** Allows so many frames at once. */
	const allowing = (count: number) => ({ maxMegapixels: (size.width * size.height * count) / 1e6 });
	let file: Buffer;
	beforeAll(async () => {
		file = await animation(frames, size.width, size.height);
	});
	const reds = Array.from({ length: frames }, (_, frame) => redOf(frame));
	const lossless = [{ webp: { lossless: true, effort: 0 } }];

	it.each(['gif', 'webp'] as const)('is read a few frames at a time: %s', async (format) => {
		const original = format === 'gif' ? file : await sharp(file, { pages: -1 }).webp({ lossless: true }).toBuffer();
		const steps = resize({ width: 30 });
		const whole = await make(original, one(steps, lossless));
		for (const count of [3, 4, 9]) {
			const made = await make(original, one(steps, lossless), allowing(count));
			const { data, limited, ...rest } = made.variant('only');
			expect(rest).toMatchObject({ width: 30, height: 20 });
			expect(limited).toBeUndefined();
			const shown = await redsOf(data);
			// A palette of a GIF is off by one here and there.
			expect(shown.map((red, at) => Math.abs(red - (reds[at] ?? 0)) <= 1)).toEqual(reds.map(() => true));
			const { delay, loop } = await sharp(data).metadata();
			expect([delay, loop]).toEqual([reds.map((_, at) => 40 + at * 10), 3]);
			expect(data.equals(whole.variant('only').data)).toBe(true);
		}
		expect(whole.facts.frames).toBe(frames);
	});

	it('keeps transparency that only some of its frames have', async () => {
		const [width, height] = [20, 20];
		const data = Buffer.alloc(width * height * 6 * 4, 255);
		// The last frame has a hole.
		for (let at = 0; at < 40; at++) data[(width * height * 5 + at) * 4 + 3] = 0;
		const raw = { width, height: height * 6, channels: 4, pageHeight: height } as const;
		const original = await sharp(data, { raw })
			.webp({ lossless: true, delay: Array(6).fill(50) })
			.toBuffer();
		const limits = { maxMegapixels: (width * height * 2) / 1e6 };
		const made = await make(original, one(resize({ width: 10 }), lossless), limits);
		const whole = await make(original, one(resize({ width: 10 }), lossless));
		expect((await sharp(whole.variant('only').data, { page: 1 }).stats()).channels[3]?.min).toBeLessThan(20);
		expect(made.variant('only').data.equals(whole.variant('only').data)).toBe(true);
	});

	it('shows its first frame where its frames do not fit together, and says so; the others are made', async () => {
		const variants = {
			large: { steps: resize({ width: 1_600, withoutEnlargement: true }), encode: [...lossless, { png: {} }] },
			built: { from: 'large', steps: resize({ width: 15 }), encode: lossless },
			small: { steps: resize({ width: 20 }), encode: lossless },
			cut: { steps: [{ crop: { width: 10, height: 10 } }], encode: lossless },
		};
		const made = await make(file, { variants }, allowing(4));
		expect(made.failures).toEqual([]);
		const animated = async (name: string, format = 'webp') => (await redsOf(made.variant(name, format).data)).length;
		expect(await Promise.all(['large', 'built', 'small', 'cut'].map((name) => animated(name)))).toEqual([1, 1, 10, 1]);
		expect(await redsOf(made.variant('large').data)).toEqual([redOf(0)]);
		const message =
			'Expected an animation of at most 0.0096 million pixels but received 60 × 40 × 10 frames, so the variant shows the first frame.';
		for (const name of ['large', 'built', 'cut']) {
			expect(made.variant(name, 'webp').limited, name).toEqual({ reason: 'animation', message });
		}
		expect(made.variant('small').limited).toBeUndefined();
		// A format without animations shows no less than was asked for.
		expect(made.variant('large', 'png').limited).toBeUndefined();
	});

	it('shows its first frame where reading all of them would take too long', async () => {
		const made = await make(file, one(resize({ width: 10 }), lossless), allowing(2));
		expect(made.variant('only').limited?.reason).toBe('animation');
		expect(await redsOf(made.variant('only').data)).toEqual([redOf(0)]);
		expect(made.facts.frames).toBe(frames);
	});

	it('fails alone where the recipe requires the animation', async () => {
		const encode = [{ webp: { animated: 'required', effort: 0 } }, { gif: { effort: 1 } }];
		const variants = { large: { encode }, small: { steps: resize({ width: 20 }), encode } };
		const made = await make(file, { variants }, { ...allowing(4), mayFail: true });
		expect(made.failures).toMatchObject([{ variant: 'large', format: 'webp', error: { code: 'too-many-pixels' } }]);
		expect(made.failures[0]?.error.message).toContain('animated: required in variant large');
		expect(made.variant('large', 'gif').limited?.reason).toBe('animation');
		expect(await redsOf(made.variant('small', 'webp').data)).toHaveLength(frames);
	});

	it('is refused where a single frame is too much', async () => {
		await expect(make(file, one([]), allowing(0.9))).rejects.toMatchObject({ code: 'too-many-pixels' });
	});

	it('is never enlarged beyond the limit, and no frame stands in for it', async () => {
		const variants = { large: { steps: resize({ width: 200 }), encode: webp }, same: { encode: webp } };
		const made = await make(file, { variants }, { ...allowing(12), mayFail: true });
		expect(made.failures).toMatchObject([{ variant: 'large', error: { code: 'output-too-large' } }]);
		expect(await redsOf(made.variant('same').data)).toHaveLength(frames);
	});

	it('has frames that are reached within the limit, as stills', async () => {
		const variants = {
			third: { page: 3, encode: [{ png: {} }] },
			last: { page: 10, encode: [{ png: {} }] },
		};
		const made = await make(file, { variants }, { ...allowing(2), mayFail: true });
		expect(await redsOf(made.variant('third').data)).toEqual([redOf(2)]);
		expect(made.failures).toMatchObject([{ variant: 'last', error: { code: 'too-many-pixels' } }]);
	});
});

const cases = sharedPictures('../cases', /^(g_600_200x150\.gif|tall_790x20000\.jpg)$/);
describe.skipIf(cases.length === 0)(extraTitle('../cases', cases), () => {
	const read = (name: string) => readFile(cases.find((one) => one.name === name)?.path ?? '');

	it.skipIf(cases.length === 0)('make three variants of 600 frames; the fourth fails alone and says so', async () => {
		const file = await read('g_600_200x150.gif');
		const made = await make(file, undefined, { mayFail: true });
		expect(made.outputs.map(({ name }) => name).sort()).toEqual(['large', 'medium', 'small']);
		expect((await sharp(made.variant('large').data).metadata()).pages).toBe(600);
		expect(made.failures.map(({ variant, error }) => [variant, error.code, error.message])).toEqual([
			[
				'thumb',
				'output-too-large',
				'Expected resize to make at most 50 million pixels in variant thumb but it would be 300 × 300 × 600 frames.',
			],
		]);
		expect(made.analysis.phash).toBeDefined();
	});

	it.skipIf(cases.length === 0)('make every variant of 790 × 20000, scaled to what the format can hold', async () => {
		const file = await read('tall_790x20000.jpg');
		const made = await make(file);
		const sizes = made.outputs.map(
			({ name, width, height, limited }) => `${name} ${width}×${height} ${limited?.reason}`,
		);
		expect(sizes.sort()).toEqual([
			'large 647×16383 format',
			'medium 647×16383 format',
			'small 400×10127 undefined',
			'thumb 300×300 undefined',
		]);
	});
});
