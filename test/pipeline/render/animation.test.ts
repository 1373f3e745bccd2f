import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { operations } from '../../../src/operations/index.ts';
import { colourDifference, cut, extraTitle, photograph, sharedPictures } from '../../helpers/pictures.ts';
import { type Made, make, one } from '../make.ts';

const size = { width: 96, height: 72 };
const timing = { delay: [50, 120, 200], loop: 3 };
const lossless = { webp: { lossless: true, effort: 0 } };

/** Three photographs. */
function stills(of: { width: number; height: number } = size): Promise<Buffer[]> {
	return Promise.all([1, 2, 3].map((seed) => photograph({ ...of, seed, format: 'png' })));
}

async function animate(frames: readonly Buffer[], format: 'gif' | 'webp' = 'webp'): Promise<Buffer> {
	const image = sharp([...frames], { join: { animated: true } });
	return format === 'gif' ? image.gif(timing).toBuffer() : image.webp({ ...timing, lossless: true }).toBuffer();
}

interface Frames {
	readonly frames: readonly Buffer[];
	readonly width: number;
	readonly height: number;
}

/** Every frame's red, green and blue. */
async function framesOf(file: Buffer): Promise<Frames> {
	const { data, info } = await sharp(file, { pages: -1 })
		.flatten({ background: '#ffffff' })
		.raw()
		.toBuffer({ resolveWithObject: true });
	const height = info.pageHeight ?? info.height;
	const bytes = info.width * height * 3;
	const frames = Array.from({ length: info.height / height }, (_, at) => data.subarray(at * bytes, (at + 1) * bytes));
	return { frames, width: info.width, height };
}

function difference(a: Buffer | undefined, b: Buffer | undefined): number {
	if (!a || !b || a.length !== b.length) return Number.POSITIVE_INFINITY;
	return a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] ?? 0)), 0) / a.length;
}

async function animated(steps: readonly unknown[], frames?: readonly Buffer[]): Promise<Frames> {
	const made = await make(await animate(frames ?? (await stills())), one(steps, [lossless]));
	return framesOf(made.variant('only').data);
}

/** The same steps on each frame as a picture of its own. */
async function separately(steps: readonly unknown[]): Promise<readonly (Buffer | undefined)[]> {
	const made = await Promise.all((await stills()).map((still) => make(still, one(steps, [lossless]))));
	return Promise.all(made.map(async (each) => (await framesOf(each.variant('only').data)).frames[0]));
}

/** A square of one colour on another, 96 × 72. */
function square(left: number, top: number, colour = '#e02020', background = '#808890'): Promise<Buffer> {
	const input = { create: { width: 20, height: 20, channels: 3, background: colour } } as const;
	return sharp({ create: { ...size, channels: 3, background } })
		.composite([{ input, left, top }])
		.removeAlpha()
		.png()
		.toBuffer();
}

describe.each(['gif', 'webp'] as const)('an animated %s', (format) => {
	it.each(['gif', 'webp'])('stays an animation as %s, with its timing', async (output) => {
		const file = await animate(await stills(), format);
		const made = await make(file, one([{ resize: { width: 48 } }], [{ [output]: {} }]));
		expect(made.facts).toMatchObject({ format, ...size, frames: 3 });
		const variant = made.variant('only');
		expect(variant).toMatchObject({ format: output, width: 48, height: 36 });
		expect(await sharp(variant.data, { pages: -1 }).metadata()).toMatchObject({ pages: 3, pageHeight: 36, ...timing });
		const { frames } = await framesOf(variant.data);
		for (const [index, still] of (await stills()).entries()) {
			const expected = await sharp(still).resize(48, 36).removeAlpha().raw().toBuffer();
			// GIF has 256 colours, at worst on both sides.
			expect(difference(frames[index], expected)).toBeLessThan(output === 'gif' || format === 'gif' ? 12 : 6);
		}
	});

	it.each(['jpeg', 'png', 'avif', 'tiff'])('is its first frame as %s', async (output) => {
		const [first = Buffer.alloc(0)] = await stills();
		const made = await make(
			await animate(await stills(), format),
			one([{ resize: { width: 48 } }], [{ [output]: {} }]),
		);
		const { data } = made.variant('only');
		expect((await sharp(data).metadata()).pages ?? 1).toBe(1);
		expect(await colourDifference(data, first)).toBeLessThan(7);
	});

	it.each([30, 60, 95])('is refused as corrupt if cut at %i percent', async (percent) => {
		const file = cut(await animate(await stills(), format), percent);
		await expect(make(file, one([]))).rejects.toMatchObject({ class: 'corrupt' });
	});
});

