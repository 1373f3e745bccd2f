import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { describeProblems } from '../domain/problems.ts';
import type { NamedRecipe } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { listProblems, parseRecipe } from './plan.ts';

const webp = [{ webp: {} }];
const wide = (width: number) => ({ steps: [{ resize: { width, withoutEnlargement: true } }], encode: webp });

/** Recipes that every installation has. A recipes file may replace them. */
const builtIn: Readonly<Record<string, unknown>> = {
	web: {
		analyse: ['thumbhash'],
		variants: {
			large: wide(1600),
			medium: wide(800),
			small: wide(400),
			thumb: {
				steps: [{ resize: { width: 300, height: 300, fit: 'cover', position: 'attention' } }],
				encode: webp,
			},
		},
	},
};

const fileSchema = z.strictObject({ recipes: z.record(z.string(), z.unknown()) });

/**
 * The built-in recipes, and over them those of a YAML or JSON file.
 *
 * @throws PicpipeError `invalid-recipe` when the file can't be read or understood; its message lists every problem
 */
export async function loadRecipes(file: string | undefined): Promise<ReadonlyMap<string, NamedRecipe>> {
	const own = parseAll(builtIn);
	if (file === undefined) return own;
	return new Map([...own, ...parseAll(await readRecipesFile(file), file)]);
}

function parseAll(written: Readonly<Record<string, unknown>>, file?: string): ReadonlyMap<string, NamedRecipe> {
	const recipes = new Map<string, NamedRecipe>();
	const problems: string[] = [];
	for (const [name, recipe] of Object.entries(written)) {
		try {
			recipes.set(name, parseRecipe(name, recipe));
		} catch (error) {
			if (!(error instanceof PicpipeError)) throw error;
			problems.push(`recipe ${JSON.stringify(name)}: ${error.message}`);
		}
	}
	if (problems.length > 0) throw new PicpipeError('invalid-recipe', `${file}: ${listProblems(problems)}`);
	return recipes;
}

async function readRecipesFile(file: string): Promise<Readonly<Record<string, unknown>>> {
	let content: unknown;
	try {
		// JSON is YAML too.
		content = parse(await readFile(file, 'utf8'));
	} catch (cause) {
		throw new PicpipeError('invalid-recipe', `${file}: ${(cause as Error).message}`, { cause });
	}
	const parsed = fileSchema.safeParse(content);
	if (!parsed.success) {
		throw new PicpipeError('invalid-recipe', `${file}: ${listProblems(describeProblems(parsed.error, content))}`);
	}
	return parsed.data.recipes;
}
