import { isReceived, type Picture, type ReceivedPicture } from '../domain/picture.ts';
import type { NamedRecipe, Recipe } from '../domain/recipe.ts';
import type { Variant } from '../domain/variant.ts';
import { PicpipeError } from '../errors.ts';
import { analysisDigest, assetsOf, type KnownAssets, variantDigest } from '../pipeline/recipe/plan.ts';
import { remainder } from '../pipeline/recipe/remainder.ts';
import { unknownParts } from '../pipeline/recipe/unknown-parts.ts';
import type { Storage } from '../storage/storage.ts';
import type { AssetFinder } from './assets.ts';

/** What has to be done to a picture so that its recipe is fulfilled. */
export interface WorkLeft {
	/** Variants that are stored and are what the recipe asks for. */
	readonly kept: readonly Variant[];
	/** Whether the analysis in the manifest is what the recipe asks for. */
	readonly isAnalysed: boolean;
	/** What to make; undefined when everything is there. */
	readonly recipe: Recipe | undefined;
}

/**
 * Compares what a recipe asks for with what the manifest names and the storage holds, by digests and sizes; nothing is decoded.
 *
 * @param assets digests of the pictures that the recipe uses
 */
export async function workLeft(
	storage: Storage,
	picture: ReceivedPicture,
	recipe: Recipe,
	assets: KnownAssets,
): Promise<WorkLeft> {
	const { sha256 } = picture.source;
	const stored = picture.force ? [] : await storedVariants(storage, picture.variants);
	const kept = new Set<Variant>();
	const isAnalysed =
		!picture.force && picture.facts !== undefined && picture.analysisDigest === analysisDigest(sha256, recipe);
	const rest = remainder(
		recipe,
		(variant, encoding) => {
			const digest = variantDigest(sha256, variant, encoding, assets);
			const found = stored.find((one) => one.name === variant.name && one.digest === digest);
			if (found) kept.add(found);
			return found !== undefined;
		},
		isAnalysed,
	);
	return { kept: [...kept], isAnalysed, recipe: rest };
}

/** What it takes to see whether a picture is what a recipe asks for. */
interface Sources {
	readonly storage: Storage;
	readonly assets?: AssetFinder;
}

/** Nothing would come of processing the picture again with this recipe. */
export async function isUpToDate(from: Sources, picture: Picture, recipe: NamedRecipe): Promise<boolean> {
	if (!isReceived(picture) || picture.state !== 'ready' || picture.recipe.name !== recipe.name) return false;
	if (picture.recipe.digest !== recipe.digest) return false;
	// Whether anything is left of a recipe of a newer version is for a newer worker to see.
	if (unknownParts(recipe.definition).length > 0) return false;
	const assets = await knownAssets(from.assets, recipe.definition);
	return (
		assets !== undefined && (await workLeft(from.storage, picture, recipe.definition, assets)).recipe === undefined
	);
}

/** Undefined where they can't be told: they may be on another machine, and whoever works on the picture will say more. */
async function knownAssets(finder: AssetFinder | undefined, recipe: Recipe): Promise<KnownAssets | undefined> {
	if (assetsOf(recipe).length === 0) return new Map();
	try {
		return await finder?.find(recipe);
	} catch (error) {
		if (error instanceof PicpipeError) return undefined;
		throw error;
	}
}

async function storedVariants(storage: Storage, variants: readonly Variant[]): Promise<readonly Variant[]> {
	const stats = await Promise.all(variants.map(({ key }) => storage.stat(key)));
	return variants.filter(({ bytes }, index) => stats[index]?.bytes === bytes);
}
