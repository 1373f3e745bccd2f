import type { ColourOption } from '../../domain/output.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { area } from '../../operations/geometry.ts';
import type { Scaling, Size } from '../../operations/operation.ts';
import type { Analyser, PictureShape } from '../analysis/analysis.ts';
import { analysersOf } from '../analysis/index.ts';
import { encodersOf, keepsAnimation } from '../encoders/index.ts';
import { maximumSvgSide } from '../inspect/svg-size.ts';
import { storedSize } from '../pixels/orientation.ts';
import { type PlannedStep, type PlannedVariant, planVariants } from '../recipe/parse-recipe.ts';

/** A step as it will be done to this picture. */
export interface PlannedPass extends PlannedStep {
	/** Size of the picture as it comes to this step, were it made from the whole original. */
	readonly input: Size;
}

export interface LevelVariant {
	readonly variant: PlannedVariant;
	readonly passes: readonly PlannedPass[];
	/** Those of the picture where it is an animation, and so is what becomes of it here or in a variant that stands on this one; else 1. */
	readonly frames: number;
	/** Variants that begin with what the last pass makes. */
	readonly chained: readonly LevelVariant[];
	/** What can be planned only when it is known what size the last pass has made; absent where that is known from the start. */
	readonly deferred?: DeferredSteps;
}

/** The rest of a variant after a step whose result has a size that only the pixels tell. */
export interface DeferredSteps {
	/** Those that stand on the variant. */
	readonly variants: readonly PlannedVariant[];
	/** @throws PicpipeError `output-too-large` */
	plan(made: Size): LevelVariant;
}

/**
 * The least work for one picture. A level is the whole picture scaled to a size at which some variant begins. The largest
 * is decoded from the file, which lets JPEG and WebP shrink while they load; the others are made from it or from each
 * other. So a picture is decoded once, and nothing is encoded that isn't asked for.
 */
export interface PyramidLevel extends Scaling {
	/** The level it is made from; undefined for one decoded from the file. */
	readonly base: PyramidLevel | undefined;
	/** Of the original, counted from 1. */
	readonly page: number;
	/** Turned as its EXIF says; true as well where that says nothing. */
	readonly isUpright: boolean;
	/** What its numbers mean, where the picture has a profile of its own. */
	readonly colour: ColourOption;
	/** Variants whose first step begins here. */
	readonly variants: readonly LevelVariant[];
	/** Analysis that looks at this level. */
	readonly analyse: readonly Analyser[];
}

/** What has to be known of a picture, or of a page of it, to plan the work on it. */
export interface PlannedPicture extends PictureShape {
	/** As EXIF counts them, 1 to 8; upright when absent. Width and height are those of the picture upright. */
	readonly orientation?: number;
	/** It has a profile of its own. */
	readonly hasProfile?: boolean;
	/** It has no pixels before it is drawn, at whatever size. */
	readonly isVector?: boolean;
}

/** Largest picture that may be made, as a variant or on the way. */
export interface WorkLimits {
	/** Million pixels. */
	readonly maxMegapixels: number;
	/** Width and height of a variant, pixels. */
	readonly maxOutputDimension: number;
}

/**
 * A level is made from a smaller one than the largest only when that one is larger by this factor. Scaled down twice by
 * little, a picture turns soft; by half each time it is as good as in one step (see docs/benchmarks.md).
 */
const leastReduction = 1.5;

/**
 * Decides which levels a recipe needs for a picture of this size, largest first.
 *
 * @param further pages beside the first, at least those that the recipe names
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
		const enough = sufficientScaleFor(chain.passes);
		const colour = from.hasProfile ? variant.output.colour : 'srgb';
		const scaling = enough ?? { width, height, kernel: 'lanczos3' };
		needAt(scaling, { page, isUpright, ...(colour && { colour }) }).variants.push(chain);
	}
	for (const analyser of analysersOf(recipe.analyse)) {
		const copy = analyser.scaleFor(picture);
		if (copy) needAt(copy).analyse.push(analyser);
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

/** The copy of a picture that is enough for these passes, where it is not the picture itself. */
function sufficientScaleFor([first, ...rest]: readonly PlannedPass[]): Scaling | undefined {
	if (!first) return undefined;
	const { operation, options, input } = first;
	const { sufficientScale } = operation.predict(input, options);
	if (sufficientScale || !operation.inputScale) return sufficientScale;
	const wanted = sufficientScaleFor(rest);
	return wanted && operation.inputScale(wanted, options);
}

