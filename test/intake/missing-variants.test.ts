import { describe, expect, it } from 'vitest';
import type { Recipe } from '../../src/domain/recipe.ts';
import { missingRecipe } from '../../src/intake/missing-variants.ts';
import { parseRecipe, planVariants } from '../../src/pipeline/recipe/parse-recipe.ts';
import { analysisDigest, variantDigest } from '../../src/pipeline/recipe/variant-digest.ts';

const recipe = parseRecipe('shop', {
	analyse: ['thumbhash'],
	variants: {
		card: { from: 'large', steps: [{ resize: { width: 400 } }], encode: [{ webp: {} }, { jpeg: {} }] },
		icon: { from: 'card', steps: [{ resize: { width: 32 } }], encode: [{ png: {} }] },
		large: { steps: [{ resize: { width: 900 } }], encode: [{ webp: {} }] },
		other: { encode: [{ webp: {} }] },
	},
}).definition;

/** What would be made: `card.webp` and so on, bases without an encoding as `large`. */
function left(there: readonly string[], isAnalysed = true): string[] | undefined {
	const rest = missingRecipe(recipe, ({ name }, { encoder }) => there.includes(`${name}.${encoder.name}`), isAnalysed);
	return (
		rest && [
			...rest.analyse,
			...Object.entries(rest.variants).flatMap(([name, { encode }]) =>
				encode.length === 0 ? [name] : encode.map((one) => `${name}.${Object.keys(one)[0]}`),
			),
		]
	);
}

const all = ['card.webp', 'card.jpeg', 'icon.png', 'large.webp', 'other.webp'];
const allBut = (...names: string[]) => all.filter((name) => !names.includes(name));

describe('missingRecipe', () => {
	it('is the whole recipe if nothing is stored, and undefined if everything is', () => {
		expect(missingRecipe(recipe, () => false, false)).toEqual(recipe);
		expect(left(all)).toBeUndefined();
	});

	it('contains single encodings', () => {
		expect(left(allBut('card.jpeg', 'other.webp'))).toEqual(['card.jpeg', 'large', 'other.webp']);
		expect(left(allBut('large.webp'))).toEqual(['large.webp']);
	});

	it('contains the base variants without their encodings, down to the original', () => {
		expect(left(allBut('icon.png'))).toEqual(['card', 'icon.png', 'large']);
	});

	it('contains only the analysis', () => {
		expect(left(all, false)).toEqual(['thumbhash']);
	});

	it('has the digests of the whole recipe', () => {
		const digests = (of: Recipe) =>
			planVariants(of).flatMap((variant) =>
				variant.encodings.map((encoding) => `${variant.name} ${variantDigest('aa', variant, encoding)}`),
			);
		const rest = missingRecipe(recipe, ({ name }) => name !== 'icon', true) ?? expect.fail();
		expect(digests(rest)).toHaveLength(1);
		expect(digests(recipe)).toEqual(expect.arrayContaining(digests(rest)));
	});
});

it('has a digest of the analysis that depends on the original and the requested kinds', () => {
	expect(analysisDigest('aa', recipe)).toBe(analysisDigest('aa', { ...recipe, variants: {} }));
	expect(analysisDigest('bb', recipe)).not.toBe(analysisDigest('aa', recipe));
	expect(analysisDigest('aa', { ...recipe, analyse: [] })).not.toBe(analysisDigest('aa', recipe));
});
