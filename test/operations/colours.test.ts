import { describe, expect, it } from 'vitest';
import { at, draw, pixelsOf, type Rgba, stepped } from './pixels.ts';

/** Greys from 0 to 255; alpha is 255 less the grey, where there is one. */
const ramp = draw({ width: 256, height: 4 }, (x) => [x, x, x]);
const fading = draw({ width: 256, height: 4 }, (x) => [x, x, x, 255 - x]);
/** Red, green, blue, yellow, white and black. */
const colours = [
	[255, 0, 0],
	[0, 255, 0],
	[0, 0, 255],
	[255, 255, 0],
	[255, 255, 255],
	[0, 0, 0],
];
/** A patch of each, half transparent in the lower half. */
const patches = draw({ width: 60, height: 20 }, (x, y) => {
	const colour = colours[Math.floor(x / 10)] ?? [];
	return [...colour, y < 10 ? 255 : 128];
});

function row(made: Rgba): number[][] {
	return Array.from({ length: made.width }, (_, x) => at(made, x, 1));
}

describe('opacity is unchanged', () => {
	it.each([
		{ sharpen: { sigma: 1 } },
		{ unsharp: {} },
		{ modulate: { brightness: 0.7, hue: 120 } },
		{ contrast: { factor: 2 } },
		{ gamma: { value: 2.2 } },
		{ gamma: { value: 0.5 } },
		{ normalise: {} },
		{ clahe: { width: 8, height: 4 } },
		{ grayscale: {} },
		{ tint: { colour: '#ff8800' } },
		{ duotone: { dark: '#001122', light: '#ffeedd' } },
		{ negate: {} },
		{ threshold: { value: 100 } },
	])('with %j', async (step) => {
		const made = await stepped(await fading, step);
		expect(row(made).map(([, , , alpha]) => alpha)).toEqual(
			row(await pixelsOf(await fading)).map(([, , , alpha]) => alpha),
		);
	});
});

it('clahe has the same colours as for a picture without alpha', async () => {
	const step = { clahe: { width: 16, height: 4, maxSlope: 10 } };
	const [opaque, clear] = [await stepped(await ramp, step), await stepped(await fading, step)];
	expect(row(clear).map((pixel) => pixel.slice(0, 3))).toEqual(row(opaque).map((pixel) => pixel.slice(0, 3)));
});

it.each([0, 1, 100, 128, 255])('threshold of %i divides a ramp at that value', async (value) => {
	const made = row(await stepped(await ramp, { threshold: { value } }));
	expect(made.findIndex(([red]) => red === 255)).toBe(value);
	expect(made).toEqual(made.map((_, x) => (x >= value ? [255, 255, 255, 255] : [0, 0, 0, 255])));
});

it.each([
	['#1b1464', '#ffd166', [27, 20, 100], [255, 209, 102]],
	['#ffffff', '#000000', [255, 255, 255], [0, 0, 0]],
	['#ff00ff', '#00ff01', [255, 0, 255], [0, 255, 1]],
] as const)('duotone maps black to %s and white to %s', async (dark, light, first, last) => {
	const made = row(await stepped(await ramp, { duotone: { dark, light } }));
	expect([made[0], made[255]]).toEqual([
		[...first, 255],
		[...last, 255],
	]);
	for (const [x, pixel] of made.entries()) {
		for (const channel of [0, 1, 2] as const) {
			const right = first[channel] + ((last[channel] - first[channel]) * x) / 255;
			expect(Math.abs((pixel[channel] ?? 0) - right)).toBeLessThanOrEqual(0.51);
		}
	}
});

it('grayscale keeps greys and turns each colour into one', async () => {
	expect(row(await stepped(await ramp, { grayscale: {} }))).toEqual(row(await pixelsOf(await ramp)));
	const made = await stepped(await patches, { grayscale: {} });
	// Red, green and blue have 21, 72 and 7 percent of the light of white (IEC 61966-2-1).
	const greys = [127, 220, 76, 247, 255, 0];
	for (const [index, grey] of greys.entries()) {
		const [red = 0, green, blue, alpha] = at(made, index * 10 + 5, 15);
		expect([green, blue, alpha]).toEqual([red, red, 128]);
		expect(Math.abs(red - grey), `${index}`).toBeLessThanOrEqual(1);
	}
});

it('tint keeps black and white', async () => {
	const made = row(await stepped(await ramp, { tint: { colour: '#ff8800' } }));
	expect([made[0], made[255]]).toEqual([
		[0, 0, 0, 255],
		[255, 255, 255, 255],
	]);
	const [red = 0, , blue = 0] = made[128] ?? [];
	expect(red - blue).toBeGreaterThan(60);
});

