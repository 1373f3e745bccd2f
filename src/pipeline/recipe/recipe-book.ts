import { unwatchFile, watchFile } from 'node:fs';
import type { NamedRecipe, RecipeLimits } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { type CheckPresets, type DialectPresets, type LoadedRecipes, loadRecipesFile } from './recipes.ts';

/** The recipes of an installation as they are now. */
export interface RecipeBook {
	/** By name. A reload puts another map here, so whoever needs several of one state holds on to it. */
	readonly recipes: ReadonlyMap<string, NamedRecipe>;
	/** Shorthands of addresses, likewise. */
	readonly presets: DialectPresets;
	/** Why the recipes file as it is now was refused; then `recipes` are those of before. */
	readonly problem: string | undefined;
	/** Stops watching the file. */
	close(): void;
}

export interface RecipeBookOptions {
	/** YAML or JSON; only the built-in recipes without one. */
	readonly file: string | undefined;
	readonly limits: RecipeLimits;
	/** A change that takes this one away is refused; that it is there at the start is for the caller to see. */
	readonly defaultRecipe: string;
	readonly checkPresets?: CheckPresets;
	/** Told after each change of the file: what came of it, or why it was refused. */
	onChange(change: RecipeChange): void;
}

export type RecipeChange =
	| {
			/** Names of recipes that are new or mean something else now. */
			readonly changed: readonly string[];
			/** Names of recipes that are no more. */
			readonly removed: readonly string[];
	  }
	| { readonly problem: string };

/**
 * Milliseconds between two looks at the file. Looking beats being told here: it follows a rename over the file (editors) and
 * a link that is turned to another folder (Kubernetes), works on network file systems, and costs one `stat`.
 */
const lookInterval = 500;
/** Milliseconds without another change after which a file counts as written; long enough for one more look. */
const quietTime = 700;

/**
 * Reads the recipes and keeps them up to date with their file: a change is taken over when the whole file is valid.
 *
 * @throws PicpipeError `invalid-recipe` when the file is not valid to begin with
 */
export async function openRecipeBook(options: RecipeBookOptions): Promise<RecipeBook> {
	const { file, limits, defaultRecipe, checkPresets, onChange } = options;
	let timer: NodeJS.Timeout | undefined;
	let reloads = 0;
	let problem: string | undefined;

	const loadAgain = async () => {
		const loaded = await loadRecipesFile(file, limits, checkPresets);
		if (loaded.recipes.has(defaultRecipe)) return loaded;
		throw new PicpipeError(
			'invalid-recipe',
			`Expected the recipe ${defaultRecipe} (PICPIPE_DEFAULT_RECIPE) among ${[...loaded.recipes.keys()].join(', ')}.`,
		);
	};
	const reload = async () => {
		const turn = ++reloads;
		const outcome = await loadAgain().catch((error: Error) => error);
		// Another one began meanwhile, and knows better.
		if (turn !== reloads) return;
		if (outcome instanceof Error) {
			problem = outcome.message;
			return onChange({ problem });
		}
		const change = difference(current.recipes, outcome.recipes);
		current = outcome;
		problem = undefined;
		onChange(change);
	};
	const look = () => {
		clearTimeout(timer);
		timer = setTimeout(() => void reload(), quietTime).unref();
	};

	// Watched before it is read, so that no change falls between the two.
	if (file !== undefined) watchFile(file, { interval: lookInterval, persistent: false }, look);
	const close = () => {
		reloads++;
		clearTimeout(timer);
		if (file !== undefined) unwatchFile(file, look);
	};
	let current: LoadedRecipes;
	try {
		current = await loadRecipesFile(file, limits, checkPresets);
	} catch (error) {
		close();
		throw error;
	}
	return {
		get recipes() {
			return current.recipes;
		},
		get presets() {
			return current.presets;
		},
		get problem() {
			return problem;
		},
		close,
	};
}

type Recipes = ReadonlyMap<string, NamedRecipe>;

function difference(before: Recipes, now: Recipes): RecipeChange {
	return {
		changed: [...now.values()]
			.filter(({ name, digest }) => before.get(name)?.digest !== digest)
			.map(({ name }) => name),
		removed: [...before.keys()].filter((name) => !now.has(name)),
	};
}