/** The size at which a picture without pixels of its own is drawn for a variant: its own, or what a first step would enlarge it to. */
function rasterSizeFor({ steps: [first] }: PlannedVariant, picture: Size, { maxMegapixels }: WorkLimits): Size {
	const drawn = first?.operation.predict(picture, first.options).rasterSize;
	if (!drawn || area(drawn) > maxMegapixels * 1e6 || Math.max(drawn.width, drawn.height) > maximumSvgSide)
		return picture;
	return drawn;
}

/** The smallest level that is large enough, else the largest. */
function baseFor(scaling: Scaling, levels: readonly PyramidLevel[]): PyramidLevel | undefined {
	const good = levels.findLast((level) => level.width >= scaling.width * leastReduction);
	if (good) return good;
	const [largest] = levels;
	// One of the same size was made with another kernel.
	return largest && largest.width > scaling.width ? largest : undefined;
}

/** Every variant of these levels, chained ones too. */
export function variantsOf(levels: readonly PyramidLevel[]): readonly PlannedVariant[] {
	const withChained = ({ variant, chained, deferred }: LevelVariant): PlannedVariant[] => [
		variant,
		...chained.flatMap(withChained),
		...(deferred?.variants ?? []),
	];
	return levels.flatMap((level) => level.variants.flatMap(withChained));
}

/** Are all frames of an animation needed on a level, for its variants or for a level that is made from it? */
export function needsFrames(level: PyramidLevel, levels: readonly PyramidLevel[]): boolean {
	if (level.variants.some(({ frames }) => frames > 1)) return true;
	return levels.some((other) => other.base === level && needsFrames(other, levels));
}

interface Whole {
	/** Every variant of the recipe. */
	readonly planned: readonly PlannedVariant[];
	/** The original. */
	readonly picture: PictureShape;
	readonly limits: WorkLimits;
}

/** A variant whose steps, or those that are left of them, begin with pixels of this size, and all that stand on it. */
function planChain(variant: PlannedVariant, input: Size, whole: Whole, steps = variant.steps): LevelVariant {
	const { passes, output, left } = planPasses(variant, steps, input, whole);
	const frames = framesOf(variant, whole);
	if (left) {
		// Planned for the largest size that is possible, too much would be refused.
		const plan = (made: Size) => planChain(variant, made, whole, left);
		return { variant, passes, frames, chained: [], deferred: { variants: allStandingOn(variant, whole), plan } };
	}
	checkOutput(variant, output, whole.limits);
	const chained = standingOn(variant, whole).map((one) => planChain(one, output, whole));
	return { variant, passes, frames, chained };
}

function standingOn({ name }: PlannedVariant, { planned }: Whole): readonly PlannedVariant[] {
	return planned.filter(({ from }) => from === name);
}

function allStandingOn(variant: PlannedVariant, whole: Whole): readonly PlannedVariant[] {
	return standingOn(variant, whole).flatMap((one) => [one, ...allStandingOn(one, whole)]);
}

/** Frames of which a variant, or one that stands on it, is made. */
function framesOf(variant: PlannedVariant, whole: Whole): number {
	const encodings = [variant, ...allStandingOn(variant, whole)].flatMap((one) => one.encodings);
	const isKept = encodings.some(({ encoder, options }) => keepsAnimation(encoder, options));
	return isKept ? (whole.picture.frames ?? 1) : 1;
}

/** Steps for pixels of this size, up to the first after which the size is not known, checked against the limit of pixels. */
function planPasses(
	variant: PlannedVariant,
	steps: readonly PlannedStep[],
	input: Size,
	whole: Whole,
): { passes: readonly PlannedPass[]; output: Size; left?: readonly PlannedStep[] } {
	const { picture, limits } = whole;
	const frames = framesOf(variant, whole);
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
			if (isAtMost) return { passes, output, left: steps.slice(index + 1) };
		}
	}
	return { passes, output: size };
}

/** Is what the last step makes small enough for the limits and for each encoder? */
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
