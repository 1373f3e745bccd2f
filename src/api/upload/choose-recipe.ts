import type { Picture } from '../../domain/picture.ts';
import { inlineRecipeName, type NamedRecipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { recipeAsOfNow } from '../../intake/reprocess.ts';
import { parseRecipe } from '../../pipeline/recipe/parse-recipe.ts';
import type { ApiContext } from '../context.ts';
import { maximumInlineRecipe, type RecipeField } from '../contract.ts';

/**
 * The recipe of a request: by name, inline, or the default.
 *
 * @throws PicpipeError `unknown-recipe`, `inline-recipes-off`, `invalid-recipe`, `recipe-too-large`
 */
export function chooseRecipe(context: ApiContext, asked: RecipeField | undefined): NamedRecipe {
	if (typeof asked === 'object') return inlineRecipe(context, JSON.stringify(asked));
	if (asked?.trimStart().startsWith('{')) return inlineRecipe(context, asked);
	return orUnknown(context, context.recipeBook.recipes.get(asked ?? context.config.defaultRecipe), asked);
}

/** The current definition of the recipe that a picture was last made with. @throws PicpipeError `unknown-recipe` if it no longer exists */
export function recipeOf(context: ApiContext, picture: Picture): NamedRecipe {
	return orUnknown(context, recipeAsOfNow(context.recipeBook.recipes, picture), picture.recipe.name);
}

function orUnknown(
	{ recipeBook }: ApiContext,
	recipe: NamedRecipe | undefined,
	asked: string | undefined,
): NamedRecipe {
	if (recipe) return recipe;
	const known = [...recipeBook.recipes.keys()].join(', ');
	throw new PicpipeError('unknown-recipe', `Expected one of ${known} for recipe but received "${asked}".`);
}

function inlineRecipe({ config }: ApiContext, text: string): NamedRecipe {
	if (!config.inlineRecipes) {
		throw new PicpipeError(
			'inline-recipes-off',
			'Expected the name of a recipe but received a recipe; PICPIPE_INLINE_RECIPES=true allows that.',
		);
	}
	const length = Buffer.byteLength(text);
	if (length > maximumInlineRecipe) {
		throw new PicpipeError(
			'recipe-too-large',
			`recipe: expected at most ${maximumInlineRecipe} bytes of JSON, received ${length}`,
		);
	}
	return parseRecipe(inlineRecipeName, parseJson(text), config);
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw new PicpipeError('invalid-recipe', `recipe: expected JSON: ${(cause as Error).message}`, { cause });
	}
}
