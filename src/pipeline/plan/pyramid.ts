import type { ColourOption } from '../../domain/output.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { area, storedSize } from '../../operations/geometry.ts';
import type { Scaling, Size } from '../../operations/operation.ts';
import type { Analyser, PictureShape } from '../analysis/analysis.ts';
import { analysersOf } from '../analysis/index.ts';
import { encodersOf, keepsAnimation } from '../encoders/index.ts';
import { maximumSvgSide } from '../inspect/svg-size.ts';
import { type PlannedStep, type PlannedVariant, planVariants } from '../recipe/parse-recipe.ts';

/** A step as it will be applied to this picture. */
export interface PlannedPass extends PlannedStep {
	/** Size of the picture before this step, if it begins with the whole original. */
	readonly input: Size;
}

/** A variant as it is made from a level. */
export interface LevelVariant {
	readonly variant: PlannedVariant;
	readonly passes: readonly PlannedPass[];
	/** Frames to process: those of an animation if this variant or one that builds on it keeps them; otherwise 1. */
	readonly frames: number;
	/** Variants that begin with the result of the last pass. */
	readonly chained: readonly LevelVariant[];
	/** Steps that are planned once the size of the last pass is known; absent if all sizes are known in advance. */
	readonly deferred?: DeferredSteps;
}

/** The rest of a variant after a step whose result has a size that depends on the pixels. */
export interface DeferredSteps {
	/** Variants that build on this one. */
	readonly variants: readonly PlannedVariant[];
	/** @throws PicpipeError `output-too-large` */
	plan(size: Size): LevelVariant;
}

/**
 * One level of the pyramid: the whole picture, scaled to a size at which some variant begins. The largest level is decoded from the
 * file, at which JPEG and WebP can shrink on load; the others are made from it or from each other. So a picture is decoded once, and
 * nothing is encoded unless it was requested.
 */
export interface PyramidLevel extends Scaling {
	/** The level that it is made from; undefined if it is decoded from the file. */
	readonly base: PyramidLevel | undefined;
	/** Page of the original, counted from 1. */
	readonly page: number;
	/** Rotated by its EXIF orientation; also true if there is none. */
	readonly isUpright: boolean;
	/** Colour space of the pixels, if the picture has its own profile. */
	readonly colour: ColourOption;
	/** Variants whose first step begins here. */
	readonly variants: readonly LevelVariant[];
	/** Kinds of analysis that use this level. */
	readonly analyse: readonly Analyser[];
}

/** Properties of a picture, or of one of its pages, that planning needs. */
export interface PlannedPicture extends PictureShape {
	/** EXIF orientation, 1 to 8; upright when absent. Width and height are those of the upright picture. */
	readonly orientation?: number;
	/** It has its own colour profile. */
	readonly hasProfile?: boolean;
	/** It is a vector picture, which can be rasterised at any size. */
	readonly isVector?: boolean;
}

/** Limits on variants and on intermediate results. */
export interface WorkLimits {
	/** Million pixels. */
	readonly maxMegapixels: number;
	/** Width and height of a variant in pixels. */
	readonly maxOutputDimension: number;
}

/**
 * A level is made from another than the largest only if that one is larger by this factor. A picture that is scaled down slightly
 * twice turns soft; halved each time, it is as good as in one step (docs/benchmarks.md).
 */
const leastReduction = 1.5;

/**
 * Plans the levels that a recipe needs for a picture of this size, largest first.
 *
 * @param further the other pages, at least those that the recipe names
 * @throws PicpipeError `output-too-large`, before a pixel is decoded; `invalid-recipe`
 */
