import type { RequestHandler } from 'express';
import { PicpipeError } from '../../errors.ts';
import { describeOperations, describeRecipe } from '../../pipeline/recipe/json-schema.ts';
import type { ApiContext } from '../context.ts';

/** `GET /v1/recipes` */
export function listRecipes({ config, recipeBook }: ApiContext): RequestHandler {
	// At the first request: it takes some 30 ms, which would make every start longer.
	let schema: ReturnType<typeof describeRecipe> | undefined;
	return (_request, response) => {
		schema ??= describeRecipe(config);
		const { recipes, problem } = recipeBook;
		response.json({
			default: config.defaultRecipe,
			inline: config.inlineRecipes,
			...(problem !== undefined && { problem }),
			recipes: [...recipes.values()],
			schema,
		});
	};
}

/** `GET /v1/recipes/{name}` */
export function getRecipe({ recipeBook }: ApiContext): RequestHandler {
	return (request, response) => {
		const name = String(request.params.name);
		const { recipes } = recipeBook;
		const recipe = recipes.get(name);
		if (!recipe) {
			const known = [...recipes.keys()].join(', ');
			throw new PicpipeError('recipe-not-found', `Expected one of ${known} but received "${name}".`);
		}
		response.json(recipe);
	};
}

/** `GET /v1/operations` */
export function listOperations(): RequestHandler {
	// As above.
	let answer: ReturnType<typeof describeOperations> | undefined;
	return (_request, response) => {
		answer ??= describeOperations();
		response.json(answer);
	};
}
