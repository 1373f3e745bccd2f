import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import * as z from 'zod';
import { describeProblems } from '../../domain/problems.ts';
import { inlineRecipeName, type NamedRecipe, type RecipeLimits } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { builtInRecipes } from './built-in.ts';
import { listProblems, parseRecipe } from './parse-recipe.ts';

/** URL dialects that have presets. */
const dialects = ['imgproxy', 'ipx', 'cloudinary'] as const;
const presetsSchema = z.record(
	z.string().regex(/^[\w-]{1,64}$/, 'expected 1 to 64 letters, digits, _ and -'),
	z.string().max(2_000, 'expected at most 2000 characters'),
);
const fileSchema = z.strictObject({
	recipes: z.record(z.string(), z.unknown()).default({}),
	presets: z.partialRecord(z.enum(dialects), presetsSchema).default({}),
});

/** Presets of URLs by dialect: a name and the options that it stands for. */
export type DialectPresets = Readonly<Record<(typeof dialects)[number], ReadonlyMap<string, string>>>;

/** The content of a recipes file, and the built-in recipes. */
export interface LoadedRecipes {
	readonly recipes: ReadonlyMap<string, NamedRecipe>;
	readonly presets: DialectPresets;
}

/**
 * Loads the built-in recipes and those of a YAML or JSON file, which take precedence.
 *
 * @param limits limits on the recipes of the file
 * @throws PicpipeError `invalid-recipe` if the file cannot be read or is invalid; its message lists every problem
 */
export async function loadRecipes(
	file: string | undefined,
	limits?: RecipeLimits,
): Promise<ReadonlyMap<string, NamedRecipe>> {
	return (await loadRecipesFile(file, limits)).recipes;
}

/** Returns the problems of presets, which only the dialects understand. */
export type CheckPresets = (presets: DialectPresets) => readonly string[];

/** Like `loadRecipes`, with the presets of URLs. @throws as `loadRecipes` */
export async function loadRecipesFile(
	file: string | undefined,
	limits?: RecipeLimits,
	checkPresets: CheckPresets = () => [],
): Promise<LoadedRecipes> {
	const own = parseAll(builtInRecipes);
	const written = file === undefined ? { recipes: {}, presets: {} } : await readRecipesFile(file);
	const of = (dialect: (typeof dialects)[number]) => new Map(Object.entries(written.presets[dialect] ?? {}));
	const presets = { imgproxy: of('imgproxy'), ipx: of('ipx'), cloudinary: of('cloudinary') };
	const recipes = new Map([...own, ...parseAll(written.recipes, file, limits)]);
	const problems = checkPresets(presets);
	if (problems.length > 0) throw new PicpipeError('invalid-recipe', `${file}: ${listProblems(problems)}`);
	return { recipes, presets };
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

const reservedName = `name: expected another one, because ${inlineRecipeName} is reserved for recipes that come with a request`;

async function readRecipesFile(file: string): Promise<z.infer<typeof fileSchema>> {
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
	return parsed.data;
}
