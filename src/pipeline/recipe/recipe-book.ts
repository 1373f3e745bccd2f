import { unwatchFile, watchFile } from 'node:fs';
import type { NamedRecipe, RecipeLimits } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { type CheckPresets, type DialectPresets, type LoadedRecipes, loadRecipesFile } from './recipes.ts';

/** The current recipes of an installation. */
export interface RecipeBook {
	/** By name. A reload replaces the map, so callers that need several recipes of one state should keep a reference to it. */
	readonly recipes: ReadonlyMap<string, NamedRecipe>;
	/** Presets of URLs by dialect; a reload replaces them, too. */
	readonly presets: DialectPresets;
	/** Why the current recipes file was refused; `recipes` are the previous ones then. */
	readonly problem: string | undefined;
	/** Stops watching the file. */
	close(): void;
}

export interface RecipeBookOptions {
	/** YAML or JSON; only the built-in recipes without one. */
	readonly file: string | undefined;
	readonly limits: RecipeLimits;
	/** A change that removes this recipe is refused; the caller checks that it exists at the start. */
	readonly defaultRecipe: string;
	readonly checkPresets?: CheckPresets;
	/** Called after each change of the file with its effect, or with the reason why it was refused. */
	onChange(change: RecipeChange): void;
}

export type RecipeChange =
	| {
			/** Names of new and changed recipes. */
			readonly changed: readonly string[];
			/** Names of removed recipes. */
			readonly removed: readonly string[];
	  }
	| { readonly problem: string };

/**
 * Milliseconds between two checks of the file. Polling follows a rename over the file (editors) and a symbolic link to another folder
 * (Kubernetes), works on network file systems, and costs one `stat`.
 */
const checkInterval = 500;
/** Milliseconds without a change after which a file counts as complete; long enough for one more check. */
const quietTime = 700;

/**
 * Reads the recipes and keeps them up to date with their file: a change applies if the whole file is valid.
 *
 * @throws PicpipeError `invalid-recipe` if the file is invalid at the start
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
		// A newer reload has begun meanwhile.
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
	const scheduleReload = () => {
		clearTimeout(timer);
		timer = setTimeout(() => void reload(), quietTime).unref();
	};

	// Watch before reading, so that no change is missed.
	if (file !== undefined) watchFile(file, { interval: checkInterval, persistent: false }, scheduleReload);
	const close = () => {
		reloads++;
		clearTimeout(timer);
		if (file !== undefined) unwatchFile(file, scheduleReload);
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
