import { folderOf } from '../catalog/manifest.ts';
import type { ReceivedPicture } from '../domain/picture.ts';
import { type Recipe, type RecipeLimits, renderName } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { type Encoder, findEncoder, isChooser } from '../pipeline/encoders/index.ts';
import { parseRecipe, planVariants } from '../pipeline/recipe/parse-recipe.ts';
import { unknownParts } from '../pipeline/recipe/unknown-parts.ts';
import { assetsOf, type KnownAssets, variantDigest } from '../pipeline/recipe/variant-digest.ts';
import { variantKey } from '../storage/keys.ts';
import type { RenderFormat, RenderPlan } from './dialects/image-request.ts';

/** A valid render, with its storage key. */
export interface PreparedRender {
	readonly recipe: Recipe;
	readonly digest: string;
	readonly key: string;
	/** Media type. */
	readonly type: string;
	readonly format: RenderFormat;
}

/** Finds the assets that steps name, for the digest. Called only if there are any. */
export type FindAssets = (recipe: Recipe) => Promise<KnownAssets>;

/**
 * A plan in one format as a recipe of one variant. Equal work has equal digests, in every dialect and in recipes.
 *
 * @throws PicpipeError `invalid-delivery-url` if a recipe could not have these steps, `layer-not-found`; `asset-missing` for an asset of
 * the picture's own recipe
 */
export async function prepareRender(
	picture: ReceivedPicture,
	plan: RenderPlan,
	format: RenderFormat,
	{ limits, findAssets }: { readonly limits: RecipeLimits; readonly findAssets: FindAssets },
): Promise<PreparedRender> {
	const encoder = findEncoder(format);
	if (!encoder || isChooser(encoder)) throw new PicpipeError('internal', 'A render has no encoding.');
	const recipe = recipeOf(plan, format, limits);
	return prepare(picture, recipe, encoder, () => findFor(picture, recipe, findAssets));
}

/**
 * Prepares the only encoding of a recipe's only variant.
 *
 * @param encoder the one that writes it; the encoding may choose it from several
 */
export async function prepare(
	picture: ReceivedPicture,
	recipe: Recipe,
	encoder: Encoder,
	findAssets: FindAssets,
): Promise<PreparedRender> {
	const assets = assetsOf(recipe).length > 0 ? await findAssets(recipe) : undefined;
	const [variant] = planVariants(recipe);
	const [encoding] = variant?.encodings ?? [];
	if (!variant || !encoding) throw new PicpipeError('internal', 'A render has no encoding.');
	const digest = variantDigest(picture.source.sha256, variant, encoding, assets);
	const key = variantKey(folderOf(picture.id), renderName, digest, encoder.extension);
	// Renders can be written in every format of recipes.
	return { recipe, digest, key, type: encoder.type, format: encoder.name as RenderFormat };
}

/** A missing asset in the URL is an error of the request; in the picture's recipe it is not. */
async function findFor(picture: ReceivedPicture, recipe: Recipe, findAssets: FindAssets): Promise<KnownAssets> {
	try {
		return await findAssets(recipe);
	} catch (error) {
		if (!(error instanceof PicpipeError) || error.code !== 'asset-missing' || error.asset === undefined) throw error;
		const { definition } = picture.recipe;
		if (unknownParts(definition).length === 0 && assetsOf(definition).includes(error.asset)) throw error;
		// The response must not reveal where the files are.
		throw new PicpipeError(
			'layer-not-found',
			`Expected a file in PICPIPE_ASSETS or the id of a picture for a layer but found no ${JSON.stringify(error.asset)}.`,
			{ asset: error.asset, cause: error },
		);
	}
}

function recipeOf(plan: RenderPlan, format: RenderFormat, { maxSteps }: RecipeLimits): Recipe {
	const { page, orient, steps, metadata, colour, encode } = plan;
	if (steps.length > maxSteps) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected at most ${maxSteps} steps (PICPIPE_MAX_STEPS) but the URL has ${steps.length}.`,
		);
	}
	const variant = {
		...(page !== undefined && page > 1 && { page }),
		...(orient === false && { orient }),
		steps,
		...(metadata !== undefined && { metadata }),
		...(colour !== undefined && { colour }),
		encode: [{ [format]: encode?.(format) ?? {} }],
	};
	try {
		return parseRecipe(renderName, { variants: { [renderName]: variant } }).definition;
	} catch (error) {
		if (!(error instanceof PicpipeError) || error.code !== 'invalid-recipe') throw error;
		const detail = error.message.replaceAll(`variants.${renderName}.`, '');
		throw new PicpipeError('invalid-delivery-url', `The requested image cannot be made: ${detail}`, {
			cause: error,
		});
	}
}
