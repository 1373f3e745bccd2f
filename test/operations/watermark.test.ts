import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { make, one } from '../pipeline/make.ts';
import { assetsFrom } from './assets.ts';
import { at, draw, pixelsOf, type Rgba } from './pixels.ts';

const red = [255, 0, 0];
const blue = [0, 0, 255];
const picture = { width: 100, height: 60 };

/** A red mark of 10 × 5 on a blue picture of 100 × 60. */
async function marked(options: object, { mark = red, below = blue }: Record<string, number[]> = {}): Promise<Rgba> {
	const assets = await assetsFrom({ 'mark.png': await draw({ width: 10, height: 5 }, () => mark) });
	const file = await draw(picture, () => below);
	const step = { watermark: { picture: 'mark.png', ...options } };
	return pixelsOf((await make(file, one([step], [{ png: {} }]), { assets })).variant('only').data);
}

/** Left, top, right and bottom of what is not as blue as the rest; the last two lie outside. */
function found(made: Rgba): number[] | undefined {
	const box = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0];
	for (let y = 0; y < made.height; y++) {
		for (let x = 0; x < made.width; x++) {
			if (at(made, x, y)[0] === 0) continue;
			box.splice(
				0,
				4,
				Math.min(box[0] ?? 0, x),
				Math.min(box[1] ?? 0, y),
				Math.max(box[2] ?? 0, x + 1),
				Math.max(box[3] ?? 0, y + 1),
			);
		}
	}
	return Number.isFinite(box[0]) ? box : undefined;
}