it('is complete without a trailer, and with bytes after it', async () => {
	const file = await animate(await stills(), 'gif');
	for (const odd of [file.subarray(0, -1), Buffer.concat([file, Buffer.alloc(500, 1)])]) {
		expect((await make(odd, one([]))).facts.frames).toBe(3);
	}
});

it('is its first frame on request, and in a variant that has both', async () => {
	const file = await animate(await stills());
	const pages = async (made: Made, format: string) =>
		(await sharp(made.variant('only', format).data).metadata()).pages ?? 1;
	const still = await make(file, one([], [{ webp: { animated: false } }, { gif: { animated: false } }]));
	expect([await pages(still, 'webp'), await pages(still, 'gif')]).toEqual([1, 1]);
	const both = await make(file, one([{ flop: {} }], [{ webp: {} }, { jpeg: {} }, { gif: {} }]));
	expect([await pages(both, 'webp'), await pages(both, 'jpeg'), await pages(both, 'gif')]).toEqual([3, 1, 3]);
	expect(both.variant('only', 'jpeg')).toMatchObject(size);
});

describe('steps of an animation', () => {
	const looksAtAll = new Set(
		operations.filter(({ needsAllFrames, repeat }) => needsAllFrames || repeat).map(({ name }) => name),
	);
	const plain = operations.filter(({ name, assets }) => !looksAtAll.has(name) && !assets);

	it.each(plain.map(({ name, example }) => [name, { [name]: example }] as const))(
		'does %s to each frame as to a picture of its own',
		async (_name, step) => {
			const { frames } = await animated([step]);
			const expected = await separately([step]);
			expect(frames).toHaveLength(3);
			for (const [index, frame] of frames.entries()) expect(difference(frame, expected[index])).toBe(0);
		},
	);

	it('are applied in order, including those of dependent variants', async () => {
		const steps = [
			{ crop: { width: 60, height: 60, left: 4, top: 2 } },
			{ rotate: { angle: 90 } },
			{ blur: { sigma: 2 } },
		];
		const recipe = {
			variants: {
				a: { steps: steps.slice(0, 2), encode: [{ jpeg: {} }] },
				b: { from: 'a', steps: steps.slice(2), encode: [lossless] },
			},
		};
		const made = await make(await animate(await stills()), recipe, { concurrency: 2 });
		const { frames } = await framesOf(made.variant('b').data);
		const expected = await separately(steps);
		for (const [index, frame] of frames.entries()) expect(difference(frame, expected[index])).toBe(0);
	});

	it('scale frames without mixing them', async () => {
		const solid = (background: string) =>
			sharp({ create: { ...size, channels: 3, background } })
				.png()
				.toBuffer();
		const { frames } = await animated(
			[{ resize: { width: 40 } }],
			await Promise.all(['#ff0000', '#0000ff', '#00ff00'].map(solid)),
		);
		expect(
			frames.map((frame) => new Set(Array.from({ length: frame.length / 3 }, (_, at) => frame.readUIntBE(at * 3, 3)))),
		).toEqual([new Set([0xff0000]), new Set([0x0000ff]), new Set([0x00ff00])]);
	});

	it.each([
		['a crop', { crop: { width: 30, height: 30, position: 'attention' } }],
		['a crop by entropy', { crop: { width: 30, height: 30, position: 'entropy' } }],
		['a resize', { resize: { width: 30, height: 60, position: 'attention' } }],
	])('crop every frame like the first one, in %s', async (_name, step) => {
		const moving = await Promise.all([square(70, 10), square(40, 30), square(4, 50)]);
		const { frames, width, height } = await animated([step], moving);
		const [first = Buffer.alloc(0)] = moving;
		const alone = await framesOf((await make(first, one([step], [lossless]))).variant('only').data);
		expect(difference(frames[0], alone.frames[0])).toBeLessThan(1);
		// The square has left: had each frame its own cut, it would be in all.
		const red = (frame: Buffer | undefined) => {
			let count = 0;
			for (let at = 0; frame && at < frame.length; at += 3) if ((frame[at] ?? 0) > 200) count++;
			return count / (width * height);
		};
		expect(red(frames[0])).toBeGreaterThan(0.1);
		expect(red(frames[2])).toBe(0);
	});

	it('trim every frame like the first one', async () => {
		const { frames, width, height } = await animated(
			[{ trim: { lineArt: true } }, { flip: {} }],
			await Promise.all([square(70, 10), square(60, 15), square(4, 50)]),
		);
		expect({ width, height }).toEqual({ width: 20, height: 20 });
		expect(frames).toHaveLength(3);
		expect(frames[0]?.subarray(0, 3).toString('hex')).toBe('e02020');
		// 10 to the left, 5 down, and turned over.
		expect(frames[1]?.subarray(0, 3).toString('hex')).toBe('e02020');
		expect(frames[1]?.subarray(-3).toString('hex')).toBe('808890');
	});

	it('trim both sides of every frame like the first one', async () => {
		// 96 × 72, and a square of 20 × 20.
		const { frames, width, height } = await animated(
			[{ trim: { lineArt: true, equal: 'horizontal' } }],
			await Promise.all([square(70, 10), square(60, 15), square(4, 50)]),
		);
		expect({ width, height }).toEqual({ width: 96 - 2 * 6, height: 20 });
		const colourAt = (frame: Buffer | undefined, x: number, y: number) => {
			const start = (y * width + x) * 3;
			return frame?.subarray(start, start + 3).toString('hex');
		};
		expect([colourAt(frames[0], 63, 0), colourAt(frames[0], 64, 0)]).toEqual(['808890', 'e02020']);
		expect([colourAt(frames[1], 54, 4), colourAt(frames[1], 54, 5)]).toEqual(['808890', 'e02020']);
		expect(colourAt(frames[2], 0, 0)).toBe('808890');
	});

	it('stretch the lightness of all frames alike', async () => {
		const grey = (value: number) =>
			sharp({ create: { ...size, channels: 3, background: { r: value, g: value, b: value } } })
				.png()
				.toBuffer();
		const { frames } = await animated([{ normalise: {} }], await Promise.all([60, 110, 160].map(grey)));
		const means = frames.map((frame) => frame.reduce((sum, value) => sum + value, 0) / frame.length);
		expect(means[0]).toBeLessThan(10);
		expect(means[1]).toBeGreaterThan(90);
		expect(means[1]).toBeLessThan(165);
		expect(means[2]).toBeGreaterThan(245);
	});

	it('rotate frames upright', async () => {
		const turned = await sharp(
			await animate(await Promise.all([square(0, 0), square(0, 0, '#20e020'), square(0, 0)])),
			{ pages: -1 },
		)
			.withMetadata({ orientation: 6 })
			.webp({ lossless: true })
			.toBuffer();
		const made = await make(turned, one([], [lossless]));
		expect(made.facts).toMatchObject({ orientation: 6, width: 72, height: 96, frames: 3 });
		const { frames, width } = await framesOf(made.variant('only').data);
		expect(width).toBe(72);
		expect(frames[1]?.subarray((width - 1) * 3, width * 3).toString('hex')).toBe('20e020');
		expect(frames[1]?.subarray(0, 3).toString('hex')).toBe('808890');
	});
});

