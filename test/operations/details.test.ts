import { describe, expect, it } from 'vitest';
import { pixelate } from '../../src/operations/pixelate.ts';
import { photograph } from '../helpers/pictures.ts';
import { make, one } from '../pipeline/make.ts';
import { at, difference, draw, pixelsOf, type Rgba, stepped } from './pixels.ts';

/** Where the colour changes along a row or a column. */
function edges(made: Rgba, direction: 'across' | 'down'): number[] {
	const length = direction === 'across' ? made.width : made.height;
	const colour = (index: number) => (direction === 'across' ? at(made, index, 0) : at(made, 0, index)).join();
	return Array.from({ length: length - 1 }, (_, index) => index + 1).filter(
		(index) => colour(index) !== colour(index - 1),
	);
}

describe('pixelate', () => {
	const noise = draw({ width: 120, height: 75 }, (x, y) => [(x * 97 + y * 31) % 256, (x * 2) % 256, (y * 3) % 256]);

	it('makes blocks of one colour each that fill the picture evenly', async () => {
		const made = await stepped(await noise, { pixelate: { size: 10 } });
		expect(made).toMatchObject({ width: 120, height: 75 });
		// 12 blocks across, and of 75 pixels down 8 of a little less than 10.
		const [across, down] = [edges(made, 'across'), edges(made, 'down')];
		expect([across.length, down.length]).toEqual([11, 7]);
		for (const [index, edge] of across.entries()) expect(Math.abs(edge - (index + 1) * 10)).toBeLessThanOrEqual(1);
		for (const [index, edge] of down.entries()) expect(Math.abs(edge - (index + 1) * 9.375)).toBeLessThanOrEqual(1);
		const [columns, rows] = [
			[0, ...across, 120],
			[0, ...down, 75],
		];
		for (const [row, top] of rows.slice(0, -1).entries()) {
			for (const [column, left] of columns.slice(0, -1).entries()) {
				const block = new Set<string>();
				for (let y = top; y < (rows[row + 1] ?? 0); y++) {
					for (let x = left; x < (columns[column + 1] ?? 0); x++) block.add(at(made, x, y).join());
				}
				expect(block.size).toBe(1);
			}
		}
	});

	it('makes one block of a picture smaller than a block', async () => {
		const made = await stepped(await noise, { pixelate: { size: 1_000 } });
		expect(new Set(Array.from({ length: 120 }, (_, x) => at(made, x, 40).join())).size).toBe(1);
	});

	it('needs only a pixel of the picture for each block, with the same result', async () => {
		const input = { width: 1200, height: 800 };
		const [first] = pixelate.passes?.(input, { size: 25 }) ?? [];
		expect(pixelate.predict(input, first ?? expect.fail()).sufficientScale).toEqual({
			width: 48,
			height: 32,
			kernel: 'linear',
		});
		const file = await photograph(input);
		const alone = await make(file, one([{ pixelate: { size: 25 } }], [{ png: {} }]));
		expect(alone.steps.map(({ step }) => step)).toEqual(['decode', 'encode only.png']);
		// After a step that needs every pixel, it starts from all of them.
		const after = await stepped(file, { negate: {} }, { negate: {} }, { pixelate: { size: 25 } });
		expect(difference(await pixelsOf(alone.variant('only').data), after)).toBeLessThan(2);
	});
});

it('median removes a speck and keeps an edge', async () => {
	const file = await draw({ width: 40, height: 20 }, (x, y) => {
		if (x === 10 && y === 10) return [255, 0, 0];
		return x < 20 ? [20, 20, 20] : [220, 220, 220];
	});
	const made = await stepped(file, { median: { size: 3 } });
	expect(at(made, 10, 10)).toEqual([20, 20, 20, 255]);
	expect([at(made, 19, 5)[0], at(made, 20, 5)[0]]).toEqual([20, 220]);
});

it('blur spreads a point like a Gaussian', async () => {
	const file = await draw({ width: 61, height: 61 }, (x, y) => {
		const isInside = Math.abs(x - 30) < 6 && Math.abs(y - 30) < 6;
		return isInside ? [255, 255, 255] : [0, 0, 0];
	});
	const made = await stepped(file, { blur: { sigma: 4 } });
	/** Weights are left out once they are below a fifth of the highest, as libvips does; it also rounds them. */
	const reach = Math.floor(4 * Math.sqrt(-2 * Math.log(0.2)));
	const weight = (distance: number) => (Math.abs(distance) > reach ? 0 : Math.exp(-(distance ** 2) / (2 * 4 ** 2)));
	const sum = (from: number, to: number) => {
		let total = 0;
		for (let distance = from; distance <= to; distance++) total += weight(distance);
		return total;
	};
	/** What a box of 11 pixels gives to a place, in one direction. */
	const share = (place: number) => sum(place - 5, place + 5) / sum(-reach, reach);
	for (const place of [0, 4, 8]) {
		expect(Math.abs((at(made, 30 + place, 30)[0] ?? 0) - 255 * share(place) * share(0))).toBeLessThan(8);
	}
});

it('sharpen makes an edge steeper and keeps flat areas', async () => {
	const file = await draw({ width: 40, height: 10 }, (x) => {
		const value = x < 18 ? 80 : x > 21 ? 170 : 80 + (x - 17) * 18;
		return [value, value, value];
	});
	const made = await stepped(file, { sharpen: { sigma: 1.5, m2: 3 } });
	expect([at(made, 2, 5)[0], at(made, 37, 5)[0]]).toEqual([80, 170]);
	expect(at(made, 17, 5)[0]).toBeLessThan(79);
	expect(at(made, 22, 5)[0]).toBeGreaterThan(171);
});

it('unsharp increases the difference to the neighbours, and keeps flat areas', async () => {
	const file = await draw({ width: 20, height: 10 }, (x) => (x < 10 ? [80, 90, 100] : [170, 160, 150]));
	const made = await stepped(file, { unsharp: { amount: 0.1 } });
	expect([at(made, 2, 5), at(made, 17, 5)]).toEqual([
		[80, 90, 100, 255],
		[170, 160, 150, 255],
	]);
	// Three of eight neighbours are on the other side.
	expect(at(made, 9, 5)).toEqual([80 - 27, 90 - 21, 100 - 15, 255]);
	expect(at(made, 10, 5)).toEqual([170 + 27, 160 + 21, 150 + 15, 255]);
});
