import { type Config, ConfigError, settings } from '../config/index.ts';
import { problemsOfPresets } from '../delivery/check-presets.ts';
import { PicpipeError } from '../errors.ts';
import type { AssetFinder } from '../intake/assets.ts';
import type { Logger } from '../observe/log.ts';
import { openRecipeBook, type RecipeBook } from '../pipeline/recipe/recipe-book.ts';
import { loadRecipes } from '../pipeline/recipe/recipes.ts';

/** The current recipes. @throws ConfigError for an invalid recipes file */
export async function loadConfiguredRecipes(config: Config): ReturnType<typeof loadRecipes> {
	return loadRecipes(config.recipesFile, config).catch(blameRecipesFile);
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
	return new ConfigError([`${source}: expected one of ${[...recipes.keys()].join(', ')} but received "${name}"`]);
}

function blameRecipesFile(error: unknown): never {
	if (!(error instanceof PicpipeError) || error.code !== 'invalid-recipe') throw error;
	throw new ConfigError([`${settings.recipesFile.variable}: ${error.message}`]);
}
