import { describe, expect, it } from 'vitest';
import { storedRecipeSchema } from '../../../src/domain/recipe.ts';
import { builtInRecipes } from '../../../src/pipeline/recipe/built-in.ts';
import { parseRecipe } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { unknownParts } from '../../../src/pipeline/recipe/unknown-parts.ts';

const { definition } = parseRecipe('small', {
	analyse: ['palette'],
	variants: { small: { steps: [{ resize: { width: 40 } }], encode: [{ webp: {} }] } },
});
const { small = { steps: [], encode: [] } } = definition.variants;
const withSmall = (change: object) => ({ ...definition, variants: { small: { ...small, ...change } } });

describe('unknownParts', () => {
	it('finds nothing in recipes of this version', () => {
		for (const [name, written] of Object.entries(builtInRecipes))
			expect(unknownParts(parseRecipe(name, written).definition), name).toEqual([]);
	});

	it.each<[string, object, string[]]>([
		['an operation', withSmall({ steps: [...small.steps, { blur_faces: { amount: 3 } }] }), ['operation "blur_faces"']],
		[
			'an option of an operation',
			withSmall({ steps: [{ resize: { width: 40, seam: true } }] }),
			['option "seam" of operation "resize"'],
		],
		['an encoder', withSmall({ encode: [{ webp: {} }, { jxl: {} }] }), ['encoder "jxl"']],
		['an option of an encoder', withSmall({ encode: [{ webp: { hdr: true } }] }), ['option "hdr" of encoder "webp"']],
		['a field of a variant', withSmall({ layers: [] }), ['field "layers" of variant "small"']],
		['a field of the recipe', { ...definition, priority: 3 }, ['field "priority" of the recipe']],
		['an analysis', { ...definition, analyse: ['palette', 'faces'] }, ['analysis "faces"']],
		['several', withSmall({ steps: [{ a: {} }, { b: {} }, { a: {} }] }), ['operation "a"', 'operation "b"']],
	])('names %s, which a manifest keeps unchanged', (_what, recipe, unknown) => {
		const read = storedRecipeSchema.parse(recipe);
		expect(read).toEqual(recipe);
		expect(unknownParts(read)).toEqual(unknown);
	});

	it.each<[string, object]>([
		['a value of an operation', withSmall({ steps: [{ resize: { width: 'all' } }] })],
		['a colour space', withSmall({ colour: 'rec2020' })],
		['a form of metadata', withSmall({ metadata: { mode: 'keep', xmp: true } })],
		['no encoder', withSmall({ encode: [] })],
		['a variant that is not there', withSmall({ from: 'large' })],
		['a step of two operations', withSmall({ steps: [{ flip: {}, flop: {} }] })],
	])('names %s too', (_what, recipe) => {
		const unknown = unknownParts(storedRecipeSchema.parse(recipe));
		expect(unknown).toHaveLength(1);
		expect(unknown[0]?.length).toBeGreaterThan(5);
	});
});
