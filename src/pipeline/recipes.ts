import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { describeProblems } from '../domain/problems.ts';
import { inlineRecipeName, type NamedRecipe, type RecipeLimits } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { builtInRecipes } from './built-in.ts';
import { listProblems, parseRecipe } from './plan.ts';

const fileSchema = z.strictObject({ recipes: z.record(z.string(), z.unknown()) });

/**
 * The built-in recipes, and over them those of a YAML or JSON file.
 *
 * @param limits on the recipes of the file
 * @throws PicpipeError `invalid-recipe` when the file can't be read or understood; its message lists every problem
 */
export async function loadRecipes(
	file: string | undefined,
	limits?: RecipeLimits,
): Promise<ReadonlyMap<string, NamedRecipe>> {
	const own = parseAll(builtInRecipes);
	if (file === undefined) return own;
	return new Map([...own, ...parseAll(await readRecipesFile(file), file, limits)]);
}

function parseAll(
	written: Readonly<Record<string, unknown>>,
	file?: string,
	limits?: RecipeLimits,
): ReadonlyMap<string, NamedRecipe> {
	const recipes = new Map<string, NamedRecipe>();
	const problems: string[] = [];
	for (const [name, recipe] of Object.entries(written)) {
		try {
			if (name === inlineRecipeName) throw new PicpipeError('invalid-recipe', reservedName);
			recipes.set(name, parseRecipe(name, recipe, limits));
		} catch (error) {
			if (!(error instanceof PicpipeError)) throw error;
			problems.push(`recipe ${JSON.stringify(name)}: ${error.message}`);
		}
	}
	if (problems.length > 0) throw new PicpipeError('invalid-recipe', `${file}: ${listProblems(problems)}`);
	return recipes;
}

const reservedName = `name: expected another one, because ${inlineRecipeName} is that of recipes that come with a request`;

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
