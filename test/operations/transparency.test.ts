import { describe, expect, it } from 'vitest';
import { make, one } from '../pipeline/make.ts';
import { at, draw, pixelsOf, type Rgba, stepped } from './pixels.ts';

const red = draw({ width: 100, height: 60 }, () => [200, 10, 20]);
/** Alpha grows from 0 on the left to 255 on the right. */
const fading = draw({ width: 256, height: 20 }, (x) => [200, 100, 50, x]);

function alphas(made: Rgba): number[] {
	return Array.from({ length: made.width * made.height }, (_, pixel) => made.data[pixel * 4 + 3] ?? 0);
}

describe('round', () => {
	it.each([
		[20, 20],
		['25%', 15],
		[5_000, 30],
		['50%', 30],
	])('by %s cuts arcs out of all four corners and nothing else', async (radius, pixels) => {
		const made = await stepped(await red, { round: { radius } });
		expect(made).toMatchObject({ width: 100, height: 60 });
		const alpha = (x: number, y: number) => at(made, x, y)[3];
		for (const [x, y] of [
			[0, 0],
			[99, 0],
			[0, 59],
			[99, 59],
		] as const) {
			expect(alpha(x, y)).toBe(0);
		}
		expect(at(made, 50, 30)).toEqual([200, 10, 20, 255]);
		// Where the arcs end, the edges are whole.
		for (const value of [alpha(pixels, 0), alpha(0, pixels - 1), alpha(99 - pixels, 59), alpha(99, 30)]) {
			expect(value).toBeGreaterThan(250);
		}
		// Area of a square less that of a quarter of a circle, four times.
		const missing = alphas(made).reduce((sum, value) => sum + (255 - value) / 255, 0);
		const expected = (4 - Math.PI) * pixels ** 2;
		expect(Math.abs(missing - expected)).toBeLessThan(expected * 0.02);
		// The same from every side.
		expect(alpha(3, 1)).toBe(alpha(96, 1));
		expect(alpha(3, 1)).toBe(alpha(3, 58));
		expect(alpha(3, 1)).toBe(alpha(96, 58));
	});

	it('keeps transparent pixels transparent', async () => {
		const made = await stepped(await fading, { round: { radius: 5 } });
		for (const x of [6, 100, 200]) expect(at(made, x, 10)[3]).toBe(x);
		expect(at(made, 255, 0)[3]).toBe(0);
	});
});

it('circle keeps the circle of a square', async () => {
	const made = await stepped(await draw({ width: 101, height: 61 }, (x) => [x, 0, 0]), {
		circle: { position: 'right' },
	});
	expect(made).toMatchObject({ width: 61, height: 61 });
	expect(at(made, 30, 30)).toEqual([70, 0, 0, 255]);
	const visible = alphas(made).reduce((sum, value) => sum + value / 255, 0);
	expect(Math.abs(visible - Math.PI * 30.5 ** 2)).toBeLessThan(20);
	expect([at(made, 30, 0)[3], at(made, 0, 30)[3], at(made, 60, 30)[3]]).toEqual([255, 255, 255]);
	expect([at(made, 0, 0)[3], at(made, 60, 60)[3]]).toEqual([0, 0]);
});

describe('opacity', () => {
	it('multiplies the alpha and keeps colours', async () => {
		const made = await stepped(await fading, { opacity: { value: 0.5 } });
		for (const x of [40, 128, 255]) {
			const [, , , alpha = 0] = at(made, x, 10);
			expect(Math.abs(alpha - x / 2)).toBeLessThanOrEqual(1);
		}
		expect(at(made, 255, 10).slice(0, 3)).toEqual([200, 100, 50]);
		expect(at(await stepped(await red, { opacity: { value: 0.25 } }), 5, 5)).toEqual([200, 10, 20, 64]);
		expect(new Set(alphas(await stepped(await red, { opacity: { value: 0 } })))).toEqual(new Set([0]));
		expect(at(await stepped(await fading, { opacity: { value: 1 } }), 100, 5)).toEqual(
			at(await pixelsOf(await fading), 100, 5),
		);
	});
});

it('flatten puts its colour behind', async () => {
	const made = await stepped(await fading, { flatten: { background: '#0000ff' } });
	expect(made.hasAlpha).toBe(false);
	expect(at(made, 0, 0)).toEqual([0, 0, 255, 255]);
	expect(at(made, 255, 0)).toEqual([200, 100, 50, 255]);
	const [r = 0, g = 0, b = 0] = at(made, 128, 0);
	for (const [value, right] of [
		[r, 100],
		[g, 50],
		[b, 152],
	] as const) {
		expect(Math.abs(value - right)).toBeLessThanOrEqual(2);
	}
});

describe('a format without transparency', () => {
	const green = [{ jpeg: { background: '#00ff00', quality: 95, chromaSubsampling: '4:4:4' } }];
	const asJpeg = async (file: Buffer, ...steps: readonly unknown[]) =>
		pixelsOf((await make(file, one(steps, green))).variant('only').data);
	const expectNear = (colour: readonly number[], right: readonly number[]) => {
		for (const [channel, value] of right.entries()) expect(Math.abs((colour[channel] ?? 0) - value)).toBeLessThan(12);
	};

	it.each([
		{ round: { radius: 20 } },
		{ circle: {} },
		{ opacity: { value: 0 } },
		{ rotate: { angle: 45, background: '#00000000' } },
		{ extend: { top: 20, background: '#00000000' } },
		{ border: { width: 20, colour: '#00000000' } },
		{ resize: { width: 100, height: 100, fit: 'contain', background: '#00000000' } },
	])('shows the background of its encoder if %j makes a picture transparent', async (step) => {
		expectNear(at(await asJpeg(await red, step), 0, 0), [0, 255, 0]);
	});

	it('has exactly that background, whatever was done to the picture before', async () => {
		const cases = [{ negate: {} }, { grayscale: {} }, { modulate: { brightness: 0.1 } }, { contrast: { factor: 0 } }];
		for (const step of cases) expectNear(at(await asJpeg(await fading, step), 2, 10), [0, 255, 0]);
		expectNear(at(await asJpeg(await red, { opacity: { value: 0.5 } }), 50, 30), [100, 132, 10]);
	});
});