it.each([
	['webp', ['gif', 'webp', 'png']],
	['gif', ['gif', 'avif']],
	['jpeg', ['jpeg']],
])('make %s if auto may choose from %j', async (format, formats) => {
	const made = await make(await animate(await stills()), one([], [{ auto: { formats } }]));
	expect(made.variant('only').format).toBe(format);
	expect((await sharp(made.variant('only').data).metadata()).pages ?? 1).toBe(format === 'jpeg' ? 1 : 3);
});

it('get a quality searched on its first frame', async () => {
	const made = await make(await animate(await stills()), one([], [{ webp: { quality: { ssim: 0.95 } } }]));
	expect(made.variant('only').quality?.ssim).toBeGreaterThanOrEqual(0.95);
	expect((await sharp(made.variant('only').data).metadata()).pages).toBe(3);
});

it('are ignored by the analysis of its first frame', async () => {
	const [first = Buffer.alloc(0)] = await stills();
	const recipe = (encode: unknown) => ({ analyse: ['thumbhash'], variants: { only: { encode: [encode] } } });
	const expected = (await make(first, recipe({ webp: {} }))).analysis;
	const file = await sharp(await stills(), { join: { animated: true } })
		.webp({ ...timing, lossless: true })
		.toBuffer();
	expect((await make(file, recipe({ webp: {} }))).analysis).toEqual(expected);
	expect((await make(file, recipe({ jpeg: {} }))).analysis).toEqual(expected);
});

