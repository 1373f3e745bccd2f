import type { Recipe } from '../../domain/recipe.ts';
import { type PlannedEncoding, type PlannedVariant, planVariants } from './plan.ts';

/** Is this encoding of this variant there already? */
export type IsThere = (variant: PlannedVariant, encoding: PlannedEncoding) => boolean;

/**
 * The part of a recipe that is still to be made: variants with the encodings that are not there, and without any encoding those
 * that others stand on. What it makes has the same digests as the whole recipe would give it.
 *
 * @returns undefined when nothing is left
 */
export function remainder(recipe: Recipe, isThere: IsThere, isAnalysed: boolean): Recipe | undefined {
	const left = new Map<string, Recipe['variants'][string]['encode']>();
	for (const variant of planVariants(recipe)) {
		const encode = variant.encodings.filter((encoding) => !isThere(variant, encoding));
		if (encode.length === 0) continue;
		left.set(
			variant.name,
			encode.map(({ definition }) => definition),
		);
		for (const name of standsOn(variant.name, recipe)) if (!left.has(name)) left.set(name, []);
	}
	const analyse = isAnalysed ? [] : recipe.analyse;
	if (left.size === 0 && analyse.length === 0) return undefined;
	const variants = Object.entries(recipe.variants).flatMap(([name, variant]) => {
		const encode = left.get(name);
		return encode ? [[name, { ...variant, encode }] as const] : [];
	});
	return { analyse, variants: Object.fromEntries(variants) };
}

/** The variants between this one and the original. */
function standsOn(name: string, { variants }: Recipe): string[] {
	const from = variants[name]?.from;
	return from === undefined ? [] : [from, ...standsOn(from, { analyse: [], variants })];
}
