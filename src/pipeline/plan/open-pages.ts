import type { Recipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { area } from '../../operations/geometry.ts';
import type { Size } from '../../operations/operation.ts';
import { type Inspected, inspect, inspectFurther } from '../inspect/inspect.ts';
import { frameReading, type PictureLimits } from '../inspect/limits.ts';
import { planVariants } from '../recipe/parse-recipe.ts';
import type { DeferredSteps, LevelVariant, PlannedPicture, WorkLimits } from './plan-chain.ts';
import { type PlannedPyramid, type PyramidLevel, planPyramid } from './pyramid.ts';

/** A picture, the pages of it that a recipe uses, and the work that is planned for them. */
export interface OpenedPages extends PlannedPyramid {
	/** The first page, which facts and analysis describe. */
	readonly picture: Inspected;
	/** The other pages, by number. */
	readonly further: ReadonlyMap<number, Inspected>;
	/** Cost in memory, in millions of pixels: the pixels to decode at once, or those of the largest picture to make, whichever are more. */
	readonly megapixels: number;
}

/**
 * Reads the headers of a picture and of the pages that a recipe uses, checks them and plans the work. Variants that cannot be made are left out,
 * those of a page that cannot be used among them. A first page of an unsupported kind is refused at once if no variant begins with another.
 *
 * @param known the first page, if it was inspected before
 * @throws PicpipeError of class `unsupported`, `corrupt` or `limit` about the first page; `invalid-recipe`
 */
export async function openPages(
	file: Buffer,
	recipe: Recipe,
	limits: PictureLimits & WorkLimits,
	known?: Inspected,
): Promise<OpenedPages> {
	const picture = known ?? (await inspect(file, limits));
	const further = new Map<number, Inspected>();
	const planned = new Map<number, PlannedPicture | PicpipeError>();
	const wanted = new Set(planVariants(recipe).map(({ page }) => page));
	if (picture.refusal && ![...wanted].some((page) => page > 1)) throw picture.refusal;
	for (const page of [...wanted].sort((a, b) => a - b)) {
		if (page === 1) continue;
		try {
			const one = frameAsPage(picture, page, limits) ?? (await inspectFurther(file, picture, page, limits));
			further.set(page, one);
			planned.set(page, plannedPicture(one));
		} catch (error) {
			if (!(error instanceof PicpipeError)) throw error;
			planned.set(page, error);
		}
	}
	const pyramid = planPyramid(recipe, plannedPicture(picture), limits, planned);
	const decoded = [picture, ...further.values()].reduce((sum, one) => sum + one.megapixels, 0);
	return { ...pyramid, picture, further, megapixels: Math.max(decoded, megapixelsMade(pyramid.levels, limits)) };
}

function plannedPicture({ facts, animation, reading, profile, drawing }: Inspected): PlannedPicture {
	return {
		...facts,
		frames: animation?.delay.length ?? 1,
		...(reading?.isFirstFrameOnly && { isFirstFrameOnly: true }),
		hasProfile: profile !== undefined,
		isVector: drawing !== undefined,
	};
}

/**
 * A frame of an animation as a picture of its own. Undefined if the picture is no animation.
 *
 * @throws PicpipeError `no-such-page`; `too-many-pixels` where the decoder would pass too many frames on its way
 */
function frameAsPage(
	{ animation, reading, ...picture }: Inspected,
	page: number,
	limits: PictureLimits,
): Inspected | undefined {
	if (!animation) return undefined;
	const { facts, format } = picture;
	const { width, height } = facts;
	const frames = animation.delay.length;
	if (page > frames) {
		throw new PicpipeError('no-such-page', `Expected a picture with frame ${page}, but this ${format} has ${frames}.`, {
			step: 'inspect',
		});
	}
	if (frameReading({ width, height, frames: page }, true, limits).isFirstFrameOnly) {
		const detail = `Expected a frame that is reached within a few times ${limits.maxMegapixels} million pixels but frame ${page} of ${width} × ${height} pixels is not.`;
		throw new PicpipeError('too-many-pixels', detail, { step: 'inspect' });
	}
	return { ...picture, page, megapixels: (width * height) / 1e6 };
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
	const { planned, failures } = later.plan(atMost);
	// These concern the largest possible size; the actual one may be allowed.
	if (!planned || failures.some(({ error }) => error.code === 'output-too-large')) return limits.maxMegapixels;
	const made = megapixelsOf(planned, limits);
	return made * 1e6 > area(atMost) * planned.frames * maximumGrowth ? limits.maxMegapixels : made;
}
