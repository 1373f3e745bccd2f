import { type Caller, requireRecipe } from '../../access/caller.ts';
import { confinedTo, requireReach } from '../../access/ownership.ts';
import { readManifest } from '../../catalog/manifest.ts';
import { isPictureId, type Picture } from '../../domain/picture.ts';
import { inlineRecipeName, type NamedRecipe, type Recipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { recipeAsOfNow } from '../../intake/reprocess.ts';
import { parseRecipe } from '../../pipeline/recipe/parse-recipe.ts';
import { assetsOf } from '../../pipeline/recipe/variant-digest.ts';
import type { ApiContext } from '../context.ts';
import { maximumInlineRecipe, type RecipeField } from '../contract.ts';
import { jsonExcess } from '../middleware/json.ts';

/**
 * The recipe of a request, if the caller may use it: by name, inline, or the default.
 *
 * @throws PicpipeError `unknown-recipe`, `recipe-not-allowed`, `inline-recipes-off`, `invalid-recipe`, `recipe-too-large`; `picture-not-found` for an
 * inline recipe with a picture that the caller may not see
 */
export async function chooseRecipe(
	context: ApiContext,
	caller: Caller,
	asked: RecipeField | undefined,
): Promise<NamedRecipe> {
	const text = typeof asked === 'object' ? JSON.stringify(asked) : asked;
	const isInline = text?.trimStart().startsWith('{') === true;
	const recipe = isInline ? inlineRecipe(context, text) : namedRecipe(context, text);
	requireRecipe(caller, recipe.name);
	if (isInline) await requireAssets(context, caller, recipe.definition);
	return recipe;
}

/** A recipe of the recipes file; the default one if no name is given. @throws PicpipeError `unknown-recipe` */
export function namedRecipe(context: ApiContext, name?: string): NamedRecipe {
	return orUnknown(context, context.recipeBook.recipes.get(name ?? context.config.defaultRecipe), name);
}

/**
 * A variant shows the pictures that its recipe uses. The recipes file is the operator's, but a recipe of a request must not show a caller what it
 * may not see.
 */
async function requireAssets({ storage }: ApiContext, caller: Caller, recipe: Recipe): Promise<void> {
	if (confinedTo(caller) === undefined) return;
	for (const id of assetsOf(recipe).filter(isPictureId)) {
		const missing = () =>
			new PicpipeError('picture-not-found', `The recipe uses the picture ${id}, and there is no such picture.`);
		const picture = await readManifest(storage, id);
		if (!picture) throw missing();
		requireReach(caller, 'see', picture, missing);
	}
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
	const excess = jsonExcess(Buffer.from(text));
	if (excess !== undefined) throw new PicpipeError('invalid-recipe', `recipe: ${excess}.`);
	return parseRecipe(inlineRecipeName, parseJson(text), config);
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw new PicpipeError('invalid-recipe', `recipe: expected JSON: ${(cause as Error).message}`, { cause });
	}
}