export function planPyramid(
	recipe: Recipe,
	picture: PlannedPicture,
	limits: WorkLimits,
	further: ReadonlyMap<number, PlannedPicture> = new Map(),
): readonly PyramidLevel[] {
	const needs = new Map<
		string,
		Pick<PyramidLevel, 'page' | 'isUpright' | 'colour'> & {
			scaling: Scaling;
			variants: LevelVariant[];
			analyse: Analyser[];
		}
	>();
	const needAt = (scaling: Scaling, { page = 1, isUpright = true, colour = 'srgb' as ColourOption } = {}) => {
		const key = `${scaling.width}×${scaling.height} ${scaling.kernel} ${colour} ${page} ${isUpright}`;
		const need = needs.get(key) ?? { scaling, page, isUpright, colour, variants: [], analyse: [] };
		needs.set(key, need);
		return need;
	};
	const planned = planVariants(recipe);
	for (const variant of planned.filter(({ from }) => from === undefined)) {
		const { page } = variant;
		const upright = page > 1 ? further.get(page) : picture;
		if (!upright) throw new TypeError(`Expected to know page ${page}.`);
		const { orientation = 1 } = upright;
		const isUpright = variant.isUpright || orientation === 1;
		const from = isUpright ? upright : { ...upright, ...storedSize(upright, orientation) };
		const { width, height } = from.isVector ? rasterSizeFor(variant, from, limits) : from;
		const chain = planChain(variant, { width, height }, { planned, picture: from, limits });
		const sufficient = sufficientScaleFor(chain.passes);
		const colour = from.hasProfile ? variant.output.colour : 'srgb';
		const scaling = sufficient ?? { width, height, kernel: 'lanczos3' };
		needAt(scaling, { page, isUpright, ...(colour && { colour }) }).variants.push(chain);
	}
	for (const analyser of analysersOf(recipe.analyse)) {
		const scale = analyser.scaleFor(picture);
		if (scale) needAt(scale).analyse.push(analyser);
	}

	const levels: PyramidLevel[] = [];
	for (const need of [...needs.values()].sort((a, b) => area(b.scaling) - area(a.scaling))) {
		const { scaling, ...rest } = need;
		const alike = levels.filter((level) =>
			(['page', 'isUpright', 'colour'] as const).every((key) => level[key] === need[key]),
		);
		levels.push({ ...scaling, base: baseFor(scaling, alike), ...rest });
	}
	return levels;
}

/** The scale that is sufficient for these passes; undefined if they need the whole picture. */
function sufficientScaleFor([first, ...rest]: readonly PlannedPass[]): Scaling | undefined {
	if (!first) return undefined;
	const { operation, options, input } = first;
	const { sufficientScale } = operation.predict(input, options);
	if (sufficientScale || !operation.inputScale) return sufficientScale;
	const outputScale = sufficientScaleFor(rest);
	return outputScale && operation.inputScale(outputScale, options);
}

/** The size at which a vector picture is rasterised for a variant: its own, or the one that the first step enlarges it to. */
function rasterSizeFor({ steps: [first] }: PlannedVariant, picture: Size, { maxMegapixels }: WorkLimits): Size {
	const raster = first?.operation.predict(picture, first.options).rasterSize;
	if (!raster || area(raster) > maxMegapixels * 1e6 || Math.max(raster.width, raster.height) > maximumSvgSide)
		return picture;
	return raster;
}

/** The smallest level that is large enough, or else the largest. */
function baseFor(scaling: Scaling, levels: readonly PyramidLevel[]): PyramidLevel | undefined {
	const good = levels.findLast((level) => level.width >= scaling.width * leastReduction);
	if (good) return good;
	const [largest] = levels;
	// A level of the same size uses another kernel.
	return largest && largest.width > scaling.width ? largest : undefined;
}

/** Every variant of these levels, including those that build on others. */
export function variantsOf(levels: readonly PyramidLevel[]): readonly PlannedVariant[] {
	const withChained = ({ variant, chained, deferred }: LevelVariant): PlannedVariant[] => [
		variant,
		...chained.flatMap(withChained),
		...(deferred?.variants ?? []),
	];
	return levels.flatMap((level) => level.variants.flatMap(withChained));
}

/** Does a level need all frames of an animation, for its variants or for a level that is made from it? */
export function needsFrames(level: PyramidLevel, levels: readonly PyramidLevel[]): boolean {
	if (level.variants.some(({ frames }) => frames > 1)) return true;
	return levels.some((other) => other.base === level && needsFrames(other, levels));
}

