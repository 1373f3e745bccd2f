import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRecipes } from '../../../src/pipeline/recipe/recipes.ts';

let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'picpipe-recipes-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(name: string, text: string) {
	const file = join(folder, name);
	await writeFile(file, text);
	return loadRecipes(file);
}

describe('loadRecipes', () => {
	it('returns the built-in recipes, each with a description', async () => {
		const recipes = await loadRecipes(undefined);
		expect([...recipes.keys()]).toEqual(['web', 'avatar', 'product', 'social', 'archive']);
		for (const { doc } of recipes.values()) expect(doc).toMatch(/^[A-Z].*\.$/);
		const { definition } = recipes.get('web') ?? expect.fail();
		expect(definition.analyse).toEqual(['phash', 'thumbhash']);
		expect(Object.keys(definition.variants)).toEqual(['large', 'medium', 'small', 'thumb']);
	});

	it('adds those of a YAML file, which can replace built-in ones', async () => {
		const recipes = await load(
			'recipes.yaml',
			`recipes:
  shop:
    variants:
      card: { steps: [{ resize: { width: 640, height: 480 } }], encode: [{ avif: { quality: 50 } }, { webp: {} }] }
  web:
    variants:
      only: { encode: [{ webp: {} }] }
`,
		);
		expect([...recipes.keys()]).toEqual(['web', 'avatar', 'product', 'social', 'archive', 'shop']);
		expect(Object.keys(recipes.get('web')?.definition.variants ?? {})).toEqual(['only']);
		expect(recipes.get('shop')?.definition.variants.card?.encode).toHaveLength(2);
	});

	it('reads JSON', async () => {
		const json = JSON.stringify({ recipes: { tiny: { variants: { a: { encode: [{ png: {} }] } } } } });
		expect((await load('recipes.json', json)).has('tiny')).toBe(true);
	});

	it('ignores the description in a recipe’s digest', async () => {
		const recipe = 'variants: { a: { encode: [{ png: {} }] } }';
		const told = await load('told.yaml', `recipes: { tiny: { doc: A small one., ${recipe} } }`);
		const untold = await load('untold.yaml', `recipes: { tiny: { ${recipe} } }`);
		expect(told.get('tiny')?.doc).toBe('A small one.');
		expect(untold.get('tiny')).not.toHaveProperty('doc');
		expect(told.get('tiny')?.digest).toBe(untold.get('tiny')?.digest);
		expect(told.get('tiny')?.definition).not.toHaveProperty('doc');
	});

	it('limits only the recipes of the file', async () => {
		const file = join(folder, 'large.yaml');
		const variant = '{ steps: [{ resize: { width: 9 } }, { resize: { width: 8 } }], encode: [{ png: {} }] }';
		await writeFile(file, `recipes: { tiny: { variants: { a: ${variant}, b: ${variant} } } }`);
		expect((await loadRecipes(file, { maxSteps: 2, maxVariants: 2 })).size).toBe(6);
		await expect(loadRecipes(file, { maxSteps: 1, maxVariants: 1 })).rejects.toThrow(
			/large\.yaml:1:20: recipe "tiny": variants: expected at most 1 \(PICPIPE_MAX_VARIANTS\), received 2; .*large\.yaml:1:37: recipe "tiny": variants\.a\.steps: expected at most 1 \(PICPIPE_MAX_STEPS\), received 2; .*: variants\.b\.steps: /,
		);
	});

	it.each([
		['inline.yaml', 'recipes: { inline: {} }', /recipe "inline": name: expected another one/],
		['broken.yaml', 'recipes: {web: [', /broken\.yaml:1:17: Flow sequence/],
		['empty.yaml', '', /empty\.yaml:1:1: expected an object, received null/],
		['other.yaml', 'receipts: {}', /other\.yaml:1:1: receipts: expected no such key \(did you mean recipes\?\)/],
		['preset.yaml', 'presets: { other: {} }', /preset\.yaml:1:12: presets\.other: /],
		[
			'long.yaml',
			`presets: { ipx: { a: "${'w'.repeat(2_001)}" } }`,
			/presets\.ipx\.a: expected at most 2000 characters/,
		],
		['twice.yaml', 'recipes:\n  a: 1\n  a: 2\n', /twice\.yaml:3:3: .*unique/],
		[
			'two.yaml',
			'recipes:\n  A: {}\n  b: { variants: { c: { encode: [{ bmp: {} }] } } }\n',
			/two\.yaml:2:3: recipe "A": name: expected 1 to 32 .*; \S*two\.yaml:3:34: recipe "b": variants\.c\.encode\[0\]: expected one of /,
		],
		[
			'keys.yaml',
			[
				'recipes:',
				'  shop.2:',
				'    variants: {}',
				'  shop:',
				'    variants:',
				'      large:',
				'        steps:',
				'          - resize: { width: 100 }',
				'          - resize: { widht: 100 }',
				'        encode:',
				'          - wepb: {}',
			].join('\n'),
			/keys\.yaml:2:3: recipe "shop\.2": name: .*; \S*keys\.yaml:9:23: recipe "shop": variants\.large\.steps\[1\]\.resize\.widht: expected no such key \(did you mean width\?\); .*; \S*keys\.yaml:11:13: recipe "shop": variants\.large\.encode\[0\]: expected one of .*, received "wepb" \(did you mean webp\?\)$/,
		],
	])('reports the problem of %s', async (name, text, message) => {
		await expect(load(name, text)).rejects.toMatchObject({
			code: 'invalid-recipe',
			message: expect.stringMatching(message),
		});
	});

	it('reports a missing file', async () => {
		await expect(loadRecipes(join(folder, 'none.yaml'))).rejects.toThrow(
			/none\.yaml: expected a recipes file but there is none/,
		);
	});
});
