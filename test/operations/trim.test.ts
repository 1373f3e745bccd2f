import { describe, expect, it } from 'vitest';
import { make, one } from '../pipeline/make.ts';
import { at, draw, pixelsOf, stepped } from './pixels.ts';

/** A picture of one colour with a red block from 30, 20 to 70, 50. */
const block = { left: 30, top: 20, width: 40, height: 30 };
const framed = (around: readonly number[], inside: readonly number[] = [200, 0, 0, 255]) =>
	draw({ width: 100, height: 80 }, (x, y) => {
		const isInside = x >= block.left && x < block.left + block.width && y >= block.top && y < block.top + block.height;
		return (isInside ? inside : around).slice(0, around.length);
	});

describe('trim', () => {
	it('keeps what differs from the left top pixel, and a margin', async () => {
		const made = await stepped(await framed([255, 255, 255]), { trim: {} });
		expect(made).toMatchObject({ width: 40, height: 30 });
		expect(at(made, 0, 0)).toEqual([200, 0, 0, 255]);
		const wide = await stepped(await framed([255, 255, 255]), { trim: { margin: 5 } });
		expect(wide).toMatchObject({ width: 50, height: 40 });
		expect(at(wide, 0, 0)).toEqual([255, 255, 255, 255]);
	});

	it('keeps what differs from a colour by more than the threshold', async () => {
		const picture = await framed([250, 250, 250]);
		expect(await stepped(picture, { trim: { background: '#ffffff' } })).toMatchObject({ width: 40, height: 30 });
		expect(await stepped(picture, { trim: { background: '#ffffff', threshold: 2 } })).toMatchObject({ width: 100 });
		expect(await stepped(picture, { trim: { background: '#0000ff' } })).toMatchObject({ width: 100, height: 80 });
	});

	it('removes transparent borders', async () => {
		expect(await stepped(await framed([0, 0, 0, 0]), { trim: {} })).toMatchObject({ width: 40, height: 30 });
	});

	it('treats transparent pixels as the colour of its matte', async () => {
		const matte = '#ff00ff';
		// The hidden colour of the border is that of the block.
		const clear = await framed([200, 0, 0, 0]);
		expect(await stepped(clear, { trim: { matte } })).toMatchObject({ width: 40, height: 30 });
		expect(await stepped(clear, { trim: { matte, background: '#ff00ff' } })).toMatchObject({ width: 40, height: 30 });
		expect(await stepped(clear, { trim: { matte, background: '#c80000' } })).toMatchObject({ width: 100, height: 80 });
		const made = await stepped(clear, { trim: { matte, background: '#ff00ff', margin: 2, equal: 'both' } });
		expect(made).toMatchObject({ width: 44, height: 44 });
		expect([at(made, 0, 0), at(made, 3, 3)]).toEqual([
			[200, 0, 0, 0],
			[200, 0, 0, 255],
		]);
		// Half of magenta and half of red: 27, 128 and 128 from magenta.
		const glass = await framed([200, 0, 0, 128]);
		expect(await stepped(glass, { trim: { matte, background: '#ff00ff', threshold: 126 } })).toMatchObject({
			width: 100,
		});
		expect(await stepped(glass, { trim: { matte, background: '#ff00ff', threshold: 130 } })).toMatchObject({
			width: 40,
		});
	});

	it.each([
		['horizontal', { width: 40, height: 30 }, [0, 0]],
		['vertical', { width: 40, height: 40 }, [0, 0]],
		['both', { width: 40, height: 40 }, [0, 0]],
	])('removes the same on both sides if requested: %s', async (equal, size, [x = 0, y = 0]) => {
		const made = await stepped(await framed([255, 255, 255]), { trim: { equal } });
		expect(made).toMatchObject(size);
		expect(at(made, x, y)).toEqual([200, 0, 0, 255]);
	});

	it('keeps a picture of one colour whole, however small', async () => {
		for (const [width, height] of [
			[50, 40],
			[1, 1],
			[2, 2],
			[2, 40],
			[40, 1],
		] as const) {
			const plain = await draw({ width, height }, () => [9, 9, 9]);
			expect(await stepped(plain, { trim: {} })).toMatchObject({ width, height });
		}
	});
});

describe('steps after a trim', () => {
	it('are planned for the remaining size', async () => {
		const picture = await framed([255, 255, 255]);
		expect(await stepped(picture, { trim: {} }, { resize: { width: 80 } })).toMatchObject({ width: 80, height: 60 });
		expect(await stepped(picture, { trim: {} }, { extend: { ratio: '2:1' } })).toMatchObject({ width: 60, height: 30 });
		const twice = await stepped(
			picture,
			{ trim: {} },
			{ border: { width: 9, colour: '#00ff00' } },
			{ trim: {} },
			{ rotate: { angle: 90 } },
		);
		expect(twice).toMatchObject({ width: 30, height: 40 });
		expect(await stepped(picture, { flip: {} }, { trim: {} }, { circle: {} })).toMatchObject({ width: 30, height: 30 });
	});

	it('apply to dependent variants too, and all of them count', async () => {
		const made = await make(await framed([255, 255, 255]), {
			variants: {
				cut: { steps: [{ trim: {} }], encode: [{ png: {} }, { webp: {} }] },
				large: { from: 'cut', steps: [{ resize: { width: 400 } }], encode: [{ png: {} }] },
				round: { from: 'large', steps: [{ round: { radius: '50%' } }], encode: [{ png: {} }] },
			},
		});
		expect(made.outputs.map(({ name, width, height }) => `${name} ${width}×${height}`).sort()).toEqual([
			'cut 40×30',
			'cut 40×30',
			'large 400×300',
			'round 400×300',
		]);
		expect(made.steps.at(-1)?.done).toBe(1);
		expect(at(await pixelsOf(made.variant('round').data), 0, 0)[3]).toBe(0);
	});

	it('respect the limits of pixels, of the variant and of its format', async () => {
		// 1 × 60 is left, of which 300 × 18,000 would be made; the whole picture of 60 × 80 would allow it.
		const line = await draw({ width: 60, height: 80 }, (x, y) =>
			x === 30 && y >= 10 && y < 70 ? [0, 0, 0] : [255, 255, 255],
		);
		const steps = [{ trim: { lineArt: true } }, { resize: { width: 300 } }];
		const png = [{ png: {} }];
		await expect(make(line, one(steps, png), { maxMegapixels: 5 })).rejects.toMatchObject({
			code: 'output-too-large',
			class: 'limit',
			message: 'Expected resize to make at most 5 million pixels in variant only but it would be 300 × 18000.',
		});
		await expect(make(line, one(steps, png), { maxOutputDimension: 17_000 })).rejects.toMatchObject({
			code: 'output-too-large',
			message: expect.stringContaining('17000 pixels of width and height'),
		});
		expect((await make(line, one(steps))).variant('only')).toMatchObject({
			...{ width: 273, height: 16_383 },
			limited: { reason: 'format', message: expect.stringContaining('300 × 18000') },
		});
		expect((await make(line, one(steps, png))).variant('only')).toMatchObject({ width: 300, height: 18_000 });
	});

	it('are not refused for the size without the trim', async () => {
		const picture = await framed([255, 255, 255]);
		const steps = [{ trim: {} }, { extend: { left: 160, top: 170 } }];
		const made = await make(picture, one(steps, [{ png: {} }]), { maxOutputDimension: 200 });
		expect(made.variant('only')).toMatchObject({ width: 200, height: 200 });
	});
});
