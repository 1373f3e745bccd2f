import type { Recipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { area } from '../../operations/geometry.ts';
import type { Size } from '../../operations/operation.ts';
import { type Inspected, inspect, inspectFurther } from '../inspect/inspect.ts';
import type { PictureLimits } from '../inspect/limits.ts';
import { planVariants } from '../recipe/parse-recipe.ts';
import {
	type DeferredSteps,
	type LevelVariant,
	type PlannedPicture,
	type PyramidLevel,
	planPyramid,
	type WorkLimits,
} from './pyramid.ts';

/** A picture, the pages of it that a recipe uses, and the work that is planned for them. */
export interface OpenedPages {
	/** The first page, which facts and analysis describe. */
	readonly picture: Inspected;
	/** The other pages, by number. */
	readonly further: ReadonlyMap<number, Inspected>;
	readonly levels: readonly PyramidLevel[];
	/** Cost in memory, in millions of pixels: the pixels to decode, or those of the largest picture to make, whichever are more. */
	readonly megapixels: number;
}

/**
 * Reads the headers of a picture and of the pages that a recipe uses, checks them and plans the work.
 *
 * @param known the first page, if it was inspected before
 * @throws PicpipeError of class `unsupported`, `corrupt` or `limit`; `no-such-page`, `invalid-recipe`
 */
export async function openPages(
	file: Buffer,
	recipe: Recipe,
	limits: PictureLimits & WorkLimits,
	known?: Inspected,
): Promise<OpenedPages> {
	const picture = known ?? (await inspect(file, limits));
	const further = new Map<number, Inspected>();
	const wanted = new Set(planVariants(recipe).map(({ page }) => page));
	for (const page of [...wanted].sort((a, b) => a - b)) {
		if (page > 1) further.set(page, frameAsPage(picture, page) ?? (await inspectFurther(file, picture, page, limits)));
	}
	const planned = new Map([...further].map(([page, one]) => [page, plannedPicture(one)]));
	const levels = planPyramid(recipe, plannedPicture(picture), limits, planned);
	const decoded = [picture, ...further.values()].reduce((sum, one) => sum + one.megapixels, 0);
	return { picture, further, levels, megapixels: Math.max(decoded, megapixelsMade(levels, limits)) };
}

function plannedPicture({ facts, animation, profile, drawing }: Inspected): PlannedPicture {
	return {
		...facts,
		frames: animation?.delay.length ?? 1,
		hasProfile: profile !== undefined,
		isVector: drawing !== undefined,
	};
}

/** A frame of an animation as a picture of its own, which needs no further checks. Undefined if the picture is no animation. */
function frameAsPage({ animation, ...picture }: Inspected, page: number): Inspected | undefined {
	if (!animation) return undefined;
	const { facts, format } = picture;
	const frames = animation.delay.length;
	if (page > frames) {
		throw new PicpipeError('no-such-page', `Expected a picture with frame ${page}, but this ${format} has ${frames}.`, {
			step: 'inspect',
		});
	}
	return { ...picture, page, megapixels: (facts.width * facts.height) / 1e6 };
}

/** Deferred steps whose result is larger than their largest input by more than this factor enlarge; a border or a shadow does not. */
const maximumGrowth = 1.5;

/**
 * Size of the largest picture that is made from these levels, with all of its frames, in millions of pixels. Deferred steps that enlarge
 * count as the largest picture that is allowed.
 */
export function megapixelsMade(levels: readonly PyramidLevel[], limits: WorkLimits): number {
	return Math.max(0, ...levels.flatMap(({ variants }) => variants.map((variant) => megapixelsOf(variant, limits))));
}

function megapixelsOf({ passes, frames, chained, deferred }: LevelVariant, limits: WorkLimits): number {
	const sizes = passes.map(({ operation, options, input }) => {
		const { output, peak = output } = operation.predict(input, options);
		return { output, pixels: area(peak) * frames };
	});
	const own = Math.max(0, ...sizes.map(({ pixels }) => pixels)) / 1e6;
	const last = sizes.at(-1)?.output;
	const rest = deferred && last ? [deferredMegapixels(deferred, last, limits)] : [];
	return Math.max(own, ...rest, ...chained.map((one) => megapixelsOf(one, limits)));
}

function deferredMegapixels(later: DeferredSteps, atMost: Size, limits: WorkLimits): number {
	try {
		const largest = later.plan(atMost);
		const made = megapixelsOf(largest, limits);
		return made * 1e6 > area(atMost) * largest.frames * maximumGrowth ? limits.maxMegapixels : made;
	} catch (error) {
		// This concerns the largest possible size; the actual one may be allowed.
		if (error instanceof PicpipeError && error.code === 'output-too-large') return limits.maxMegapixels;
		throw error;
	}
}
