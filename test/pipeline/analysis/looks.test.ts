import { decode, isBlurhashValid } from 'blurhash';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { analysisKinds, measuredKinds } from '../../../src/domain/analysis.ts';
import { analysers } from '../../../src/pipeline/analysis/index.ts';
import { describeOperations } from '../../../src/pipeline/recipe/json-schema.ts';
import { photograph } from '../../helpers/pictures.ts';
import { make } from '../make.ts';
import { analyse, boxes, solidBoxes } from './subjects.ts';

const red = '#d01020';
const blue = '#1030c0';

describe('all kinds of analysis', () => {
	it('are known, each once', () => {
		expect(analysers.map(({ name }) => name)).toEqual(measuredKinds);
		const { analysis } = describeOperations();
		expect(analysis.map(({ name }) => name)).toEqual(analysisKinds);
		expect(analysis.find(({ name }) => name === 'focus')?.schema).toMatchObject({ required: ['x', 'y'] });
	});

	it('are measured in one decode, and only on request', async () => {
		const file = await photograph({ width: 800, height: 600, gps: true });
		const made = await make(file, {
			analyse: [...measuredKinds, 'element'],
			variants: { small: { steps: [{ resize: { width: 400 } }], encode: [{ webp: {} }] } },
		});
		expect(Object.keys(made.analysis).sort()).toEqual([...measuredKinds].sort());
		expect(made.steps.filter(({ step }) => step === 'decode')).toHaveLength(1);
		expect(made.steps.at(-1)?.done).toBe(1);
		const none = await make(file, { variants: { small: { encode: [{ webp: {} }] } } });
		expect(none.analysis).toEqual({});
	});

	it.each([
		[1, 1],
		[1, 400],
		[400, 1],
		[3, 2],
	])('work for %i × %i', async (width, height) => {
		const analysis = await analyse(await boxes(width, height, '#336699'), ...measuredKinds);
		expect(analysis).toMatchObject({
			dominant: '#336699',
			palette: [{ colour: '#336699', share: 1 }],
			phash: '0000000000000000',
			sharpness: 0,
			entropy: 0,
			opaque: true,
		});
		expect(analysis.focus?.x).toBeGreaterThanOrEqual(0);
		expect(isBlurhashValid(analysis.blurhash ?? '').result).toBe(true);
	});

	it('work for a fully transparent picture', async () => {
		const analysis = await analyse(await boxes(60, 40, '#ff000000'), ...measuredKinds);
		expect(analysis).toMatchObject({ palette: [], opaque: false, entropy: 0, sharpness: 0 });
		expect(analysis).not.toHaveProperty('dominant');
	});
});

describe('palette and dominant', () => {
	it('find two flat colours and their shares, and nothing in between', async () => {
		const file = await solidBoxes(400, 300, red, { left: 0, top: 0, width: 100, height: 300, colour: blue });
		const { palette, dominant } = await analyse(file, 'palette', 'dominant');
		expect(palette?.map(({ colour }) => colour)).toEqual([red, blue]);
		expect(palette?.[0]?.share).toBeCloseTo(0.75, 1);
		expect(palette?.[1]?.share).toBeCloseTo(0.25, 1);
		expect(dominant).toBe(red);
	});

	it('find five, the largest first, with a sum of 1', async () => {
		const colours = ['#102030', '#e0c010', '#20a040', '#c04090', '#f0f0f0'];
		const strips = colours.map((colour, index) => ({
			left: index * 40,
			top: 0,
			width: 40,
			height: 200 - index * 30,
			colour,
		}));
		const { palette } = await analyse(await boxes(200, 200, '#00000000', ...strips), 'palette');
		expect(palette?.map(({ colour }) => colour)).toEqual(colours);
		const sum = palette?.reduce((total, { share }) => total + share, 0);
		expect(sum).toBeGreaterThan(0.97);
		expect(sum).toBeLessThanOrEqual(1.003);
	});

	it('find the subject of a photograph beside its sky and its hills', async () => {
		// Where the red disc is a twentieth of what there is.
		const part = { left: 344, top: 172, width: 400, height: 400 };
		const file = await sharp(await photograph({ width: 800, height: 600 }))
			.extract(part)
			.png()
			.toBuffer();
		const { palette = [] } = await analyse(file, 'palette');
		const channels = palette.map(({ colour }) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)));
		expect(palette.length).toBeGreaterThanOrEqual(3);
		expect(channels.some(([r = 0, g = 0, b = 0]) => r > 150 && g < 100 && b < 100)).toBe(true);
		expect(channels.some(([r = 0, , b = 0]) => b > 200 && b > r)).toBe(true);
	});
});

