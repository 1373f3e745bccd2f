import type { ColourOption } from '../../domain/output.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { area, storedSize } from '../../operations/geometry.ts';
import type { Scaling, Size } from '../../operations/operation.ts';
import type { Analyser } from '../analysis/analysis.ts';
import { analysersOf } from '../analysis/index.ts';
import { maximumSvgSide } from '../inspect/svg-size.ts';
import { type PlannedVariant, planVariants } from '../recipe/parse-recipe.ts';
import {
	allVariantsFrom,
	branchFailures,
	branchOf,
	type ChainPlan,
	isBeyondLimit,
	type LevelVariant,
	type PlanContext,
	type PlannedPass,
	type PlannedPicture,
	planChain,
	type VariantFailure,
	type WorkLimits,
} from './plan-chain.ts';

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

/**
 * A level is made from another than the largest only if that one is larger by this factor. A picture that is scaled down slightly
 * twice turns soft; halved each time, it is as good as in one step (docs/benchmarks.md).
 */
const leastReduction = 1.5;

/** The work on a picture, and why some of its variants cannot be made. */
export interface PlannedPyramid {
	/** Largest first. */
	readonly levels: readonly PyramidLevel[];
	readonly failures: readonly VariantFailure[];
}

interface Need extends Pick<PyramidLevel, 'page' | 'isUpright' | 'colour'> {
	readonly scaling: Scaling;
	readonly variants: LevelVariant[];
	readonly analyse: Analyser[];
}

/**
 * Plans the levels that a recipe needs for a picture of this size, before a pixel is decoded. A variant that cannot be made is left out.
 *
 * @param further the other pages that the recipe names, or why one cannot be used
 * @throws PicpipeError `invalid-recipe`
 */
export function planPyramid(
	recipe: Recipe,
	picture: PlannedPicture,
	limits: WorkLimits,
	further: ReadonlyMap<number, PlannedPicture | PicpipeError> = new Map(),
): PlannedPyramid {
	const needs = new Map<string, Need>();
	const failures: VariantFailure[] = [];
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
		if (upright instanceof PicpipeError) {
			const context = { planned, picture, limits };
			failures.push(...branchFailures([variant, ...allVariantsFrom(variant, context)], upright));
			continue;
		}
		const { orientation = 1 } = upright;
		const isUpright = variant.isUpright || orientation === 1;
		const from = isUpright ? upright : { ...upright, ...storedSize(upright, orientation) };
		const root = planRoot(variant, { planned, picture: from, limits });
		failures.push(...root.failures);
		const colour = from.hasProfile ? variant.output.colour : 'srgb';
		if (root.planned) needAt(root.scaling, { page, isUpright, ...(colour && { colour }) }).variants.push(root.planned);
	}
	for (const analyser of analysersOf(recipe.analyse)) {
		const scale = analyser.scaleFor(picture);
		if (scale) needAt(scale).analyse.push(analyser);
	}

	const levels: PyramidLevel[] = [];
	for (const need of [...needs.values()].sort((a, b) => area(b.scaling) - area(a.scaling))) {
		const { scaling, ...rest } = need;
		const frames = Math.max(1, ...need.variants.map((one) => one.frames));
		const alike = levels.filter(
			(level) =>
				(['page', 'isUpright', 'colour'] as const).every((key) => level[key] === need[key]) &&
				!isBeyondLimit(area(level), frames, limits),
		);
		levels.push({ ...scaling, base: baseFor(scaling, alike), ...rest });
	}
	return { levels, failures };
}

/** A variant that begins with the original, and the level that it needs. */
function planRoot(variant: PlannedVariant, context: PlanContext): ChainPlan & { readonly scaling: Scaling } {
	const { picture, limits } = context;
	const { width, height } = picture.isVector ? rasterSizeFor(variant, picture, limits) : picture;
	const whole: Scaling = { width, height, kernel: 'lanczos3' };
	const plan = (frames?: number) => {
		const chain = planChain(variant, { width, height }, context, frames === undefined ? {} : { frames });
		return { ...chain, scaling: sufficientScaleFor(chain.planned?.passes ?? []) ?? whole };
	};
	const root = plan();
	// All frames of its level would be in memory together.
	return isBeyondLimit(area(root.scaling), root.planned?.frames ?? 1, limits) ? plan(1) : root;
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
	return levels.flatMap((level) => level.variants.flatMap(branchOf));
}

/** Does a level need all frames of an animation, for its variants or for a level that is made from it? */
export function needsFrames(level: PyramidLevel, levels: readonly PyramidLevel[]): boolean {
	if (level.variants.some(({ frames }) => frames > 1)) return true;
	return levels.some((other) => other.base === level && needsFrames(other, levels));
}
