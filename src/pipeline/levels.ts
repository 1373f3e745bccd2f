import type { AnalysisKind, Recipe } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import type { Scaling, Size } from '../operations/operation.ts';
import { thumbhashScaling } from './analyse.ts';
import { type PlannedStep, type PlannedVariant, planVariants } from './plan.ts';

/** A step as it will be done to this picture. */
export interface Pass extends PlannedStep {
	/** Size of the picture as it comes to this step, were it made from the whole original. */
	readonly input: Size;
}

export interface LevelVariant {
	readonly variant: PlannedVariant;
	readonly passes: readonly Pass[];
	/** Variants that begin with what the last pass makes. */
	readonly chained: readonly LevelVariant[];
}

/**
 * The least work for one picture. A level is the whole picture scaled to a size at which some variant begins. The largest
 * is decoded from the file, which lets JPEG and WebP shrink while they load; the others are made from it or from each
 * other. So a picture is decoded once, and nothing is encoded that isn't asked for.
 */
export interface Level extends Scaling {
	/** The level it is made from; undefined for one decoded from the file. */
	readonly base: Level | undefined;
	/** Variants whose first step begins here. */
	readonly variants: readonly LevelVariant[];
	/** Analysis that looks at this level. */
	readonly analyse: readonly AnalysisKind[];
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
 * @throws PicpipeError `output-too-large`, before a pixel is decoded; `invalid-recipe`
 */
export function planLevels(recipe: Recipe, picture: Size, limits: WorkLimits): readonly Level[] {
	const needs = new Map<string, { scaling: Scaling; variants: LevelVariant[]; analyse: AnalysisKind[] }>();
	const needAt = (scaling: Scaling) => {
		const key = `${scaling.width}×${scaling.height} ${scaling.kernel}`;
		const need = needs.get(key) ?? { scaling, variants: [], analyse: [] };
		needs.set(key, need);
		return need;
	};
	const planned = planVariants(recipe);
	for (const variant of planned.filter(({ from }) => from === undefined)) {
		const chain = planChain(variant, picture, { planned, picture, limits });
		const [first] = chain.passes;
		const enough = first?.operation.predict(first.input, first.options).enough;
		needAt(enough ?? { ...picture, kernel: 'lanczos3' }).variants.push(chain);
	}
	for (const kind of recipe.analyse) needAt(thumbhashScaling(picture)).analyse.push(kind);

	const levels: Level[] = [];
	for (const { scaling, variants, analyse } of [...needs.values()].sort((a, b) => area(b.scaling) - area(a.scaling))) {
		levels.push({ ...scaling, base: baseFor(scaling, levels), variants, analyse });
	}
	return levels;
}

/** The smallest level that is large enough, else the largest. */
function baseFor(scaling: Scaling, levels: readonly Level[]): Level | undefined {
	const good = levels.findLast((level) => level.width >= scaling.width * leastReduction);
	if (good) return good;
	const [largest] = levels;
	// One of the same size was made with another kernel.
	return largest && largest.width > scaling.width ? largest : undefined;
}

/** Every variant of these levels, chained ones too. */
export function variantsOf(levels: readonly Level[]): readonly PlannedVariant[] {
	const withChained = ({ variant, chained }: LevelVariant): PlannedVariant[] => [
		variant,
		...chained.flatMap(withChained),
	];
	return levels.flatMap((level) => level.variants.flatMap(withChained));
}

interface Whole {
	/** Every variant of the recipe. */
	readonly planned: readonly PlannedVariant[];
	/** Size of the original. */
	readonly picture: Size;
	readonly limits: WorkLimits;
}

/** A variant whose steps begin with pixels of this size, and all that stand on it. */
function planChain(variant: PlannedVariant, input: Size, whole: Whole): LevelVariant {
	const { passes, output } = planPasses(variant, input, whole);
	const standing = whole.planned.filter(({ from }) => from === variant.name);
	return { variant, passes, chained: standing.map((one) => planChain(one, output, whole)) };
}

/** The variant's steps for pixels of this size, checked against every limit. */
function planPasses(variant: PlannedVariant, input: Size, { picture, limits }: Whole) {
	const passes: Pass[] = [];
	let size = input;
	for (const { operation, options: written } of variant.steps) {
		for (const options of operation.passes?.(size, written) ?? [written]) {
			const { output, peak = output } = operation.predict(size, options);
			if (area(peak) > Math.max(area(picture), limits.maxMegapixels * 1e6)) {
				refuse(variant.name, `${operation.name} to make at most ${limits.maxMegapixels} million pixels`, peak);
			}
			passes.push({ operation, options, input: size });
			size = output;
		}
	}
	const { maxOutputDimension } = limits;
	if (variant.encodings.length > 0 && Math.max(size.width, size.height) > maxOutputDimension) {
		const most = `at most ${maxOutputDimension} pixels of width and height (PICPIPE_MAX_OUTPUT_DIMENSION)`;
		refuse(variant.name, most, size);
	}
	for (const { encoder } of variant.encodings) {
		if (Math.max(size.width, size.height) > encoder.maximumSide) {
			refuse(variant.name, `at most ${encoder.maximumSide} pixels of width and height for ${encoder.name}`, size);
		}
	}
	return { passes, output: size };
}

function refuse(variant: string, expected: string, { width, height }: Size): never {
	const message = `Expected ${expected} in variant ${variant} but it would be ${width} × ${height}.`;
	throw new PicpipeError('output-too-large', message, { step: 'plan' });
}

function area({ width, height }: Size): number {
	return width * height;
}
