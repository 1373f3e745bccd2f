import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { renderName } from '../../src/domain/recipe.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { findReusableVariant } from '../../src/worker/reusable-variant.ts';
import { makePicture } from '../helpers/manifest.ts';
import { photograph, similarity } from '../helpers/pictures.ts';
import { make } from '../pipeline/make.ts';

const size = { width: 1600, height: 1200 };
const stored = { variants: { large: { steps: [{ resize: { width: 1200 } }], encode: [{ webp: {} }] } } };

/** A picture of which a large variant is stored, and that variant's file. */
async function storedPicture(recipe: unknown = stored) {
	const file = await photograph(size);
	const { facts, outputs } = await make(file, recipe);
	const [large] = outputs;
	if (!large) throw new Error('Nothing was made.');
	const { data, extension: _, ...made } = large;
	const { source } = makePicture();
	const picture = makePicture({
		facts,
		source: { ...source, sha256: createHash('sha256').update(file).digest('hex') },
		recipe: parseRecipe('stored', recipe),
		variants: [{ ...made, key: 'large', bytes: data.length }],
	});
	return { file, large: large.data, picture };
}

const render = (resize: object, more: object = {}) =>
	parseRecipe(renderName, { variants: { [renderName]: { steps: [{ resize }], encode: [{ webp: {} }], ...more } } })
		.definition;

describe('a render of a stored variant', () => {
	it.each([
		{ width: 300 },
		{ width: 300, height: 300 },
		{ width: 300, height: 200, position: 'right' },
		{ width: 400, height: 100, x: 0, y: 20, position: 'top' },
		{ width: 400, height: 100, focus: { x: 0.5, y: 0.9 } },
		{ width: '20%', height: '10%' },
		{ width: '20%' },
		{ width: 300, height: 200, fit: 'auto' },
		{ width: 200, height: 300, fit: 'auto' },
		{ width: 200, height: 300, fit: 'contain', background: '#ff0000' },
		{ width: 150, height: 100, dpr: 2 },
		{ width: 150, minHeight: 300 },
		{ width: 300, height: 200, withoutEnlargement: true },
		{ width: 300, height: 200, orSmaller: true },
	])('equals a render of the original: %j', async (resize) => {
		const { file, large, picture } = await storedPicture();
		const reusable = findReusableVariant(picture, render(resize)) ?? expect.fail('The variant was not taken.');
		const [made] = (await make(large, reusable.recipe)).outputs;
		const [expected] = (await make(file, render(resize))).outputs;
		if (!made || !expected) throw new Error('Nothing was made.');
		expect([made.width, made.height]).toEqual([expected.width, expected.height]);
		expect(await similarity(made.data, expected.data)).toBeGreaterThan(0.97);
	});

	it.each([
		['is larger than a half of it', { width: 700 }, {}],
		['lies as it does in the file', { width: 300 }, { orient: false }],
		['has colours of its own', { width: 300 }, { colour: 'keep' }],
		['asks for as many pixels as there are', { width: 300, height: 200, dpr: 8, minDpr: 1 }, {}],
	])('is made from the original if it %s', async (_, resize, more) => {
		const { picture } = await storedPicture();
		expect(findReusableVariant(picture, render(resize, more))).toBeUndefined();
	});

	it('is made of the original where the variant is another picture', async () => {
		for (const more of [
			{ orient: false },
			{ colour: 'keep' },
			{ steps: [{ resize: { width: 1200, height: 1200 } }] },
		]) {
			const variants = { large: { ...stored.variants.large, ...more } };
			const { picture } = await storedPicture({ variants });
			expect(findReusableVariant(picture, render({ width: 300 }))).toBeUndefined();
		}
	});
});
