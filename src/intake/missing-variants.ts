import { isReceived, type Picture, type ReceivedPicture, type Variant } from '../domain/picture.ts';
import type { NamedRecipe, Recipe } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { type PlannedEncoding, type PlannedVariant, planVariants } from '../pipeline/recipe/parse-recipe.ts';
import { unknownParts } from '../pipeline/recipe/unknown-parts.ts';
import { analysisDigest, assetsOf, type KnownAssets, variantDigest } from '../pipeline/recipe/variant-digest.ts';
import type { Storage } from '../storage/storage.ts';
import type { AssetFinder } from './assets.ts';

/** A picture compared with its recipe. */
export interface MissingVariants {
	/** Stored variants that match the recipe. */
	readonly stored: readonly Variant[];
	/** Whether the analysis in the manifest matches the recipe. */
	readonly isAnalysed: boolean;
	/** The missing part of the recipe; undefined when nothing is missing. */
	readonly recipe: Recipe | undefined;
}

/**
 * Compares a recipe with the manifest and the storage, by digests and sizes. Nothing is decoded.
 *
 * @param assets digests of the pictures that the recipe uses
 */
export async function findMissingVariants(
	storage: Storage,
	picture: ReceivedPicture,
	recipe: Recipe,
	assets: KnownAssets,
): Promise<MissingVariants> {
	const { sha256 } = picture.source;
	const candidates = picture.force ? [] : await storedVariants(storage, picture.variants);
	const stored = new Set<Variant>();
	const isAnalysed =
		!picture.force && picture.facts !== undefined && picture.analysisDigest === analysisDigest(sha256, recipe);
	const isStored = (variant: PlannedVariant, encoding: PlannedEncoding) => {
		const digest = variantDigest(sha256, variant, encoding, assets);
		const found = candidates.find((one) => one.name === variant.name && one.digest === digest);
		if (found) stored.add(found);
		return found !== undefined;
	};
	const missing = missingRecipe(recipe, isStored, isAnalysed);
	return { stored: [...stored], isAnalysed, recipe: missing };
}

/**
 * The part of a recipe that is not stored: variants with their missing encodings, and the variants that those build on, without
 * encodings of their own. Its results have the same digests as those of the whole recipe.
 *
 * @returns undefined when nothing is missing
 */
export function missingRecipe(
	recipe: Recipe,
	isStored: (variant: PlannedVariant, encoding: PlannedEncoding) => boolean,
	isAnalysed: boolean,
): Recipe | undefined {
	const missing = new Map<string, Recipe['variants'][string]['encode']>();
	for (const variant of planVariants(recipe)) {
		const encode = variant.encodings.filter((encoding) => !isStored(variant, encoding));
		if (encode.length === 0) continue;
		missing.set(
			variant.name,
			encode.map(({ definition }) => definition),
		);
		for (const name of ancestorsOf(variant.name, recipe)) if (!missing.has(name)) missing.set(name, []);
	}
	const analyse = isAnalysed ? [] : recipe.analyse;
	if (missing.size === 0 && analyse.length === 0) return undefined;
	const variants = Object.entries(recipe.variants).flatMap(([name, variant]) => {
		const encode = missing.get(name);
		return encode ? [[name, { ...variant, encode }] as const] : [];
	});
	return { analyse, variants: Object.fromEntries(variants) };
}

/** The variants between this one and the original. */
function ancestorsOf(name: string, { variants }: Recipe): string[] {
	const from = variants[name]?.from;
	return from === undefined ? [] : [from, ...ancestorsOf(from, { analyse: [], variants })];
}

/** The dependencies for comparing a picture with a recipe. */
interface Sources {
	readonly storage: Storage;
	readonly assets?: AssetFinder;
}

/** Would processing the picture again with this recipe change nothing? */
export async function isUpToDate(from: Sources, picture: Picture, recipe: NamedRecipe): Promise<boolean> {
	if (!isReceived(picture) || picture.state !== 'ready' || picture.recipe.name !== recipe.name) return false;
	if (picture.recipe.digest !== recipe.digest) return false;
	// For a recipe of a newer version, a newer worker decides which variants are missing.
	if (unknownParts(recipe.definition).length > 0) return false;
	const assets = await knownAssets(from.assets, recipe.definition);
	if (!assets) return false;
	return (await findMissingVariants(from.storage, picture, recipe.definition, assets)).recipe === undefined;
}

/** Undefined when an asset cannot be read here: it may be on another machine, and the worker that takes the picture reports more. */
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
