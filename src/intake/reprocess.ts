import type { Picture } from '../domain/picture.ts';
import { inlineRecipeName, type NamedRecipe } from '../domain/recipe.ts';
import { parseRecipe } from '../pipeline/plan.ts';

/** The recipe that a picture was last made with, as it is now; undefined when there is none of that name any more. */
export function recipeAsOfNow(recipes: ReadonlyMap<string, NamedRecipe>, { recipe }: Picture): NamedRecipe | undefined {
	// One that came with a request stands nowhere else; its digest may be that of an older engine.
	if (recipe.name === inlineRecipeName) return parseRecipe(inlineRecipeName, recipe.definition);
	return recipes.get(recipe.name);
}
