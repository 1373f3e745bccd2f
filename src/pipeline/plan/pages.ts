import type { Recipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { type Inspected, inspect, inspectFurther } from '../inspect/inspect.ts';
import type { PictureLimits } from '../inspect/limits.ts';
import { planVariants } from '../recipe/plan.ts';
import { megapixelsMade, type PlannedPicture, type PyramidLevel, planPyramid, type WorkLimits } from './pyramid.ts';

/** A picture, those of its pages that a recipe takes, and what is to be made of them. */
export interface OpenedPages {
	/** The first page, which facts and analysis are about. */
	readonly picture: Inspected;
	/** The others, by number. */
	readonly further: ReadonlyMap<number, Inspected>;
	readonly levels: readonly PyramidLevel[];
	/** Pixels that will be decoded, or those of the largest picture that will be made, whichever are more, in millions: what it costs in memory. */
	readonly megapixels: number;
}

/**
 * Reads the headers of a picture and of the pages that a recipe takes, checks them and plans the work.
 *
 * @param known what is known already of the first page
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
		if (page > 1) further.set(page, frameOf(picture, page) ?? (await inspectFurther(file, picture, page, limits)));
	}
	const planned = new Map([...further].map(([page, one]) => [page, plannedOf(one)]));
	const levels = planPyramid(recipe, plannedOf(picture), limits, planned);
	const decoded = [picture, ...further.values()].reduce((sum, one) => sum + one.megapixels, 0);
	return { picture, further, levels, megapixels: Math.max(decoded, megapixelsMade(levels, limits)) };
}

function plannedOf({ facts, animation, profile, drawing }: Inspected): PlannedPicture {
	return {
		...facts,
		frames: animation?.delay.length ?? 1,
		hasProfile: profile !== undefined,
		isVector: drawing !== undefined,
	};
}

/** A frame of an animation as a picture of its own: as large as all of them, and within the limits that all of them are. Undefined where there is none. */
function frameOf({ animation, ...picture }: Inspected, page: number): Inspected | undefined {
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
