import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import type { RenderFormat, SourceFacts } from '../../../../src/delivery/dialects/image-request.ts';
import type { Pixels } from '../../../../src/pipeline/pixels/pixels.ts';
import { similarityTo } from '../../../../src/pipeline/pixels/similarity.ts';
import { photograph } from '../../../helpers/pictures.ts';
import { assetsFrom, logo } from '../../../operations/assets.ts';
import { difference, draw, pixelsOf } from '../../../operations/pixels.ts';
import { make } from '../../../pipeline/make.ts';
import { plan, recipeOf } from './read.ts';

/** Plans, really carried out, and sharp called directly for what the options mean. */

const size = { width: 640, height: 480 };
const facts: SourceFacts = { ...size, frames: 1, alpha: false, format: 'png' };
const file = photograph({ ...size, format: 'png' });

/** With a frame around it that is to be cut off. */
const framed: SourceFacts = { ...facts, width: 780, height: 600 };
const bordered = file.then((picture) =>
	sharp(picture).extend({ top: 50, right: 60, bottom: 70, left: 80, background: '#ffffff' }).png().toBuffer(),
);

async function rendered(options: string, input = file, source = facts): Promise<Buffer> {
	const recipe = recipeOf(plan(options, source), 'png');
	const assets = await assetsFrom({ 'watermark.png': await logo() });
	return Buffer.from((await make(await input, recipe, { assets })).variant('render').data);
}

async function expectAlike(made: Buffer, right: Sharp, most = 2): Promise<void> {
	const [ours, theirs] = [await pixelsOf(made), await pixelsOf(await right.png().toBuffer())];
	expect([ours.width, ours.height]).toEqual([theirs.width, theirs.height]);
	expect(difference(ours, theirs)).toBeLessThan(most);
}

const clear = { r: 0, g: 0, b: 0, alpha: 0 };

