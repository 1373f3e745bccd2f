import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { planPyramid } from '../../src/pipeline/plan/pyramid.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { photograph, similarity } from '../helpers/pictures.ts';
import { limits, make, one } from '../pipeline/make.ts';
import { difference, pixelsOf } from './pixels.ts';

/** Steps that only turn or mirror, before one for which a scaled copy is enough; and the copy that they are done to, of 1,200 × 800 pixels. */
const cases: readonly (readonly [turns: readonly unknown[], step: unknown, copy: string])[] = [
	[[{ rotate: { angle: 90 } }], { resize: { width: 200 } }, '300×200'],
	[[{ rotate: { angle: -90 } }], { resize: { width: 200, height: 200 } }, '300×200'],
	[[{ rotate: { angle: 180 } }], { resize: { width: 300 } }, '300×200'],
	[[{ rotate: { angle: 270 } }], { resize: { height: 150, fit: 'inside' } }, '150×100'],
	[[{ rotate: { angle: 90 } }], { resize: { width: 300, height: 100, fit: 'fill' } }, '450×300'],
	[[{ flip: {} }], { resize: { width: 300, kernel: 'mitchell' } }, '300×200'],
	[[{ flop: {} }], { resize: { width: 200, height: 200, position: 'left top' } }, '300×200'],
	[[{ flip: {} }, { rotate: { angle: 90 } }, { flop: {} }], { resize: { width: 120, height: 240 } }, '240×160'],
	[[{ rotate: { angle: 0 } }], { resize: { width: 300 } }, '300×200'],
];

const copyFor = (steps: readonly unknown[]) => {
	const { definition } = parseRecipe('test', one(steps));
	const [level] = planPyramid(definition, { width: 1_200, height: 800 }, limits).levels;
	return `${level?.width}×${level?.height}`;
};

describe.each(cases)('%j before %j', (turns, step, copy) => {
	const isQuarter = /90|270/.test(JSON.stringify(turns));

	it('uses a scaled copy, with the same result', async () => {
		expect(copyFor([...turns, step])).toBe(copy);
		const png = await photograph({ width: 1_200, height: 800, format: 'png' });
		const made = (await make(png, one([...turns, step], [{ png: {} }]))).variant('only');
		// Every pixel counts to write the whole, so nothing was scaled before it was turned.
		const whole = (await make(png, one(turns, [{ png: {} }]))).variant('only');
		expect(copyFor(turns)).toBe('1200×800');
		const expected = (await make(whole.data, one([step], [{ png: {} }]))).variant('only');
		expect(made).toMatchObject({ width: expected.width, height: expected.height });
		const [turned, scaled] = await Promise.all([pixelsOf(made.data), pixelsOf(expected.data)]);
		if (!isQuarter) return expect(Buffer.compare(turned.data, scaled.data)).toBe(0);
		// libvips scales down before it scales across, and rounds in between.
		expect(difference(turned, scaled)).toBeLessThan(0.5);
		expect(await similarity(made.data, expected.data)).toBeGreaterThan(0.998);
	});
});

it('use the whole picture before operations that need every pixel, and before other angles', () => {
	const resize = { resize: { width: 200 } };
	expect(copyFor([{ rotate: { angle: 45 } }, resize])).toBe('1200×800');
	expect(copyFor([{ flip: {} }, { blur: { sigma: 2 } }, resize])).toBe('1200×800');
	expect(copyFor([{ crop: { ratio: '1:1' } }, resize])).toBe('1200×800');
	expect(copyFor([{ flip: {} }, { resize: { width: 2_000 } }])).toBe('1200×800');
});

it('use shrink-on-load for a JPEG', async () => {
	const jpeg = await photograph({ width: 2_400, height: 1_600, orientation: 6 });
	const steps = [{ rotate: { angle: 90 } }, { flop: {} }, { resize: { width: 300 } }];
	const made = (await make(jpeg, one(steps, [{ png: {} }]))).variant('only');
	const upright = await sharp(jpeg).autoOrient().png().toBuffer();
	const turned = await sharp(await sharp(upright).rotate(90).png().toBuffer())
		.flop()
		.png()
		.toBuffer();
	expect(await similarity(made.data, await sharp(turned).resize(300).png().toBuffer())).toBeGreaterThan(0.99);
});