describe('watermark', () => {
	it.each([
		// A fifth of the width is 20, and so 10 high: twice its size.
		[{ scale: 0.2, position: 'left top' }, [0, 0, 20, 10]],
		[{ scale: 0.2 }, [80, 50, 100, 60]],
		[{ scale: 'own' }, [90, 55, 100, 60]],
		// In pixels, whatever the scale.
		[{ width: 40, scale: 'own' }, [60, 40, 100, 60]],
		[{ height: 10 }, [80, 50, 100, 60]],
		[{ width: 40, height: 5 }, [90, 55, 100, 60]],
		// What is larger than the picture is cut, and never drawn whole.
		[{ width: 200, position: 'left top' }, [0, 0, 100, 60]],
		[{ width: 16_384, position: 'centre', tile: true }, [0, 0, 100, 60]],
		[{ scale: 0.2, position: 'centre' }, [40, 25, 60, 35]],
		[{ scale: 0.2, position: 'right top', x: 3, y: 4 }, [77, 4, 97, 14]],
		[{ scale: 0.2, position: 'left bottom', x: '10%', y: '10%' }, [10, 44, 30, 54]],
		[{ scale: 0.2, position: 'centre', x: -10, y: 5 }, [30, 30, 50, 40]],
		// As large as fits: all of the width.
		[{ scale: 1, position: 'top' }, [0, 0, 100, 50]],
		// What sticks out is cut off.
		[{ scale: 0.2, position: 'left top', x: -5, y: -4 }, [0, 0, 15, 6]],
		[{ scale: 0.2, position: 'right bottom', x: -15, y: '-10%' }, [95, 56, 100, 60]],
	])('is placed as in %j', async (options, box) => {
		const made = await marked(options);
		expect(found(made)).toEqual(box);
		const [left = 0, top = 0, right = 0, bottom = 0] = box;
		expect(at(made, left, top)).toEqual([...red, 255]);
		expect(at(made, right - 1, bottom - 1)).toEqual([...red, 255]);
		expect(made.hasAlpha).toBe(false);
	});

	it('outside the picture, or invisible, does not change it', async () => {
		expect(found(await marked({ position: 'left top', x: -100 }))).toBeUndefined();
		expect(found(await marked({ opacity: 0 }))).toBeUndefined();
	});

	it('is blended by its opacity and its own alpha', async () => {
		const half = await marked({ scale: 0.2, position: 'left top', opacity: 0.5 });
		expect(Math.abs((at(half, 5, 5)[0] ?? 0) - 128)).toBeLessThanOrEqual(1);
		expect(Math.abs((at(half, 5, 5)[2] ?? 0) - 127)).toBeLessThanOrEqual(1);
		const quarter = await marked({ scale: 0.2, position: 'left top', opacity: 0.5 }, { mark: [...red, 128] });
		expect(Math.abs((at(quarter, 5, 5)[0] ?? 0) - 64)).toBeLessThanOrEqual(1);
	});

	it('keeps the transparency of the picture around it', async () => {
		const made = await marked({ scale: 0.2, position: 'left top' }, { below: [0, 0, 255, 100] });
		expect(made.hasAlpha).toBe(true);
		expect(at(made, 5, 5)).toEqual([255, 0, 0, 255]);
		expect(at(made, 50, 30)).toEqual([0, 0, 255, 100]);
	});

	it.each([
		['multiply', (one: number, other: number) => (one * other) / 255],
		['screen', (one: number, other: number) => 255 - ((255 - one) * (255 - other)) / 255],
		['darken', Math.min],
		['lighten', Math.max],
		['difference', (one: number, other: number) => Math.abs(one - other)],
	] as const)('is mixed with the picture by %s', async (blend, mix) => {
		const [mark, below] = [
			[200, 100, 50],
			[120, 60, 240],
		];
		const made = await marked({ blend, position: 'left top' }, { mark, below });
		for (const channel of [0, 1, 2]) {
			const right = mix(mark[channel] ?? 0, below[channel] ?? 0);
			expect(Math.abs((at(made, 3, 3)[channel] ?? 0) - right), `${at(made, 3, 3)}`).toBeLessThanOrEqual(1);
		}
	});

	it('repeats over the whole picture with gaps', async () => {
		// 20 × 10 with a gap of 20 × 10: one in four.
		const made = await marked({ tile: true, scale: 0.2, gap: '100%', position: 'left top' });
		for (let y = 0; y < 60; y++) {
			for (let x = 0; x < 100; x++) {
				const isMark = x % 40 < 20 && y % 20 < 10;
				expect(at(made, x, y).slice(0, 3), `${x} ${y}`).toEqual(isMark ? red : blue);
			}
		}
		const apart = await marked({ tile: true, scale: 0.2, gap: 5, gapBelow: 20, position: 'left top' });
		for (let y = 0; y < 60; y++) {
			for (let x = 0; x < 100; x++) {
				const isMark = x % 25 < 20 && y % 30 < 10;
				expect(at(apart, x, y).slice(0, 3), `${x} ${y}`).toEqual(isMark ? red : blue);
			}
		}
		const large = await marked({ tile: true, scale: 1, gap: 16_384, position: 'left top' });
		expect(found(large)).toEqual([0, 0, 100, 50]);
	});

	it('is sized by the picture at its step', async () => {
		const assets = await assetsFrom({ 'mark.png': await draw({ width: 10, height: 5 }, () => red) });
		const steps = [{ resize: { width: 50 } }, { watermark: { picture: 'mark.png', scale: 0.2, position: 'left top' } }];
		const made = await make(await draw(picture, () => blue), one(steps, [{ png: {} }]), { assets });
		expect(found(await pixelsOf(made.variant('only').data))).toEqual([0, 0, 10, 5]);
	});

	it.each([
		[{ picture: 'a.png', scale: 2 }, 'watermark.scale: expected a number from 0.01 to 1, received 2'],
		[
			{ picture: 'a.png', x: '5' },
			'watermark.x: expected pixels from -16384 to 16384, or a share of the picture\'s width from -100% to 100%, received "5"',
		],
		[{ picture: 'a.png', gap: -1 }, 'watermark.gap: expected pixels from 0 to 16384'],
		[{ picture: 'a.png', blend: 'dest-out' }, 'watermark.blend: expected one of over, multiply,'],
		[{}, 'watermark.picture: expected the plain name of a file in PICPIPE_ASSETS'],
	])('refuses %j', (options, message) => {
		expect(() => parseRecipe('r', one([{ watermark: options }]))).toThrow(message);
	});
});
