import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRecipes } from '../../src/pipeline/recipes.ts';

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
	it('has the built-in recipe web', async () => {
		const recipes = await loadRecipes(undefined);
		expect([...recipes.keys()]).toEqual(['web']);
		const { definition } = recipes.get('web') ?? expect.fail();
		expect(definition.analyse).toEqual(['thumbhash']);
		expect(Object.keys(definition.variants)).toEqual(['large', 'medium', 'small', 'thumb']);
	});

	it('adds those of a YAML file, and lets it replace built-in ones', async () => {
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
		expect([...recipes.keys()].sort()).toEqual(['shop', 'web']);
		expect(Object.keys(recipes.get('web')?.definition.variants ?? {})).toEqual(['only']);
		expect(recipes.get('shop')?.definition.variants.card?.encode).toHaveLength(2);
	});

	it('reads JSON', async () => {
		const json = JSON.stringify({ recipes: { tiny: { variants: { a: { encode: [{ png: {} }] } } } } });
		expect((await load('recipes.json', json)).has('tiny')).toBe(true);
	});

	it.each([
		['broken.yaml', 'recipes: {web: [', /broken\.yaml: .*at line 1/s],
		['empty.yaml', '', /empty\.yaml: expected an object, received null/],
		[
			'other.yaml',
			'receipts: {}',
			/other\.yaml: recipes: expected an object, received nothing; receipts: expected no such key/,
		],
		['twice.yaml', 'recipes:\n  a: 1\n  a: 2\n', /twice\.yaml: .*unique/s],
		[
			'two.yaml',
			'recipes:\n  A: {}\n  b: { variants: { c: { encode: [{ gif: {} }] } } }\n',
			/two\.yaml: recipe "A": name: expected 1 to 32 .*; recipe "b": variants\.c\.encode\[0\]: expected one of webp/,
		],
	])('says what is wrong with %s', async (name, text, message) => {
		await expect(load(name, text)).rejects.toMatchObject({
			code: 'invalid-recipe',
			message: expect.stringMatching(message),
		});
	});

	it('says when the file is not there', async () => {
		await expect(loadRecipes(join(folder, 'none.yaml'))).rejects.toThrow(/none\.yaml: ENOENT/);
	});
});
