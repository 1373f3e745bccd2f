import { folderOf } from '../catalog/manifest.ts';
import type { ReceivedPicture } from '../domain/picture.ts';
import { type Recipe, type RecipeLimits, renderName } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { findEncoder, isChooser } from '../pipeline/encode.ts';
import { assetsOf, type KnownAssets, parseRecipe, planVariants, variantDigest } from '../pipeline/plan.ts';
import { variantKey } from '../storage/keys.ts';
import type { RenderFormat, RenderPlan } from './wanted.ts';

/** A render that is known to be possible, and where it lies once it is made. */
export interface PreparedRender {
	readonly recipe: Recipe;
	readonly digest: string;
	readonly key: string;
	/** Media type. */
	readonly type: string;
	readonly format: RenderFormat;
}

/** What digests need of the pictures that steps name; asked for only where there are any. */
export type FindAssets = (recipe: Recipe) => Promise<KnownAssets>;

/**
 * A plan in one format as a recipe of one variant. The same work always has the same digest, in whatever language it was asked for, and a recipe's
 * variant of the same steps has it too.
 *
 * @throws PicpipeError `invalid-delivery-url` when the steps are none that recipes take, `asset-missing`
 */
export async function prepareRender(
	picture: ReceivedPicture,
	plan: RenderPlan,
	format: RenderFormat,
	{ limits, findAssets }: { readonly limits: RecipeLimits; readonly findAssets: FindAssets },
): Promise<PreparedRender> {
	const recipe = recipeOf(plan, format, limits);
	const assets = assetsOf(recipe).length > 0 ? await findAssets(recipe) : undefined;
	const [variant] = planVariants(recipe);
	const [encoding] = variant?.encodings ?? [];
	const encoder = findEncoder(format);
	if (!variant || !encoding || !encoder || isChooser(encoder))
		throw new PicpipeError('internal', 'A render has no encoding.');
	const digest = variantDigest(picture.source.sha256, variant, encoding, assets);
	const key = variantKey(folderOf(picture.id), renderName, digest, encoder.extension);
	return { recipe, digest, key, type: encoder.type, format };
}

function recipeOf(plan: RenderPlan, format: RenderFormat, { maxSteps }: RecipeLimits): Recipe {
	const { page, steps, metadata, colour, encode } = plan;
	if (steps.length > maxSteps) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected at most ${maxSteps} steps (PICPIPE_MAX_STEPS) but the address asks for ${steps.length}.`,
		);
	}
	const variant = {
		...(page !== undefined && page > 1 && { page }),
		steps,
		...(metadata !== undefined && { metadata }),
		...(colour !== undefined && { colour }),
		encode: [{ [format]: encode?.(format) ?? {} }],
	};
	try {
		return parseRecipe(renderName, { variants: { [renderName]: variant } }).definition;
	} catch (error) {
		if (!(error instanceof PicpipeError) || error.code !== 'invalid-recipe') throw error;
		const told = error.message.replaceAll(`variants.${renderName}.`, '');
		throw new PicpipeError('invalid-delivery-url', `What the address asks for cannot be made: ${told}`, {
			cause: error,
		});
	}
}
