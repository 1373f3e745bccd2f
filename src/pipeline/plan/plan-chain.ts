import { PicpipeError } from '../../errors.ts';
import { area } from '../../operations/geometry.ts';
import { passesOf, type Size } from '../../operations/operation.ts';
import type { PictureShape } from '../analysis/analysis.ts';
import { keepsAnimation, requiresAnimation } from '../encoders/index.ts';
import type { PlannedEncoding, PlannedStep, PlannedVariant } from '../recipe/parse-recipe.ts';

/** A step as it will be applied to this picture. */
export interface PlannedPass extends PlannedStep {
	/** Size of the picture before this step, if it begins with the whole original. */
	readonly input: Size;
}

/** A variant as it is made from a level. */
export interface LevelVariant {
	/** With the encodings that can be made. */
	readonly variant: PlannedVariant;
	readonly passes: readonly PlannedPass[];
	/** Size after the last pass. */
	readonly output: Size;
	/** Frames to process: those of an animation if this variant or one that builds on it keeps them; otherwise 1. */
	readonly frames: number;
	/** Why the first frame is shown instead of an animation that the encodings would keep: one sentence. */
	readonly stillBecause?: string | undefined;
	/** Variants that begin with the result of the last pass. */
	readonly chained: readonly LevelVariant[];
	/** Steps that are planned once the size of the last pass is known; absent if all sizes are known in advance. */
	readonly deferred?: DeferredSteps;
}

/** The rest of a variant after a step whose result has a size that depends on the pixels. */
export interface DeferredSteps {
	/** Variants that build on this one. */
	readonly variants: readonly PlannedVariant[];
	plan(size: Size): ChainPlan;
}

/** Why a variant, or one of its encodings, cannot be made. */
export interface VariantFailure {
	readonly variant: string;
	/** The encoder; absent if all encodings of the variant are concerned. */
	readonly format?: string | undefined;
	readonly error: PicpipeError;
}

/** A variant and those that build on it: the part that can be made, and why the rest cannot. */
export interface ChainPlan {
	/** Absent if nothing can be made. */
	readonly planned: LevelVariant | undefined;
	readonly failures: readonly VariantFailure[];
}

/** Properties of a picture, or of one of its pages, that planning needs. */
export interface PlannedPicture extends PictureShape {
	/** EXIF orientation, 1 to 8; upright when absent. Width and height are those of the upright picture. */
	readonly orientation?: number;
	/** It has its own colour profile. */
	readonly hasProfile?: boolean;
	/** It is a vector picture, which can be rasterised at any size. */
	readonly isVector?: boolean;
	/** An animation beyond the limit of pixels whose frames cannot be read a few at a time, so only its first frame is used. */
	readonly isFirstFrameOnly?: boolean;
}

/** Limits on variants and on intermediate results. */
export interface WorkLimits {
	/** Million pixels. */
	readonly maxMegapixels: number;
	/** Width and height of a variant in pixels. */
	readonly maxOutputDimension: number;
}

export interface PlanContext {
	/** Every variant of the recipe. */
	readonly planned: readonly PlannedVariant[];
	/** The original. */
	readonly picture: PlannedPicture;
	readonly limits: WorkLimits;
}

/**
 * Plans a variant and all variants that build on it. A variant whose steps cannot be planned fails together with those that build on it; one
 * that is only too large to be written leaves them alone.
 *
 * @param input size of the pixels that the steps begin with
 * @param begin the steps, if not all of the variant's, and the frames of the pixels, if not all of the picture's
 */
export function planChain(
	variant: PlannedVariant,
	input: Size,
	context: PlanContext,
	begin: { readonly steps?: readonly PlannedStep[]; readonly frames?: number } = {},
): ChainPlan {
	const { steps = variant.steps, frames: given = framesOf(context.picture) } = begin;
	const branch = [variant, ...allVariantsFrom(variant, context)];
	const frames = branch.some(({ encodings }) => encodings.some(isAnimated)) ? given : 1;
	let planned: PlannedPasses;
	try {
		planned = planPasses(variant, { steps, input, frames }, context);
	} catch (error) {
		if (!(error instanceof PicpipeError)) throw error;
		return { planned: undefined, failures: branchFailures(branch, error) };
	}
	const { passes, output, remaining, peak } = planned;
	if (isBeyondLimit(peak, frames, context.limits)) return planChain(variant, input, context, { steps, frames: 1 });

	const failures: VariantFailure[] = [];
	const still = stillOf(variant, frames, context);
	failures.push(...still.failures);
	const begun = { passes, output, frames, ...(still.because && { stillBecause: still.because }) };
	if (remaining) {
		// Planning for the largest possible size would refuse too much.
		const plan = (size: Size) => planChain(still.variant, size, context, { steps: remaining, frames });
		const deferred = { variants: branch.slice(1), plan };
		return { planned: { ...begun, variant: still.variant, chained: [], deferred }, failures };
	}
	const refused = outputProblem(still.variant, output, context.limits);
	if (refused) failures.push({ variant: variant.name, error: refused });
	const made = refused ? { ...variant, encodings: [] } : still.variant;
	const chains = variantsFrom(variant, context).map((one) => planChain(one, output, context, { frames }));
	failures.push(...chains.flatMap((chain) => chain.failures));
	const chained = chains.flatMap((chain) => chain.planned ?? []);
	if (made.encodings.length + chained.length === 0) return { planned: undefined, failures };
	return { planned: { ...begun, variant: made, chained }, failures };
}

