import type { RequestHandler } from 'express';
import { PicpipeError } from '../errors.ts';
import type { ApiContext } from './context.ts';

/** `GET /v1/recipes` */
export function listRecipes(context: ApiContext): RequestHandler {
	return (_request, response) => {
		response.json({ default: context.config.defaultRecipe, recipes: [...context.recipes.values()] });
	};
}

/** `GET /v1/recipes/{name}` */
export function getRecipe(context: ApiContext): RequestHandler {
	return (request, response) => {
		const name = String(request.params.name);
		const recipe = context.recipes.get(name);
		if (!recipe) {
			const known = [...context.recipes.keys()].join(', ');
			throw new PicpipeError('recipe-not-found', `Expected one of ${known} but received "${name}".`);
		}
		response.json(recipe);
	};
}