describe('limits of an animation', () => {
	it('count the pixels of all frames, including those of results', async () => {
		const file = await animate(await stills());
		const pixels = (size.width * size.height) / 1e6;
		await expect(make(file, one([]), { maxMegapixels: pixels * 0.9 })).rejects.toMatchObject({
			code: 'too-many-pixels',
		});
		await expect(make(file, one([]), { maxFrames: 2 })).rejects.toMatchObject({ code: 'too-many-frames' });
		const twice = [{ resize: { width: size.width * 2 } }];
		const limited = { maxMegapixels: pixels * 5 };
		await expect(make(file, one(twice), limited)).rejects.toMatchObject({
			code: 'output-too-large',
			message: expect.stringContaining('192 × 144 × 3 frames'),
		});
		// Of a single frame it is not too much.
		await expect(make(file, one(twice, [{ jpeg: {} }]), limited)).resolves.toBeDefined();
	});
});

const shared = sharedPictures('animated');
describe.skipIf(shared.length === 0)(extraTitle('animated', shared), () => {
	it.skipIf(shared.length === 0).each(shared)('keeps every frame of $name', async ({ path }) => {
		const file = await readFile(path);
		const before = await sharp(file).metadata();
		const made = await make(file, one([{ resize: { width: 40 } }], [{ webp: { effort: 0 } }]));
		const after = await sharp(made.variant('only').data).metadata();
		// Frames that are the same become one that is shown longer.
		const total = (delay: readonly number[] = []) => delay.reduce((sum, milliseconds) => sum + milliseconds, 0);
		expect(total(after.delay)).toBe(total(before.delay));
		expect(after.loop).toBe(before.loop);
	});
});

const edges = sharedPictures('../cases', /^(loop-65535|delay-100s)\.gif$/);
describe.skipIf(edges.length === 0)(extraTitle('../cases', edges), () => {
	it.skipIf(edges.length === 0).each(edges)(
		'writes the timing of $name as far as a format holds it',
		async ({ path, name }) => {
			const made = await make(await readFile(path), one([], [{ gif: {} }, { webp: { lossless: true } }]));
			const timing = async (format: string) => {
				const { loop, delay = [] } = await sharp(made.variant('only', format).data).metadata();
				return { loop, total: delay.reduce((sum, milliseconds) => sum + milliseconds, 0) };
			};
			// A GIF counts repetitions, so that it holds one run more than a WebP.
			const isLong = name.startsWith('delay');
			expect(await timing('gif')).toEqual(isLong ? { loop: 0, total: 200_000 } : { loop: 65_536, total: 200 });
			expect(await timing('webp')).toEqual(isLong ? { loop: 0, total: 200_000 } : { loop: 65_535, total: 200 });
		},
	);
});