describe('renders', () => {
	it.each<[string, (image: Sharp) => Sharp | Promise<Sharp>, number?]>([
		['rs:fit:300:300', (image) => image.resize(300, 300, { fit: 'inside' })],
		['rs:fill:300:100', (image) => image.resize(300, 100)],
		['rs:fill:300:300/g:noea', (image) => image.resize(300, 300, { position: 'right top' })],
		['rs:force:300:300', (image) => image.resize(300, 300, { fit: 'fill' })],
		['rs:fit:2000:2000', (image) => image],
		['w:800/el:1', (image) => image.resize(800)],
		// 300 × 400 of 533 × 400.
		[
			'rs:fill:300:400/g:we:50',
			async (image) =>
				again(image.resize({ height: 400 }), (next) => next.extract({ left: 50, top: 0, width: 300, height: 400 })),
		],
		[
			'rs:fill:300:400/g:fp:0.9:0.5',
			async (image) =>
				again(image.resize({ height: 400 }), (next) => next.extract({ left: 233, top: 0, width: 300, height: 400 })),
		],
		// 200 × 400 of 853 × 640, cut before it is enlarged.
		[
			'rs:fill:400:1280:1/g:fp:0:0',
			async (image) =>
				again(image.extract({ left: 0, top: 0, width: 150, height: 480 }), (next) => next.resize(400, 1280)),
			3,
		],
		[
			'c:300:200:nowe:20:30/w:150',
			async (image) => again(image.extract({ left: 20, top: 30, width: 300, height: 200 }), (next) => next.resize(150)),
		],
		[
			'rot:90/fl:1/w:240',
			async (image) => again(image.rotate(90), async (next) => again(next.flop(), (last) => last.resize(240))),
		],
		[
			'rs:fit:300:300/ex:1:so/bg:8a1c1c',
			async (image) => again(image.resize(300), (next) => next.extend({ top: 75, background: '#8a1c1c' })),
		],
		[
			'rs:fit:300:300/pd:10:20/ex:1',
			async (image) =>
				again(image.resize(300), (next) =>
					next.extend({ top: 48, bottom: 47, left: 20, right: 20, background: clear }),
				),
		],
		['w:300/bl:4', async (image) => again(image.resize(300), (next) => next.blur(4))],
		[
			'w:300/ush:auto:2:20',
			async (image) =>
				again(image.resize(300), (next) =>
					next.convolve({ width: 3, height: 3, kernel: [-1, -1, -1, -1, 18, -1, -1, -1, -1], scale: 10 }),
				),
		],
		['w:300/sh:1', async (image) => again(image.resize(300), (next) => next.sharpen({ sigma: 1, m1: 0, m2: 3 }))],
		['w:300/co:1.4', async (image) => again(image.resize(300), (next) => next.linear(1.4, 127.5 * -0.4))],
		['w:300/br:40', async (image) => again(image.resize(300), (next) => next.linear(1, 40))],
		['w:300/a:40:1.4', async (image) => again(image.resize(300), (next) => next.linear(1.4, 40 * 1.4 + 127.5 * -0.4))],
		[
			'w:300/dt:0.25:ff0000:0000ff',
			async (image) => {
				const whole = await again(image.resize(300), (next) => next.clone());
				const two = sharp(await whole.clone().png().toBuffer()).recomb([
					[-0.2126, -0.7152, -0.0722],
					[0, 0, 0],
					[0.2126, 0.7152, 0.0722],
				]);
				const coloured = await two.linear([1, 1, 1], [255, 0, 0]).ensureAlpha(0.25).png().toBuffer();
				return whole.composite([{ input: coloured }]);
			},
		],
		['w:300/mc:1', async (image) => again(image.resize(300), (next) => next.grayscale())],
		[
			'w:300/dpr:2/-/c:0.5:0.5',
			async (image) =>
				again(image.resize(600), (next) => next.extract({ left: 150, top: 113, width: 300, height: 225 })),
		],
		[
			'w:400/wm:1:soea:10:20:0.25',
			async (image) => {
				const mark = await sharp(await logo())
					.resize(100, 67, { fit: 'fill' })
					.png()
					.toBuffer();
				return again(image.resize(400), (next) => next.composite([{ input: mark, left: 290, top: 213 }]));
			},
		],
	])('%s', async (options, right, most) => {
		await expectAlike(await rendered(options), await right(sharp(await file)), most);
	});

	it.each<[string, (image: Sharp) => Sharp | Promise<Sharp>]>([
		['rs:fit:300:300', (image) => image.resize(300)],
		['c:0.5:0.25:nowe:0.1:20', (image) => image.extract({ left: 64, top: 20, width: 320, height: 120 })],
		['c:300:200:soea:15:0.1', (image) => image.extract({ left: 325, top: 232, width: 300, height: 200 })],
		['c:300:200:no/car:1', (image) => image.extract({ left: 220, top: 0, width: 200, height: 200 })],
		['z:0.5:0.25', (image) => image.resize(320, 120, { fit: 'fill' })],
		['dpr:0.5', (image) => image.resize(320)],
		['mw:960', (image) => image.resize(960)],
		[
			's:300:200/mh:400/g:we:10',
			async (image) =>
				again(image.resize(533, 400, { fit: 'fill' }), (next) =>
					next.extract({ left: 10, top: 100, width: 300, height: 200 }),
				),
		],
		// It lies, as one box does; into the other one it is fitted.
		['rs:auto:300:100', (image) => image.resize(300, 100)],
		['rs:auto:300:400', (image) => image.resize(300)],
		[
			'rs:auto:300:100/g:no:0:10',
			async (image) => again(image.resize(300), (next) => next.extract({ left: 0, top: 10, width: 300, height: 100 })),
		],
		['rs:force:320:0/dpr:2', (image) => image.resize(320, 480, { fit: 'fill' })],
		// It has 1.6 pixels for each of 400, so 640 × 320, and as many for each of ten.
		['rs:fill:400:200/dpr:2/g:no:0:10', (image) => image.extract({ left: 0, top: 16, width: 640, height: 320 })],
		// It is too small altogether: nothing of a density is left.
		['rs:fill:700:200/dpr:2', (image) => image.extract({ left: 0, top: 140, width: 640, height: 200 })],
		[
			's:400:400/ex:1:no:0:20/dpr:2/pd:20:10/bg:8a1c1c',
			(image) => image.extend({ top: 32 + 32, bottom: 128 + 32, left: 16, right: 16, background: '#8a1c1c' }),
		],
		[
			's:200:200/ex:1/dpr:2/pd:10:0/bg:8a1c1c',
			async (image) => again(image.resize(400), (next) => next.extend({ top: 70, bottom: 70, background: '#8a1c1c' })),
		],
		[
			's:700:500/ex:1/dpr:2/bg:8a1c1c',
			(image) => image.extend({ top: 10, bottom: 10, left: 30, right: 30, background: '#8a1c1c' }),
		],
	])('trim what surrounds a picture, and then %s', async (options, right) => {
		await expectAlike(await rendered(`t:20/${options}`, bordered, framed), await right(sharp(await file)));
	});

	it.each([
		['t:20::1', { left: 60, top: 50, width: 660, height: 480 }],
		['t:20::0:1', { left: 80, top: 50, width: 640, height: 500 }],
		['t:20::1:1', { left: 60, top: 50, width: 660, height: 500 }],
	])('trim equally on both sides: %s', async (options, kept) => {
		await expectAlike(await rendered(options, bordered, framed), sharp(await bordered).extract(kept), 0.01);
	});

	it.each([
		'rs:force:300:300',
		'rs:force:1000:300',
		'rs:fill:300:100/g:fp:0.3:0.9',
		'rs:fill:1000:300/g:fp:0.3:0.9',
		'rs:fill-down:1000:300/g:no',
		'rs:fill-down:1000:300/g:fp:0.3:0.9',
		'rs:fill:200:150/dpr:2',
		'rs:fill:300:200/dpr:3',
		'w:300/pd:10:5/dpr:2',
		'car:1/w:200',
		'c:0.7:0.3:ea:0.1:7/w:200',
		'rs:fill:300:100/g:so:0:0.1',
		'rs:fill:200:300:1/g:we:50',
		// Cut before it is enlarged.
		'rs:fill:400:1280:1/g:nowe:64:16',
		'rs:fill:500:300/dpr:1.5/g:fp:0.3:0.9',
		'rs:fill-down:1000:300/dpr:2/g:no:0:5',
		'rs:auto:700:300/dpr:2/g:ea:8',
		'rs:fill:300:200:1/mw:500/dpr:1.5/g:no:0:10',
		's:800:300/exar:1:we:10/bg:8a1c1c',
		's:300:200/ex:1/dpr:3/pd:10:0:5:30/bg:8a1c1c',
		'z:1.5/el:1/pd:3',
	])('make the same of a trimmed picture as of the picture without its frame: %s', async (options) => {
		const trimmed = await rendered(`t:20/${options}`, bordered, framed);
		await expectAlike(trimmed, sharp(await rendered(options)));
	});

	describe('trim the same as imgproxy', () => {
		/** Transparent outside of 10 pixels, then magenta, then white, each 5 pixels wide, then blue. */
		const rings = draw({ width: 100, height: 80 }, (x, y) => {
			const edge = Math.min(x, y, 99 - x, 79 - y);
			if (edge < 10) return [255, 255, 255, 0];
			if (edge < 15) return [255, 0, 255, 255];
			return edge < 20 ? [255, 255, 255, 255] : [30, 60, 200, 255];
		});
		/** Blue at the left, transparent at the right. */
		const half = draw({ width: 100, height: 80 }, (x) => [30, 60, 200, x < 60 ? 255 : 0]);
		const source = { ...facts, width: 100, height: 80, alpha: true };
		it.each([
			['t:1:ff00ff', rings, { left: 15, top: 15, width: 70, height: 50 }],
			['t:1', rings, { left: 15, top: 15, width: 70, height: 50 }],
			['t:1:ffffff', rings, { left: 0, top: 0, width: 100, height: 80 }],
			['t:1:ff00ff/-/t:1:ffffff', rings, { left: 20, top: 20, width: 60, height: 40 }],
			['t:1:ff00ff', half, { left: 0, top: 0, width: 60, height: 80 }],
			['t:1:ff00ff:1', half, { left: 0, top: 0, width: 100, height: 80 }],
			['t:1:1e3cc8', half, { left: 60, top: 0, width: 40, height: 80 }],
			['t:1', half, { left: 60, top: 0, width: 40, height: 80 }],
		])('%s', async (options, picture, kept) => {
			const right = sharp(await picture).extract(kept);
			await expectAlike(await rendered(options, picture, source), right, 0.01);
		});
	});

	it.each([
		// Half of 201 pixels is 100 and a half, which becomes 100; half of 203 becomes 102, half of 202 is 101.
		['c:440:0', { left: 100, width: 440 }],
		['c:438:0', { left: 102, width: 438 }],
		['c:439:0', { left: 101, width: 439 }],
		['rs:fill:438:480', { left: 102, width: 438 }],
		['rs:fill:440:480', { left: 100, width: 440 }],
		['rs:fill:438:480/g:no', { left: 102, width: 438 }],
		['rs:fill:438:480/g:ea', { left: 202, width: 438 }],
	])('place the middle like imgproxy: %s', async (options, across) => {
		await expectAlike(await rendered(options), sharp(await file).extract({ top: 0, height: 480, ...across }), 0.01);
	});

	it('place the middle of a scaled picture like imgproxy', async () => {
		// 320 × 240, of which the middle begins at 62.
		const right = await again(sharp(await file).resize(320), (next) =>
			next.extract({ left: 62, top: 0, width: 198, height: 240 }),
		);
		await expectAlike(await rendered('rs:fill:198:240'), right, 0.5);
	});

	it('put a background behind transparent pixels', async () => {
		const glass = sharp(await file)
			.ensureAlpha(0.5)
			.png()
			.toBuffer();
		const right = sharp(await glass).flatten({ background: '#ffd166' });
		await expectAlike(await rendered('bg:ffd166', glass, { ...facts, alpha: true }), right);
	});

	it.each([
		['br:-255', '#000000'],
		['br:255', '#ffffff'],
	])('have one colour with %s, and transparent pixels stay transparent', async (options, colour) => {
		const red = await sharp({ create: { width: 20, height: 10, channels: 4, background: '#ff000080' } })
			.png()
			.toBuffer();
		const source = { ...facts, width: 20, height: 10, alpha: true };
		const { data } = await pixelsOf(await rendered(options, Promise.resolve(red), source));
		const value = Number.parseInt(colour.slice(1, 3), 16);
		expect([...data]).toEqual(Array.from({ length: 200 }, () => [value, value, value, 128]).flat());
		const photograph = await pixelsOf(await rendered(options));
		expect(new Set(photograph.data.filter((_, at) => at % 4 !== 3))).toEqual(new Set([value]));
	});

	it.each([1, 2, 3, 4, 5, 6, 7, 8])('with ar:0 ignore the EXIF orientation %i', async (orientation) => {
		const stored = await sharp(await file)
			.withMetadata({ orientation })
			.png()
			.toBuffer();
		const { autoOrient } = await sharp(stored).metadata();
		const source = { ...facts, ...autoOrient, orientation };
		await expectAlike(await rendered('ar:0', Promise.resolve(stored), source), sharp(await file), 0.01);
		await expectAlike(
			await rendered('ar:0/c:100:50:nowe', Promise.resolve(stored), source),
			sharp(await file).extract({ left: 0, top: 0, width: 100, height: 50 }),
			0.01,
		);
	});

	it('find the most striking part', async () => {
		await expectAlike(
			await rendered('c:200:200:sm'),
			await again(
				sharp(await file).resize(200, 200, { position: 'attention', withoutReduction: true }),
				(next) => next,
			),
		);
	});

	it('have the requested quality', async () => {
		expect((await written('q:20')).length).toBeLessThan((await written('q:90')).length / 2);
	});

	it('lose quality for a limit in bytes and never gain any', async () => {
		const [plain, poor] = [await written('w:300'), await written('w:300/q:20')];
		expect((await written('w:300/mb:1000000')).equals(plain)).toBe(true);
		expect((await written('w:300/q:20/mb:1000000')).equals(poor)).toBe(true);
		expect((await written(`w:300/mb:${plain.length}`)).equals(plain)).toBe(true);
		const smaller = await written(`w:300/mb:${plain.length - 1}`);
		expect(smaller.length).toBeLessThan(plain.length);
		expect(smaller.length).toBeGreaterThan(poor.length);
	});

	it('search a quality within imgproxy’s bounds', async () => {
		const [least, most] = [await written('w:300/q:70'), await written('w:300/q:80')];
		expect((await written('w:300/aq:size:1000000')).equals(most)).toBe(true);
		expect((await written('w:300/aq:size:200')).equals(least)).toBe(true);
		expect((await written('w:300/aq:dssim:1')).equals(least)).toBe(true);
		expect((await written('w:300/aq:dssim:0')).equals(most)).toBe(true);
		const between = await written('w:300/aq:dssim::1:100');
		expect(await similarity(between)).toBeGreaterThanOrEqual(0.96);
		expect(await similarity(await written('w:300/aq:dssim:0.05:1:100'))).toBeLessThan(0.96);
	});

	it('are as small as possible if no quality is small enough', async () => {
		expect((await written('w:300/mb:100')).equals(await written('w:300/q:1'))).toBe(true);
	});
});

async function written(options: string, format: RenderFormat = 'webp'): Promise<Buffer> {
	return Buffer.from((await make(await file, recipeOf(plan(options, facts), format))).variant('render').data);
}

/** To the same size without loss. */
async function similarity(made: Buffer): Promise<number> {
	const raw = async (one: Buffer): Promise<Pixels> => {
		const { data, width, height } = await pixelsOf(one);
		return { data: Buffer.from(data), width, height, channels: 4 };
	};
	return similarityTo(await raw(await rendered('w:300')))(await raw(made));
}

/** sharp orders what it does in a way of its own, so each step is a picture of its own. */
async function again(image: Sharp, next: (image: Sharp) => Sharp | Promise<Sharp>): Promise<Sharp> {
	return next(sharp(await image.png().toBuffer()));
}