describe('placeholders', () => {
	it('are a small WebP that resembles the picture', async () => {
		const file = await photograph({ width: 800, height: 600 });
		const { placeholder = '', blurhash = '' } = await analyse(file, 'placeholder', 'blurhash');
		expect(placeholder).toMatch(/^data:image\/webp;base64,[A-Za-z0-9+/]+=*$/);
		expect(placeholder.length).toBeLessThanOrEqual(600);
		const tiny = await sharp(Buffer.from(placeholder.split(',')[1] ?? '', 'base64'));
		expect(await tiny.metadata()).toMatchObject({ format: 'webp', width: 24, height: 18 });
		const wanted = await sharp(file).resize(24, 18).removeAlpha().raw().toBuffer();
		expect(differenceOf(await tiny.removeAlpha().raw().toBuffer(), wanted, 3)).toBeLessThan(16);
		const waves = await sharp(file).resize(24, 18).ensureAlpha().raw().toBuffer();
		expect(differenceOf(Buffer.from(decode(blurhash, 24, 18)), waves, 4)).toBeLessThan(25);
	});

	it('stay short for noise with noisy transparency, and keep transparency', async () => {
		const side = 120;
		const noise = Buffer.from(Array.from({ length: side * side * 4 }, (_, at) => (at * 2_654_435_761) >>> 24));
		const file = await sharp(noise, { raw: { width: side, height: side, channels: 4 } })
			.png()
			.toBuffer();
		const noisy = await analyse(file, 'placeholder');
		expect(noisy.placeholder?.length).toBeLessThanOrEqual(600);
		const half = await boxes(200, 100, '#00000000', { left: 0, top: 0, width: 100, height: 100, colour: red });
		const { placeholder = '' } = await analyse(half, 'placeholder');
		const { channels } = await sharp(Buffer.from(placeholder.split(',')[1] ?? '', 'base64')).stats();
		expect(channels[3]).toMatchObject({ min: 0, max: 255 });
	});

	it('of a portrait have vertical waves', async () => {
		const wide = await analyse(await photograph({ width: 300, height: 200 }), 'blurhash');
		const tall = await analyse(await photograph({ width: 200, height: 300 }), 'blurhash');
		// The first character tells the numbers of waves (BlurHash, "Algorithm.md").
		expect(wide.blurhash?.[0]).toBe('L');
		expect(tall.blurhash?.[0]).toBe('T');
	});
});

/** Mean difference of a colour channel. */
function differenceOf(one: Buffer, other: Buffer, channels: number): number {
	expect(one.length).toBe(other.length);
	return (
		one.reduce((sum, value, at) => sum + (at % channels === 3 ? 0 : Math.abs(value - (other[at] ?? 0))), 0) / one.length
	);
}

