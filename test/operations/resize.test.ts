import sharp, { type ResizeOptions } from 'sharp';
import { describe, expect, it } from 'vitest';
import { resize } from '../../src/operations/resize.ts';
import { photograph, similarity } from '../helpers/pictures.ts';
import { make, one } from '../pipeline/make.ts';

const input = { width: 900, height: 600 };

describe('predicts sharp’s size', () => {
	const shapes = [
		[900, 600],
		[601, 899],
		[1, 1],
		[89, 3],
		[3, 89],
	] as const;
	const options = ['cover', 'contain', 'fill', 'inside', 'outside'].flatMap((fit) =>
		[false, true].flatMap((withoutEnlargement) =>
			[{ width: 333 }, { height: 217 }, { width: 333, height: 217 }, { width: 40, height: 201 }].map((box) => ({
				...box,
				fit,
				withoutEnlargement,
			})),
		),
	);
	it.each(shapes)('from %i × %i, for every fit', async (width, height) => {
		const picture = await sharp({ create: { width, height, channels: 3, background: '#336699' } })
			.png()
			.toBuffer();
		for (const written of options) {
			const parsed = resize.schema.parse(written);
			const { output } = resize.predict({ width, height }, parsed);
			const made = await make(picture, one([{ resize: written }], [{ png: { compressionLevel: 1 } }]));
			const shown = JSON.stringify(written);
			expect(await sizeOf(made.variant('only').data), shown).toEqual(output);
			// sharp directly, from the picture itself. It may round half a pixel the other way, never more.
			const direct = await sharp(picture)
				.resize(written as ResizeOptions)
				.raw()
				.toBuffer({ resolveWithObject: true });
			expect(Math.abs(direct.info.width - output.width), shown).toBeLessThanOrEqual(1);
			expect(Math.abs(direct.info.height - output.height), shown).toBeLessThanOrEqual(1);
		}
	});
});

describe('looks like sharp’s result', () => {
	it.each([
		{ width: 300 },
		{ height: 200 },
		{ width: 300, height: 300 },
		{ width: 300, height: 300, position: 'left top' },
		{ width: 300, height: 300, position: 'right' },
		{ width: 200, height: 300, position: 'attention' },
		{ width: 200, height: 300, position: 'entropy' },
		{ width: 300, height: 300, fit: 'contain', background: '#ff8800' },
		{ width: 300, height: 300, fit: 'contain', position: 'top' },
		{ width: 300, height: 300, fit: 'fill' },
		{ width: 300, height: 300, fit: 'inside' },
		{ width: 300, height: 300, fit: 'outside' },
		{ width: 300, kernel: 'nearest' },
		{ width: 300, kernel: 'mitchell' },
		{ width: 1400 },
		{ width: 1400, withoutEnlargement: true },
	])('%o', async (written) => {
		const picture = await photograph(input);
		const made = await make(picture, one([{ resize: written }], [{ png: {} }]));
		const { data } = made.variant('only');
		const direct = await sharp(picture)
			.resize(written as ResizeOptions)
			.png()
			.toBuffer();
		expect(await sizeOf(data)).toEqual(await sizeOf(direct));
		expect(await similarity(data, direct)).toBeGreaterThan(0.98);
	});
});

it('knows the sufficient scale, and the raster size for an enlarged picture', () => {
	const predict = (written: unknown) => resize.predict(input, resize.schema.parse(written));
	expect(predict({ width: 300 }).sufficientScale).toEqual({ width: 300, height: 200, kernel: 'lanczos3' });
	expect(predict({ width: 300, height: 300 })).toEqual({
		output: { width: 300, height: 300 },
		peak: { width: 450, height: 300 },
		sufficientScale: { width: 450, height: 300, kernel: 'lanczos3' },
	});
	expect(predict({ width: 300, height: 100, fit: 'fill' }).sufficientScale).toMatchObject({ width: 300, height: 200 });
	expect(predict({ width: 1800 }).sufficientScale).toBeUndefined();
	expect(predict({ width: 300, kernel: 'nearest' }).sufficientScale).toBeUndefined();
	expect(predict({ width: 300, kernel: 'cubic' }).sufficientScale?.kernel).toBe('cubic');
});

it('treats both spellings of the centre alike', () => {
	expect(resize.schema.parse({ width: 1, position: 'center' })).toEqual(resize.schema.parse({ width: 1 }));
});

async function sizeOf(picture: Buffer): Promise<{ width: number; height: number }> {
	const { width, height } = await sharp(picture).metadata();
	return { width, height };
}