/** The same failure for a variant and for those that build on it, as far as they are requested. */
export function branchFailures(
	[variant, ...others]: readonly PlannedVariant[],
	error: PicpipeError,
): readonly VariantFailure[] {
	if (!variant) return [];
	const { code, message, step } = error;
	const built = `It builds on variant ${variant.name}, which failed: ${message}`;
	return [
		...(variant.encodings.length > 0 ? [{ variant: variant.name, error }] : []),
		...others
			.filter(({ encodings }) => encodings.length > 0)
			.map(({ name }) => ({ variant: name, error: new PicpipeError(code, built, { step, cause: error }) })),
	];
}

/** A variant and those that build on it, as far as they are planned. */
export function branchOf({ variant, chained, deferred }: LevelVariant): readonly PlannedVariant[] {
	return [variant, ...chained.flatMap(branchOf), ...(deferred?.variants ?? [])];
}

/** Would this many frames of a size need more memory than allowed? A single one never does, because the picture was admitted. */
export function isBeyondLimit(pixels: number, frames: number, { maxMegapixels }: WorkLimits): boolean {
	return frames > 1 && pixels * frames > maxMegapixels * 1e6;
}

function framesOf({ frames = 1, isFirstFrameOnly = false }: PlannedPicture): number {
	return isFirstFrameOnly ? 1 : frames;
}

function variantsFrom({ name }: PlannedVariant, { planned }: PlanContext): readonly PlannedVariant[] {
	return planned.filter(({ from }) => from === name);
}

/** Every variant that builds on this one, directly or not. */
export function allVariantsFrom(variant: PlannedVariant, context: PlanContext): readonly PlannedVariant[] {
	return variantsFrom(variant, context).flatMap((one) => [one, ...allVariantsFrom(one, context)]);
}

function isAnimated({ encoder, options }: PlannedEncoding): boolean {
	return keepsAnimation(encoder, options);
}

/** The plan for a variant of an animation beyond the limit of pixels: its first frame, unless an encoding requires the animation. */
function stillOf(variant: PlannedVariant, frames: number, { picture, limits }: PlanContext) {
	const all = picture.frames ?? 1;
	if (frames > 1 || all === 1 || !variant.encodings.some(isAnimated)) return { variant, failures: [] };
	const size = `${picture.width} × ${picture.height} × ${all} frames`;
	const expected = `Expected an animation of at most ${limits.maxMegapixels} million pixels`;
	const failures = variant.encodings
		.filter(({ options }) => requiresAnimation(options))
		.map(({ encoder, options }): VariantFailure => {
			const detail = `${expected} for ${encoder.name} with animated: ${(options as { animated: string }).animated} in variant ${variant.name} but received ${size}.`;
			const error = new PicpipeError('too-many-pixels', detail, { step: 'plan' });
			return { variant: variant.name, format: encoder.name, error };
		});
	const encodings = variant.encodings.filter(({ options }) => !requiresAnimation(options));
	const because = `${expected} but received ${size}, so the variant shows the first frame.`;
	return { variant: { ...variant, encodings }, failures, because };
}

interface PlannedPasses {
	readonly passes: readonly PlannedPass[];
	readonly output: Size;
	/** Pixels of a frame at its largest. */
	readonly peak: number;
	/** Steps after one whose result has an unknown size. */
	readonly remaining?: readonly PlannedStep[];
}

/**
 * Plans steps up to the first one whose result has an unknown size.
 *
 * @throws PicpipeError `output-too-large` if a step makes more pixels than allowed, and more than the picture has
 */
function planPasses(
	variant: PlannedVariant,
	{ steps, input, frames }: { readonly steps: readonly PlannedStep[]; readonly input: Size; readonly frames: number },
	{ picture, limits }: PlanContext,
): PlannedPasses {
	const most = Math.max(area(picture) * frames, limits.maxMegapixels * 1e6);
	const passes: PlannedPass[] = [];
	let size = input;
	let largest = 0;
	for (const [index, step] of steps.entries()) {
		for (const { operation, options, input: before, prediction } of passesOf([step], size)) {
			const { output, peak = output, isAtMost } = prediction;
			if (area(peak) * frames > most) {
				const expected = `${operation.name} to make at most ${limits.maxMegapixels} million pixels`;
				throw tooLarge(variant.name, expected, peak, frames);
			}
			largest = Math.max(largest, area(peak));
			passes.push({ operation, options, input: before });
			size = output;
			if (isAtMost) return { passes, output, peak: largest, remaining: steps.slice(index + 1) };
		}
	}
	return { passes, output: size, peak: largest };
}

/** Checks the result of the last step against the setting. Beyond the largest side of its format, a variant is scaled down instead. */
function outputProblem({ name, encodings }: PlannedVariant, size: Size, limits: WorkLimits): PicpipeError | undefined {
	const { maxOutputDimension } = limits;
	if (encodings.length === 0 || Math.max(size.width, size.height) <= maxOutputDimension) return undefined;
	return tooLarge(
		name,
		`at most ${maxOutputDimension} pixels of width and height (PICPIPE_MAX_OUTPUT_DIMENSION)`,
		size,
	);
}

function tooLarge(variant: string, expected: string, { width, height }: Size, frames = 1): PicpipeError {
	const made = `${width} × ${height}${frames > 1 ? ` × ${frames} frames` : ''}`;
	const message = `Expected ${expected} in variant ${variant} but it would be ${made}.`;
	return new PicpipeError('output-too-large', message, { step: 'plan' });
}