describe('sharpness', () => {
	it('falls with each blur, and is 0 for a flat picture', async () => {
		const file = await photograph({ width: 800, height: 600 });
		const measured: number[] = [];
		for (const sigma of [0, 0.8, 2, 6]) {
			const blurred = sigma === 0 ? file : await sharp(file).blur(sigma).png().toBuffer();
			measured.push((await analyse(blurred, 'sharpness')).sharpness ?? -1);
		}
		expect([...measured].sort((a, b) => b - a)).toEqual(measured);
		expect(measured[0]).toBeGreaterThan(10 * (measured[3] ?? 0));
		expect((await analyse(await boxes(200, 100, blue), 'sharpness')).sharpness).toBe(0);
	});

	it('is the variance of the Laplacian', async () => {
		const raw = Buffer.from([10, 10, 10, 10, 10, 90, 10, 10, 10, 10, 10, 10]);
		const file = await sharp(raw, { raw: { width: 4, height: 3, channels: 1 } })
			.png()
			.toBuffer();
		// The two inner pixels give 4 × -80 and 80: mean -120, variance 200².
		expect((await analyse(file, 'sharpness')).sharpness).toBe(40_000);
	});
});

describe('entropy', () => {
	it('is 1 bit for two greys, and grows with the detail', async () => {
		const half = { left: 0, top: 0, width: 50, height: 80, colour: '#ffffff' };
		expect((await analyse(await solidBoxes(100, 80, '#000000', half), 'entropy')).entropy).toBe(1);
		const photographed = await analyse(await photograph({ width: 400, height: 300 }), 'entropy');
		expect(photographed.entropy).toBeGreaterThan(5);
		expect(photographed.entropy).toBeLessThanOrEqual(8);
	});
});

describe('focus', () => {
	it.each([
		[0.15, 0.2],
		[0.8, 0.25],
		[0.3, 0.85],
		[0.5, 0.5],
	])('is on the subject at %f, %f', async (x, y) => {
		const [width, height, side] = [640, 480, 60];
		const subject = { left: x * width - side / 2, top: y * height - side / 2, width: side, height: side, colour: red };
		const { focus } = await analyse(await solidBoxes(width, height, '#8a9098', subject), 'focus');
		expect(Math.abs((focus?.x ?? 9) - x)).toBeLessThan(side / width);
		expect(Math.abs((focus?.y ?? 9) - y)).toBeLessThan(side / height);
	});

	it('is on the subject of a photograph, square and rotated too', async () => {
		for (const given of [
			{ width: 800, height: 600 },
			{ width: 500, height: 500 },
			{ width: 600, height: 400, orientation: 6 },
		]) {
			const { focus } = await analyse(await photograph(given), 'focus');
			expect(focus?.x).toBeGreaterThan(0.55);
			expect(focus?.x).toBeLessThan(0.8);
			expect(focus?.y).toBeGreaterThan(0.45);
			expect(focus?.y).toBeLessThan(0.75);
		}
	});

	it('is the middle if nothing stands out', async () => {
		expect((await analyse(await solidBoxes(300, 200, blue), 'focus')).focus).toEqual({ x: 0.5, y: 0.5 });
	});
});

describe('opaque', () => {
	it.each<[string, Promise<Buffer>, boolean, boolean]>([
		['has no alpha channel', solidBoxes(300, 200, blue), true, false],
		['has one that is full', boxes(300, 200, blue), true, true],
		[
			'has a single pixel that lets through a little',
			boxes(300, 200, blue, { left: 299, top: 199, width: 1, height: 1, colour: '#1030c0' }).then((file) =>
				sharp(file)
					.raw()
					.toBuffer()
					.then((raw) => {
						raw[raw.length - 1] = 254;
						return sharp(raw, { raw: { width: 300, height: 200, channels: 4 } })
							.png()
							.toBuffer();
					}),
			),
			false,
			true,
		],
	])('of a picture that %s', async (_what, file, isOpaque, alpha) => {
		const made = await make(await file, {
			analyse: ['opaque'],
			variants: { a: { steps: [{ resize: { width: 20 } }], encode: [{ png: {} }] } },
		});
		expect(made.analysis.opaque).toBe(isOpaque);
		expect(made.facts.alpha).toBe(alpha);
	});
});