describe('with a picture that is too small', () => {
	const small = { width: 90, height: 60 };

	it.each([
		[
			{ width: 60, height: 60 },
			{ width: 60, height: 60 },
		],
		[
			{ width: 180, height: 60 },
			{ width: 90, height: 30 },
		],
		[
			{ width: 60, height: 120 },
			{ width: 30, height: 60 },
		],
		[
			{ width: 900, height: 900 },
			{ width: 60, height: 60 },
		],
		[{ width: 180 }, { width: 90, height: 60 }],
		[
			{ width: 60, height: 60, fit: 'fill' },
			{ width: 60, height: 60 },
		],
		[
			{ width: 180, height: 60, fit: 'fill' },
			{ width: 90, height: 30 },
		],
		[
			{ width: 60, height: 120, fit: 'fill' },
			{ width: 30, height: 60 },
		],
		[
			{ width: 180, fit: 'fill' },
			{ width: 90, height: 30 },
		],
		[
			{ width: 30, fit: 'fill' },
			{ width: 30, height: 60 },
		],
	])('orSmaller gives the largest size of the shape of %j', async (asked, size) => {
		const picture = await photograph({ ...small, format: 'png' });
		const written = { ...asked, orSmaller: true };
		expect(resize.predict(small, resize.schema.parse(written)).output).toEqual(size);
		const [made, right] = await Promise.all(
			[written, { ...asked, ...size }].map(
				async (options) => (await make(picture, one([{ resize: options }], [{ png: {} }]))).variant('only').data,
			),
		);
		expect(await sizeOf(made as Buffer)).toEqual(size);
		expect((made as Buffer).equals(right as Buffer)).toBe(true);
	});

	it.each(['contain', 'inside', 'outside'])('keeps no shape with %s', (fit) => {
		expect(resize.schema.safeParse({ width: 9, height: 9, fit, orSmaller: true }).error?.issues[0]).toMatchObject({
			message: 'expected no such key because fit is neither cover nor fill',
			path: ['orSmaller'],
		});
	});
});

describe('with dpr', () => {
	it.each([
		[{ width: 300, dpr: 2 }, { width: 600 }],
		[
			{ width: 101, height: 33, dpr: 1.5 },
			{ width: 152, height: 50 },
		],
		[
			{ width: 100, height: 100, fit: 'contain', dpr: 3 },
			{ width: 300, height: 300, fit: 'contain' },
		],
		[
			{ width: 600, dpr: 2, withoutEnlargement: true },
			{ width: 1200, withoutEnlargement: true },
		],
		[
			{ width: 600, height: 600, dpr: 2, orSmaller: true },
			{ width: 1200, height: 1200, orSmaller: true },
		],
		[
			{ width: 500, height: 400, dpr: 2 },
			{ width: 1000, height: 800 },
		],
	])('%j equals the picture of %j', async (written, meant) => {
		const file = await photograph({ width: 900, height: 600 });
		const made = async (step: object) => (await make(file, one([{ resize: step }], [{ png: {} }]))).variant('only');
		const [twice, once] = [await made(written), await made(meant)];
		expect([twice.width, twice.height]).toEqual([once.width, once.height]);
		expect(twice.sha256).toBe(once.sha256);
	});

	it('is refused if a side becomes too large, and absent from the digest by default', () => {
		expect(resize.schema.safeParse({ width: 9_000, dpr: 2 }).error?.issues[0]).toMatchObject({
			message: 'expected width and height to be at most 16384 pixels when multiplied by dpr',
			path: ['dpr'],
		});
		expect(resize.schema.parse({ width: 9 })).not.toHaveProperty('dpr');
	});
});

