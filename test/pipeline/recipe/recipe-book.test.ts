import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { problemsOfPresets } from '../../../src/delivery/check-presets.ts';
import { openRecipeBook, type RecipeBook, type RecipeChange } from '../../../src/pipeline/recipe/recipe-book.ts';
import type { CheckPresets } from '../../../src/pipeline/recipe/recipes.ts';
import { until } from '../../helpers/faults.ts';
import { temporaryFolder } from '../../helpers/folder.ts';

const limits = { maxSteps: 50, maxVariants: 50 };
/** A file with one recipe, `tiny`. Another width is another recipe. */
const tiny = (width: number) =>
	`recipes: { tiny: { variants: { icon: { steps: [{ resize: { width: ${width} } }], encode: [{ png: {} }] } } } }`;

interface Watched {
	readonly book: RecipeBook;
	readonly changes: RecipeChange[];
	/** Waits for so many changes, as told. */
	told(count: number): Promise<void>;
}

async function open(file: string, defaultRecipe = 'web', checkPresets?: CheckPresets): Promise<Watched> {
	const changes: RecipeChange[] = [];
	const onChange = (change: RecipeChange) => void changes.push(change);
	const book = await openRecipeBook({ file, limits, defaultRecipe, onChange, ...(checkPresets && { checkPresets }) });
	onTestFinished(() => book.close());
	return { book, changes, told: (count) => until(`${count} changes`, () => changes.length >= count, 15_000) };
}

const widthOf = ({ recipes }: RecipeBook) => recipes.get('tiny')?.definition.variants.icon?.steps[0]?.resize;

describe('the recipe book', () => {
	it('applies a change that is written to the file or renamed over it', async () => {
		const file = join(await temporaryFolder(), 'recipes.yaml');
		await writeFile(file, tiny(10));
		const { book, changes, told } = await open(file);
		expect(widthOf(book)).toMatchObject({ width: 10 });
		const before = book.recipes;
		await writeFile(file, tiny(11));
		await told(1);
		expect(widthOf(book)).toMatchObject({ width: 11 });
		expect(before.get('tiny')?.definition.variants.icon?.steps[0]?.resize).toMatchObject({ width: 10 });
		await writeFile(`${file}.new`, tiny(12));
		await rename(`${file}.new`, file);
		await told(2);
		expect(widthOf(book)).toMatchObject({ width: 12 });
		await writeFile(file, 'recipes: {}');
		await told(3);
		expect(changes).toEqual([
			{ changed: ['tiny'], removed: [] },
			{ changed: ['tiny'], removed: [] },
			{ changed: [], removed: ['tiny'] },
		]);
		expect(book.recipes.has('web')).toBe(true);
	});

	it('refuses an invalid file, reports the reason, and keeps the previous recipes until it is fixed', async () => {
		const file = join(await temporaryFolder(), 'recipes.yaml');
		await writeFile(file, tiny(10));
		const { book, changes, told } = await open(file, 'tiny');
		const refuse = async (change: () => Promise<unknown>, count: number, problem: RegExp) => {
			await change();
			await told(count);
			expect(book.problem).toMatch(problem);
			expect(changes.at(-1)).toEqual({ problem: book.problem });
			expect(widthOf(book)).toMatchObject({ width: 10 });
		};
		await refuse(
			() => writeFile(file, tiny(0)),
			1,
			/recipe "tiny": variants\.icon\.steps\[0\]\.resize\.width: expected/,
		);
		await refuse(() => writeFile(file, tiny(12).slice(0, 40)), 2, /recipes\.yaml:1:41: /);
		await refuse(() => writeFile(file, 'recipes: {}'), 3, /Expected the recipe tiny \(PICPIPE_DEFAULT_RECIPE\)/);
		await refuse(() => rm(file), 4, /there is none/);
		await writeFile(file, tiny(13));
		await told(5);
		expect(book.problem).toBeUndefined();
		expect(widthOf(book)).toMatchObject({ width: 13 });
	});

	it('refuses presets that are invalid in their dialect', async () => {
		const file = join(await temporaryFolder(), 'recipes.yaml');
		const presets = (text: string) => `presets: { imgproxy: { card: "${text}" } }\n`;
		await writeFile(file, presets('w:300'));
		const { book, told } = await open(file, 'web', problemsOfPresets);
		await writeFile(file, presets('w:wide'));
		await told(1);
		expect(book.problem).toMatch(/recipes\.yaml:1:24: presets\.imgproxy\.card: Expected .*wide/);
		expect(book.presets.imgproxy.get('card')).toBe('w:300');
	});

	it('waits until a file that is written in parts is complete', async () => {
		const file = join(await temporaryFolder(), 'recipes.yaml');
		await writeFile(file, tiny(10));
		const { book, changes } = await open(file);
		// Each of these states would be valid.
		for (let width = 20; width < 40; width++) {
			await writeFile(file, tiny(width));
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
		await until('the last state', () => (widthOf(book) as { width: number }).width === 39, 15_000);
		// One, unless the machine was too busy to write in time.
		expect(changes.length).toBeLessThan(5);
	});

	it('follows a link that moves to another folder, as in Kubernetes', async () => {
		const folder = await temporaryFolder();
		for (const [version, width] of [
			['v1', 10],
			['v2', 20],
		] as const) {
			await mkdir(join(folder, version));
			await writeFile(join(folder, version, 'recipes.yaml'), tiny(width));
		}
		await symlink('v1', join(folder, '..data'));
		await symlink('..data/recipes.yaml', join(folder, 'recipes.yaml'));
		const { book, told } = await open(join(folder, 'recipes.yaml'));
		await symlink('v2', join(folder, '..data_tmp'));
		await rename(join(folder, '..data_tmp'), join(folder, '..data'));
		await told(1);
		expect(widthOf(book)).toMatchObject({ width: 20 });
	});

	it('does not open an invalid file', async () => {
		const file = join(await temporaryFolder(), 'none.yaml');
		await expect(open(file)).rejects.toMatchObject({ code: 'invalid-recipe' });
	});
});
