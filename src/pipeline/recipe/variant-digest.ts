import { digest12, engineVersion } from '../../domain/digest.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { findOperation } from '../../operations/index.ts';
import { type PlannedEncoding, type PlannedVariant, planVariants, type WrittenSteps } from './parse-recipe.ts';

/**
 * Digest of source, steps, encoding and engine: the same picture always has the same one. It includes all steps from the original
 * on, so a variant that builds on another has the digest of a variant with all those steps, which is the same picture.
 *
 * @param assets at least those that the variant's steps name
 */
export function variantDigest(
	sourceSha256: string,
	variant: PlannedVariant,
	encoding: PlannedEncoding,
	assets: KnownAssets = new Map(),
): string {
	const used = assetsOfSteps(variant.definition).map((name) => {
		const asset = assets.get(name);
		if (!asset) throw new TypeError(`Expected to know ${name}.`);
		return asset.sha256;
	});
	// Defaults are left out, so that variants without these options keep the digests from before the options existed.
	const more = {
		...variant.output,
		...(variant.page > 1 && { page: variant.page }),
		...(!variant.isUpright && { orient: false }),
		...(used.length > 0 && { assets: used }),
	};
	const others = Object.keys(more).length > 0 ? [more] : [];
	return digest12(sourceSha256, variant.definition, encoding.definition, engineVersion, ...others);
}

/** Digests of the other pictures that steps name: a replaced logo makes another variant. */
export type KnownAssets = ReadonlyMap<string, { readonly sha256: string }>;

/** Names of the other pictures that a recipe's steps need, each once. @throws PicpipeError `invalid-recipe` */
export function assetsOf(recipe: Recipe): readonly string[] {
	return [...new Set(planVariants(recipe).flatMap(({ definition }) => assetsOfSteps(definition)))];
}

/** Names of the other pictures that steps need, once for each step. */
export function assetsOfSteps(steps: WrittenSteps): readonly string[] {
	return steps.flatMap((step) =>
		Object.entries(step).flatMap(([name, options]) => findOperation(name)?.assets?.(options) ?? []),
	);
}

/** Digest of source, requested analysis and engine: the results are valid as long as it stays the same. */
export function analysisDigest(sourceSha256: string, recipe: Recipe): string {
	return digest12(sourceSha256, recipe.analyse, engineVersion);
}
