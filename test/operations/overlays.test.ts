import { describe, expect, it } from 'vitest';
import { at, difference, draw, type Rgba, stepped } from './pixels.ts';

const white = draw({ width: 40, height: 20 }, () => [255, 255, 255]);
/** Transparent on the left, half of it on the right. */
const glass = draw({ width: 40, height: 20 }, (x) => [255, 255, 255, x < 20 ? 0 : 128]);

function expectNear(made: readonly number[], right: readonly number[]): void {
	made.forEach((value, channel) => {
		expect(Math.abs(value - (right[channel] ?? 0)), `${made} and ${right}`).toBeLessThanOrEqual(2);
	});
}

describe('colorize', () => {
	it('covers the whole picture', async () => {
		const made = await stepped(await white, { colorize: { colour: '#0000ff', opacity: 0.4 } });
		for (const [x, y] of [
			[0, 0],
			[39, 0],
			[20, 10],
			[0, 19],
			[39, 19],
		] as const) {
			expectNear(at(made, x, y), [153, 153, 255, 255]);
		}
		expectNear(at(await stepped(await white, { colorize: { opacity: 0 } }), 5, 5), [255, 255, 255, 255]);
		expectNear(at(await stepped(await white, { colorize: { colour: '#ff0000', opacity: 1 } }), 5, 5), [255, 0, 0, 255]);
	});

	it('also covers transparent pixels, unless they are kept', async () => {
		const filled = await stepped(await glass, { colorize: { colour: '#0000ff', opacity: 0.5 } });
		expectNear(at(filled, 5, 5), [0, 0, 255, 128]);
		expectNear(at(filled, 30, 5), [85, 85, 255, 192]);
		const kept = await stepped(await glass, { colorize: { colour: '#0000ff', opacity: 0.5, keepTransparency: true } });
		expect(at(kept, 5, 5)[3]).toBe(0);
		expectNear(at(kept, 30, 5), [128, 128, 255, 128]);
	});
});

describe('gradient', () => {
	it.each([
		['bottom', (made: Rgba, way: number) => at(made, 20, Math.floor(way * 20))],
		['top', (made: Rgba, way: number) => at(made, 20, 19 - Math.floor(way * 20))],
		['right', (made: Rgba, way: number) => at(made, Math.floor(way * 40), 10)],
		['left', (made: Rgba, way: number) => at(made, 39 - Math.floor(way * 40), 10)],
	] as const)('grows towards the %s', async (towards, pixel) => {
		const made = await stepped(await white, { gradient: { towards, start: 0.25, stop: 0.75, opacity: 0.8 } });
		expect(made).toMatchObject({ width: 40, height: 20 });
		expectNear(pixel(made, 0), [255, 255, 255, 255]);
		expectNear(pixel(made, 0.2), [255, 255, 255, 255]);
		const [middle = 0] = pixel(made, 0.5);
		expect(Math.abs(middle - 153)).toBeLessThan(15);
		expectNear(pixel(made, 0.8), [51, 51, 51, 255]);
		expectNear(pixel(made, 0.99), [51, 51, 51, 255]);
	});

	it.each([
		[0, 'top'],
		[90, 'right'],
		[180, 'bottom'],
		[270, 'left'],
		[360, 'top'],
	])('at an angle of %i equals one towards the %s', async (angle, towards) => {
		const [turned, straight] = [
			await stepped(await white, { gradient: { angle, start: 0.2 } }),
			await stepped(await white, { gradient: { towards, start: 0.2 } }),
		];
		expect(difference(turned, straight)).toBeLessThan(0.01);
	});

	it('at any angle is weakest in one corner and strongest in the opposite one', async () => {
		const made = await stepped(await white, { gradient: { angle: 120, opacity: 0.5 } });
		// As far along the line as CSS Images 4 (3.1.1) says, of a box of 40 × 20.
		const [right, up] = [Math.sin((120 * Math.PI) / 180), Math.cos((120 * Math.PI) / 180)];
		const length = 40 * right - 20 * up;
		for (const [x, y] of [
			[0, 0],
			[39, 19],
			[0, 19],
			[39, 0],
			[25, 6],
		] as const) {
			const way = ((x - 19.5) * right - (y - 9.5) * up) / length + 0.5;
			expect(Math.abs((at(made, x, y)[0] ?? 0) - 255 * (1 - way / 2))).toBeLessThanOrEqual(1.5);
		}
	});

	it('is a hard edge if start and stop are equal', async () => {
		const made = await stepped(await white, { gradient: { colour: '#ff0000', start: 0.5, stop: 0.5 } });
		expect([at(made, 0, 9), at(made, 0, 10)]).toEqual([
			[255, 255, 255, 255],
			[255, 0, 0, 255],
		]);
	});
});
