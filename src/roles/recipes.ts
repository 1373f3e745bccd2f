import { type Config, ConfigError, settings } from '../config/index.ts';
import { problemsOfPresets } from '../delivery/check-presets.ts';
import type { AssetFinder } from '../intake/assets.ts';
import type { Logger } from '../observe/log.ts';
import { RecipeError } from '../pipeline/recipe/parse-recipe.ts';
import { openRecipeBook, type RecipeBook } from '../pipeline/recipe/recipe-book.ts';
import { loadRecipes, loadRecipesFile } from '../pipeline/recipe/recipes.ts';
import { didYouMean } from '../suggestion.ts';

/** The current recipes. @throws ConfigError for an invalid recipes file */
export async function loadConfiguredRecipes(config: Config): ReturnType<typeof loadRecipes> {
	return loadRecipes(config.recipesFile, config).catch(blameRecipesFile);
}

/** Checks the recipes file as the API will read it, with the presets of URLs. @throws ConfigError with every problem */
export async function checkRecipesFile({ recipesFile, defaultRecipe, ...limits }: Partial<Config>): Promise<void> {
	const { maxSteps = Number.POSITIVE_INFINITY, maxVariants = Number.POSITIVE_INFINITY } = limits;
	const { recipes } = await loadRecipesFile(recipesFile, { maxSteps, maxVariants }, problemsOfPresets).catch(
		blameRecipesFile,
	);
	if (defaultRecipe !== undefined && !recipes.has(defaultRecipe))
		throw unknownRecipe(settings.defaultRecipe.variable, defaultRecipe, recipes);
}

/**
 * The recipes, updated when the recipes file changes.
 *
 * @throws ConfigError for an invalid recipes file, and for a default recipe that does not exist
 */
export async function openRecipes(config: Config, assets: AssetFinder, log: Logger): Promise<RecipeBook> {
	const book = await openRecipeBook({
		file: config.recipesFile,
		limits: config,
		defaultRecipe: config.defaultRecipe,
		checkPresets: problemsOfPresets,
		onChange(change) {
			if ('problem' in change)
				log.error(change, 'the changed recipes file is invalid; the previous recipes stay in effect');
			else {
				log.info(change, 'the changed recipes file is in effect');
				warnOfMissing();
			}
		},
	}).catch(blameRecipesFile);
	// Only a warning: a file may be added later, or exist only on the workers' machines.
	const warnOfMissing = () => {
		for (const { name, definition } of book.recipes.values()) {
			assets.find(definition).catch((err) => log.warn({ err, recipe: name }, 'a recipe uses a missing asset'));
		}
	};
	warnOfMissing();
	if (!book.recipes.has(config.defaultRecipe)) {
		book.close();
		throw unknownRecipe(settings.defaultRecipe.variable, config.defaultRecipe, book.recipes);
	}
	return book;
}

/** @param source the setting or flag that names the recipe */
export function unknownRecipe(source: string, name: string, recipes: ReadonlyMap<string, unknown>): ConfigError {
	return new ConfigError([
		`${source}: expected one of ${[...recipes.keys()].join(', ')} but received "${name}"${didYouMean(name, [...recipes.keys()])}`,
	]);
}

function blameRecipesFile(error: unknown): never {
	if (!(error instanceof RecipeError)) throw error;
	const { variable } = settings.recipesFile;
	throw new ConfigError(error.problems.map((problem) => `${variable}: ${problem}`));
}
