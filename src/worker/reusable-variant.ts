import { isDeepStrictEqual } from 'node:util';
import type { ReceivedPicture, Variant } from '../domain/picture.ts';
import { type Recipe, renderName } from '../domain/recipe.ts';
import type { Prediction, Size } from '../operations/operation.ts';
import { isChooser } from '../pipeline/encoders/index.ts';
import {
	type PlannedEncoding,
	type PlannedStep,
	type PlannedVariant,
	planVariants,
} from '../pipeline/recipe/parse-recipe.ts';
import { unknownParts } from '../pipeline/recipe/unknown-parts.ts';
import { variantDigest } from '../pipeline/recipe/variant-digest.ts';

/** A stored variant that a render can be made of instead of the original, and the recipe that makes the same of it. */
export interface ReusableVariant {
	readonly source: Pick<Variant, 'key' | 'sha256' | 'bytes'>;
	readonly recipe: Recipe;
}

/** A variant has to be larger by this factor, so that what its encoder lost is gone when it is scaled down (docs/benchmarks.md). */
const leastReduction = 2;

/**
 * The smallest stored variant that shows all of the picture, large enough for a render whose first step scales it down.
 *
 * @returns undefined where only the original will do
 */
export function findReusableVariant(picture: ReceivedPicture, recipe: Recipe): ReusableVariant | undefined {
	const { facts } = picture;
	const [render] = planVariants(recipe);
	const [first] = render?.steps ?? [];
	if (!facts || facts.frames > 1 || !render || !first || !isUsual(render) || !isDeepStrictEqual(render.output, {}))
		return undefined;
	if (render.encodings.some(asksForMore)) return undefined;
	const prediction = scaling(first, facts);
	const { sufficientScale } = prediction ?? {};
	if (!prediction || !sufficientScale) return undefined;
	// How the variants of a newer version's recipe were made, nobody knows here.
	if (unknownParts(picture.recipe.definition).length > 0) return undefined;
	const planned = planVariants(picture.recipe.definition);
	const [source] = picture.variants
		.filter((variant) => !facts.alpha || variant.format !== 'jpeg')
		.filter(({ width }) => width >= sufficientScale.width * leastReduction)
		.filter(({ height }) => height >= sufficientScale.height * leastReduction)
		.filter((variant) =>
			showsAll(
				variant,
				planned.find(({ name }) => name === variant.name),
				{ ...facts, sha256: picture.source.sha256 },
			),
		)
		.sort((a, b) => a.width - b.width);
	return source && { source, recipe: withFirst(recipe, exact(first, facts, prediction)) };
}

/** What a resize will do, if that is what the step is. */
function scaling({ operation, options }: PlannedStep, size: Size): Prediction | undefined {
	return operation.name === 'resize' ? operation.predict(size, options) : undefined;
}

/** Made of the first page, upright, as other variants are unless they say otherwise. */
function isUsual({ page, isUpright }: PlannedVariant): boolean {
	return page === 1 && isUpright;
}

/** Was it made by nothing but scaling, in the colours that renders have? Its digest tells that it is what the recipe of today says. */
function showsAll(
	variant: Variant,
	planned: PlannedVariant | undefined,
	original: Size & { readonly sha256: string },
): boolean {
	if (!planned || !isUsual(planned) || planned.output.colour !== undefined || !isPlain(planned)) return false;
	const isAsPlanned = planned.encodings.some(
		(encoding) => isGoodEnough(encoding) && variantDigest(original.sha256, planned, encoding) === variant.digest,
	);
	// Rounded to whole pixels, its shape is off by less than one.
	const isOfSameShape =
		Math.abs(variant.width * original.height - variant.height * original.width) <=
		Math.max(original.width, original.height);
	return isAsPlanned && isOfSameShape;
}

/** Those whose quality says how much is lost; a PNG's is about its palette. */
const lossyEncoders = new Set(['webp', 'avif', 'jpeg']);

/** Written with the quality that its encoder has by default, or more. What was measured is no less. */
function isGoodEnough(encoding: PlannedEncoding): boolean {
	const quality = qualityOf(encoding);
	return quality !== undefined && quality.asked >= quality.usual;
}

/** Shall be better than usual, or has no number that says how good it shall be: then nothing may be lost before. */
function asksForMore(encoding: PlannedEncoding): boolean {
	const quality = qualityOf(encoding);
	return quality === undefined || quality.asked > quality.usual;
}

/** Of an encoder that loses something, and the one that it has by default: a number means something else to each. */
function qualityOf({ encoder, options }: PlannedEncoding): { asked: number; usual: number } | undefined {
	if (isChooser(encoder) || !lossyEncoders.has(encoder.name)) return undefined;
	const { quality: asked, lossless, nearLossless } = options as Record<string, unknown>;
	const { quality: usual } = encoder.schema.parse({}) as { readonly quality?: unknown };
	if (typeof asked !== 'number' || typeof usual !== 'number') return undefined;
	return { asked: lossless === true || nearLossless === true ? Infinity : asked, usual };
}

/** Its steps from the original on: a scaling without a crop, or none. */
function isPlain({ from, steps }: PlannedVariant): boolean {
	const [step, ...others] = steps;
	return from === undefined && others.length === 0 && (step === undefined || isUncut(step));
}

function isUncut({ operation, options }: PlannedStep): boolean {
	if (operation.name !== 'resize') return false;
	const { fit, width, height } = options as { fit: string; width?: number; height?: number };
	return fit === 'inside' || fit === 'outside' || (fit === 'cover' && (width === undefined || height === undefined));
}

/** The same step on a scaled copy: what follows from the picture's size and shape is said in pixels, because the copy has another. */
function exact({ operation, options }: PlannedStep, picture: Size, { output }: Prediction): Record<string, unknown> {
	const [sized = options] = operation.passes?.(picture, options) ?? [];
	const { fit, width, height, kernel } = sized as { fit: string; width?: number; height?: number; kernel: string };
	const isFramed = (fit === 'cover' || fit === 'contain') && width !== undefined && height !== undefined;
	return { resize: isFramed ? sized : { ...output, fit: 'fill', kernel } };
}

function withFirst(recipe: Recipe, step: Record<string, unknown>): Recipe {
	const { [renderName]: render, ...others } = recipe.variants;
	if (!render) return recipe;
	return { ...recipe, variants: { ...others, [renderName]: { ...render, steps: [step, ...render.steps.slice(1)] } } };
}