it.each([0, 0.25, 1])('tint of intensity %d is mixed with the colours of the picture', async (intensity) => {
	for (const file of [await patches, await fading]) {
		const [plain, whole, made] = await Promise.all(
			[undefined, { tint: { colour: '#ff8800' } }, { tint: { colour: '#ff8800', intensity } }].map(async (step) =>
				step ? stepped(file, step) : pixelsOf(file),
			),
		);
		for (const [index, value] of (made?.data ?? []).entries()) {
			const right = (1 - intensity) * (plain?.data[index] ?? 0) + intensity * (whole?.data[index] ?? 0);
			expect(Math.abs(value - right), `${index}`).toBeLessThanOrEqual(1.01);
		}
	}
});

it('negate inverts every colour', async () => {
	const made = await stepped(await patches, { negate: {} });
	for (const [index, colour] of colours.entries()) {
		expect(at(made, index * 10 + 5, 5)).toEqual([...colour.map((value) => 255 - value), 255]);
	}
});

it('duotone mixes its colours with those of the picture', async () => {
	const file = draw({ width: 256, height: 4 }, (x) => [x, 255 - x, 40]);
	const colours = { dark: '#102030', light: '#ffd166' };
	const [plain, whole] = [row(await stepped(await file)), row(await stepped(await file, { duotone: colours }))];
	for (const intensity of [0, 0.25, 1]) {
		const made = row(await stepped(await file, { duotone: { ...colours, intensity } }));
		for (const [at, pixel] of made.entries()) {
			for (const channel of [0, 1, 2]) {
				const right = (1 - intensity) * (plain[at]?.[channel] ?? 0) + intensity * (whole[at]?.[channel] ?? 0);
				expect(Math.abs((pixel[channel] ?? 0) - right), `${intensity} at ${at}`).toBeLessThanOrEqual(1);
			}
		}
	}
});

describe('contrast, gamma and modulate', () => {
	const reds = async (step: unknown) => row(await stepped(await ramp, step)).map(([red = 0]) => red);
	const still = Array.from({ length: 256 }, (_, x) => x);

	it('do not change the picture with neutral options', async () => {
		expect(await reds({ contrast: { factor: 1 } })).toEqual(still);
		expect(await reds({ gamma: { value: 1 } })).toEqual(still);
		expect(await reds({ modulate: {} })).toEqual(still);
	});

	it('contrast adds the brightness first', async () => {
		const values = await reds({ contrast: { factor: 1 } });
		const within = (value: number) => Math.max(0, Math.min(255, value));
		for (const brightness of [-255, -30, 30, 255]) {
			const made = await reds({ contrast: { factor: 1, brightness } });
			expect(made).toEqual(values.map((value) => within(value + brightness)));
		}
		const both = await reds({ contrast: { factor: 0.5, brightness: 30 } });
		expect(both).toEqual(values.map((value) => Math.floor((value + 30) * 0.5 + 127.5 * 0.5 + 0.5)));
	});

	it('contrast keeps middle grey', async () => {
		const strong = await reds({ contrast: { factor: 2 } });
		expect([strong[0], strong[63], strong[127], strong[128], strong[192], strong[255]]).toEqual([
			0, 0, 127, 129, 255, 255,
		]);
		expect(new Set(await reds({ contrast: { factor: 0 } }))).toEqual(new Set([128]));
		const weak = await reds({ contrast: { factor: 0.5 } });
		expect([weak[0], weak[255]]).toEqual([64, 191]);
	});

	it('gamma moves the midtones and keeps black and white', async () => {
		const [light, dark] = [await reds({ gamma: { value: 2 } }), await reds({ gamma: { value: 0.5 } })];
		expect([light[0], light[64], light[255]]).toEqual([0, 127, 255]);
		expect([dark[0], dark[128], dark[255]]).toEqual([0, 64, 255]);
	});

	it('modulate removes colour, rotates it and changes its lightness', async () => {
		const red = async (options: object) => at(await stepped(await patches, { modulate: options }), 5, 5);
		const [r = 0, g = 0, b = 0] = await red({ saturation: 0 });
		expect(Math.max(r, g, b) - Math.min(r, g, b)).toBeLessThanOrEqual(1);
		const [turnedRed = 0, turnedGreen = 0] = await red({ hue: 120 });
		expect(turnedGreen).toBeGreaterThan(turnedRed + 80);
		expect(await red({ hue: 360 })).toEqual([255, 0, 0, 255]);
		expect(await red({ lightness: -100 })).toEqual(expect.arrayContaining([0, 255]));
		expect((await red({ brightness: 0.5 }))[0]).toBeLessThan(180);
	});
});

it('normalise stretches from black to white', async () => {
	const flat = await draw({ width: 200, height: 10 }, (x) => Array.from({ length: 3 }, () => 80 + Math.floor(x / 4)));
	const made = row(await stepped(flat, { normalise: { lower: 0, upper: 100 } })).map(([red = 0]) => red);
	expect(made[0]).toBeLessThan(8);
	expect(made[199]).toBeGreaterThan(247);
});
