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

/** A stored variant that a render can use instead of the original, and the recipe that makes the same from it. */
export interface ReusableVariant {
	readonly source: Pick<Variant, 'key' | 'sha256' | 'bytes'>;
	readonly recipe: Recipe;
}

/** The variant has to be larger by this factor, so that scaling down hides the losses of its encoder (docs/benchmarks.md). */
const leastReduction = 2;

/**
 * Finds the smallest stored variant that shows the whole picture and is large enough for a render whose first step scales it down.
 *
 * @returns undefined if only the original will do
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
	// This version cannot tell how the variants of a newer version's recipe were made.
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

/** The prediction of a resize; undefined for other steps. */
function scaling({ operation, options }: PlannedStep, size: Size): Prediction | undefined {
	return operation.name === 'resize' ? operation.predict(size, options) : undefined;
}

/** Made from the first page, upright, which is the default. */
function isUsual({ page, isUpright }: PlannedVariant): boolean {
	return page === 1 && isUpright;
}

/** Was it made by scaling alone, in the colour space of renders? Its digest proves that it matches its recipe. */
function showsAll(
	variant: Variant,
	planned: PlannedVariant | undefined,
	original: Size & { readonly sha256: string },
): boolean {
	if (!planned || !isUsual(planned) || planned.output.colour !== undefined || !isPlain(planned)) return false;
	const isAsPlanned = planned.encodings.some(
		(encoding) => isGoodEnough(encoding) && variantDigest(original.sha256, planned, encoding) === variant.digest,
	);
	// Rounding changes its aspect ratio by less than a pixel.
	const isOfSameShape =
		Math.abs(variant.width * original.height - variant.height * original.width) <=
		Math.max(original.width, original.height);
	return isAsPlanned && isOfSameShape;
}

/** Encoders whose quality tells how much is lost; a PNG's quality concerns its palette. */
const lossyEncoders = new Set(['webp', 'avif', 'jpeg']);

/** Does it have at least the encoder's default quality, which was measured? */
function isGoodEnough(encoding: PlannedEncoding): boolean {
	const quality = qualityOf(encoding);
	return quality !== undefined && quality.asked >= quality.usual;
}

/** Does the render request more than the default quality, or a target? Then nothing may be lost beforehand. */
function asksForMore(encoding: PlannedEncoding): boolean {
	const quality = qualityOf(encoding);
	return quality === undefined || quality.asked > quality.usual;
}

/** The requested and the default quality of a lossy encoder; the numbers of different encoders cannot be compared. */
function qualityOf({ encoder, options }: PlannedEncoding): { asked: number; usual: number } | undefined {
	if (isChooser(encoder) || !lossyEncoders.has(encoder.name)) return undefined;
	const { quality: asked, lossless, nearLossless } = options as Record<string, unknown>;
	const { quality: usual } = encoder.schema.parse({}) as { readonly quality?: unknown };
	if (typeof asked !== 'number' || typeof usual !== 'number') return undefined;
	return { asked: lossless === true || nearLossless === true ? Infinity : asked, usual };
}

/** Its steps from the original on: at most a scaling without a crop. */
function isPlain({ from, steps }: PlannedVariant): boolean {
	const [step, ...others] = steps;
	return from === undefined && others.length === 0 && (step === undefined || isUncut(step));
}

function isUncut({ operation, options }: PlannedStep): boolean {
	if (operation.name !== 'resize') return false;
	const { fit, width, height } = options as { fit: string; width?: number; height?: number };
	return fit === 'inside' || fit === 'outside' || (fit === 'cover' && (width === undefined || height === undefined));
}

/**
 * The same step for a scaled copy. Values that follow from the picture's size and shape are replaced by pixels, because the copy has
 * another size.
 */
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