interface PlanContext {
	/** Every variant of the recipe. */
	readonly planned: readonly PlannedVariant[];
	/** The original. */
	readonly picture: PictureShape;
	readonly limits: WorkLimits;
}

/** Plans a variant, whose steps begin with pixels of this size, and all variants that build on it. */
function planChain(variant: PlannedVariant, input: Size, context: PlanContext, steps = variant.steps): LevelVariant {
	const { passes, output, remaining } = planPasses(variant, steps, input, context);
	const frames = framesOf(variant, context);
	if (remaining) {
		// Planning for the largest possible size would refuse too much.
		const plan = (size: Size) => planChain(variant, size, context, remaining);
		return { variant, passes, frames, chained: [], deferred: { variants: allVariantsFrom(variant, context), plan } };
	}
	checkOutput(variant, output, context.limits);
	const chained = variantsFrom(variant, context).map((one) => planChain(one, output, context));
	return { variant, passes, frames, chained };
}

function variantsFrom({ name }: PlannedVariant, { planned }: PlanContext): readonly PlannedVariant[] {
	return planned.filter(({ from }) => from === name);
}

function allVariantsFrom(variant: PlannedVariant, context: PlanContext): readonly PlannedVariant[] {
	return variantsFrom(variant, context).flatMap((one) => [one, ...allVariantsFrom(one, context)]);
}

/** Frames that a variant, or one that builds on it, is made from. */
function framesOf(variant: PlannedVariant, context: PlanContext): number {
	const encodings = [variant, ...allVariantsFrom(variant, context)].flatMap((one) => one.encodings);
	const isKept = encodings.some(({ encoder, options }) => keepsAnimation(encoder, options));
	return isKept ? (context.picture.frames ?? 1) : 1;
}

/** Plans steps for pixels of this size, up to the first one whose result has an unknown size, and checks the limit of pixels. */
function planPasses(
	variant: PlannedVariant,
	steps: readonly PlannedStep[],
	input: Size,
	context: PlanContext,
): { passes: readonly PlannedPass[]; output: Size; remaining?: readonly PlannedStep[] } {
	const { picture, limits } = context;
	const frames = framesOf(variant, context);
	const most = Math.max(area(picture) * frames, limits.maxMegapixels * 1e6);
	const passes: PlannedPass[] = [];
	let size = input;
	for (const [index, { operation, options: written }] of steps.entries()) {
		for (const options of operation.passes?.(size, written) ?? [written]) {
			const { output, peak = output, isAtMost } = operation.predict(size, options);
			if (area(peak) * frames > most) {
				const expected = `${operation.name} to make at most ${limits.maxMegapixels} million pixels`;
				refuse(variant.name, expected, peak, frames);
			}
			passes.push({ operation, options, input: size });
			size = output;
			if (isAtMost) return { passes, output, remaining: steps.slice(index + 1) };
		}
	}
	return { passes, output: size };
}

/** Checks the result of the last step against the limits and against each encoder. */
function checkOutput(variant: PlannedVariant, size: Size, limits: WorkLimits): void {
	const { maxOutputDimension } = limits;
	if (variant.encodings.length > 0 && Math.max(size.width, size.height) > maxOutputDimension) {
		const most = `at most ${maxOutputDimension} pixels of width and height (PICPIPE_MAX_OUTPUT_DIMENSION)`;
		refuse(variant.name, most, size);
	}
	for (const { encoder, options } of variant.encodings) {
		const maximumSide = Math.max(...encodersOf(encoder, options).map((one) => one.maximumSide));
		if (Math.max(size.width, size.height) > maximumSide) {
			refuse(variant.name, `at most ${maximumSide} pixels of width and height for ${encoder.name}`, size);
		}
	}
}

function refuse(variant: string, expected: string, { width, height }: Size, frames = 1): never {
	const made = `${width} × ${height}${frames > 1 ? ` × ${frames} frames` : ''}`;
	const message = `Expected ${expected} in variant ${variant} but it would be ${made}.`;
	throw new PicpipeError('output-too-large', message, { step: 'plan' });
}