describe('with a size that depends on the picture', () => {
	const wide = { width: 900, height: 600 };
	const tall = { width: 600, height: 900 };

	it.each<[object, typeof wide, object]>([
		[{ width: '50%' }, wide, { width: 450, height: 300 }],
		// A share is one of both sides, even where a side is no whole number of pixels.
		[{ width: '150%' }, { width: 7, height: 200 }, { width: 11, height: 300 }],
		[
			{ width: 4, height: 2, fit: 'fill', orSmaller: true, minWidth: 300 },
			{ width: 3, height: 200 },
			{ width: 300, height: 150 },
		],
		[{ height: '12.5%' }, wide, { width: 113, height: 75 }],
		[{ width: '50%', height: '200%', fit: 'fill' }, wide, { width: 450, height: 1200 }],
		[{ width: 300, height: '50%' }, wide, { width: 300, height: 300 }],
		// Of a page only pixels are multiplied.
		[{ width: '50%', height: 200, dpr: 2 }, wide, { width: 450, height: 400 }],
		[{ width: 300, height: 100, fit: 'auto' }, wide, { width: 300, height: 100 }],
		[{ width: 300, height: 100, fit: 'auto' }, tall, { width: 67, height: 100 }],
		[{ width: 100, height: 300, fit: 'auto' }, wide, { width: 100, height: 67 }],
		[{ width: 100, height: 300, fit: 'auto' }, tall, { width: 100, height: 300 }],
		// What is square lies.
		[{ width: 100, height: 100, fit: 'auto' }, wide, { width: 100, height: 100 }],
		[{ width: 300, fit: 'auto' }, tall, { width: 300, height: 450 }],
		[{ minWidth: 300 }, wide, wide],
		[{ minWidth: 1800 }, wide, { width: 1800, height: 1200 }],
		[{ width: 300, minHeight: 300 }, wide, { width: 450, height: 300 }],
		[{ width: 300, minWidth: 200, minHeight: 100 }, wide, { width: 300, height: 200 }],
		[{ width: 300, height: 300, fit: 'inside', minHeight: 250, dpr: 2 }, wide, { width: 750, height: 500 }],
		[{ width: 2000, minWidth: 1000, withoutEnlargement: true }, wide, { width: 1000, height: 667 }],
		[{ width: 300, height: 300, fit: 'fill', minWidth: 600 }, wide, { width: 600, height: 600 }],
	])('%j of %j is %j', async (written, input, size) => {
		expect(resize.predict(input, resize.schema.parse(written)).output).toEqual(size);
		const made = await make(await photograph(input), one([{ resize: written }], [{ png: { compressionLevel: 1 } }]));
		expect(await sizeOf(made.variant('only').data)).toEqual(size);
	});

	it.each<[object, object]>([
		// Enough for both, for one and a half, and for less than one.
		[
			{ width: 300, height: 200, dpr: 2 },
			{ width: 600, height: 400 },
		],
		[
			{ width: 600, height: 200, dpr: 2 },
			{ width: 900, height: 300 },
		],
		[
			{ width: 1000, height: 100, dpr: 2 },
			{ width: 1000, height: 100 },
		],
		[
			{ width: 1000, height: 100, dpr: 2, withoutEnlargement: true },
			{ width: 900, height: 100 },
		],
		[
			{ width: 1000, height: 100, dpr: 2, orSmaller: true },
			{ width: 900, height: 90 },
		],
		[
			{ width: 600, height: 600, dpr: 2, fit: 'inside' },
			{ width: 900, height: 600 },
		],
		[
			{ width: 400, height: 600, dpr: 2, fit: 'contain' },
			{ width: 800, height: 1200 },
		],
		[
			{ width: 600, height: 600, dpr: 2, fit: 'contain' },
			{ width: 900, height: 900 },
		],
		[
			{ width: 1200, dpr: 3 },
			{ width: 1200, height: 800 },
		],
	])('with %j and minDpr 1 it is %j', (written, size) => {
		expect(resize.predict(wide, resize.schema.parse({ ...written, minDpr: 1 })).output).toEqual(size);
	});

	it('is absent from the digest by default', () => {
		const parsed = resize.schema.parse({ width: 9, height: 9 });
		expect(Object.keys(parsed as object).sort()).toEqual(
			['background', 'fit', 'height', 'kernel', 'position', 'width', 'withoutEnlargement'].sort(),
		);
	});
});

describe('places the crop as requested', () => {
	it.each<[object, { left: number; top: number; width: number; height: number }]>([
		[
			{ width: 300, height: 100, position: 'top', y: 10 },
			{ left: 0, top: 10, width: 300, height: 100 },
		],
		[
			{ width: 300, height: 100, position: 'bottom', y: '5%' },
			{ left: 0, top: 90, width: 300, height: 100 },
		],
		[
			{ width: 300, height: 100, y: -20 },
			{ left: 0, top: 30, width: 300, height: 100 },
		],
		[
			{ width: 100, height: 200, position: 'right', x: 25 },
			{ left: 175, top: 0, width: 100, height: 200 },
		],
		[
			{ width: 100, height: 200, fit: 'auto', x: 25 },
			{ left: 0, top: 0, width: 100, height: 67 },
		],
		[
			{ width: 100, height: 200, focus: { x: 0.3, y: 1 } },
			{ left: 40, top: 0, width: 100, height: 200 },
		],
		[
			{ width: 50, height: 100, dpr: 2, position: 'left', x: 10 },
			{ left: 20, top: 0, width: 100, height: 200 },
		],
	])('%j', async (written, { left, top, width, height }) => {
		const picture = await photograph({ ...input, format: 'png' });
		const made = await make(picture, one([{ resize: written }], [{ png: {} }]));
		const { data } = made.variant('only');
		const scale = 'fit' in written ? { width: 100, height: 67 } : { width: 300, height: 200 };
		const whole = await sharp(picture)
			.resize({ ...scale, fit: 'fill' })
			.png()
			.toBuffer();
		const direct = await sharp(whole).extract({ left, top, width, height }).png().toBuffer();
		expect(await sizeOf(data)).toEqual({ width, height });
		expect(await similarity(data, direct)).toBeGreaterThan(0.98);
	});

	it('from a picture that is enlarged, without enlarging discarded pixels', async () => {
		const line = await sharp({ create: { width: 2, height: 3_000, channels: 3, background: '#336699' } })
			.composite([
				{ input: { create: { width: 2, height: 2, channels: 3, background: '#ff0000' } }, left: 0, top: 1_000 },
			])
			.png()
			.toBuffer();
		const step = { resize: { width: 100, height: 100, position: 'top', y: 16_384 } };
		const square = { resize: { width: 100, height: 100, focus: { x: 0, y: 1_001 / 3_000 } } };
		for (const [written, colour] of [
			[step, [0x33, 0x66, 0x99]],
			[square, [255, 0, 0]],
		] as const) {
			const made = await make(line, one([written], [{ png: {} }]), { maxMegapixels: 0.5 });
			const { dominant, channels } = await sharp(made.variant('only').data).stats();
			expect(
				channels.slice(0, 3).map(({ min }) => min),
				JSON.stringify(dominant),
			).toEqual(colour);
		}
	});
});
