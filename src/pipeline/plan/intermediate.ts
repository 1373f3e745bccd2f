import { area } from '../../operations/geometry.ts';
import type { Size } from '../../operations/operation.ts';
import type { Inspected } from '../inspect/inspect.ts';
import type { PyramidLevel } from './pyramid.ts';

/*
 * When a page is shown for the first time, several sizes of one picture are requested shortly after each other, and decoding takes half of the time of
 * each. So a scaled copy of the picture, the intermediate, stays in memory for a while, and the next sizes are made from it. They are as similar to the
 * original as sizes that are decoded on their own (docs/benchmarks.md).
 */

/** An intermediate is made only if it is larger than the requested size by at least this factor; otherwise the requested size serves as the intermediate. */
const leastReduction = 1.1;
/** Most pixels of an intermediate: 9 MB, and as large as most pages show a picture. */
const maximumPixels = 3e6;

/**
 * Reductions from which libjpeg scales by 8, by 4 and by 2 while it decodes, which saves most of the work. sharp allows it where the rest of the
 * reduction is not lost to rounding (`jpegShrinkOnLoad` in its pipeline.cc).
 */
const decoderReductions = [9, 5, 3];

/** Scaled twice with lanczos3, a picture becomes sharper than the original, which costs bytes. With mitchell first, similarity and bytes match those of a single scaling. */
const intermediateKernel = 'mitchell';

/** The levels of a pyramid, one of which other sizes of the picture can be made from. */
export interface WithIntermediate {
	readonly levels: readonly PyramidLevel[];
	/** One of the levels. */
	readonly intermediate: PyramidLevel;
	/** The pixels of the intermediate are in memory already. */
	readonly isCached: boolean;
}

/**
 * Puts an intermediate between the original and the only level that is made from it.
 *
 * @param cached size of an intermediate that is in memory already
 * @returns undefined for several levels, animations, drawings and large results, where an intermediate does not help
 */
export function withIntermediate(
	levels: readonly PyramidLevel[],
	picture: Inspected,
	cached?: Size,
): WithIntermediate | undefined {
	const [level, ...others] = levels;
	if (!level || others.length > 0 || level.base || picture.animation || picture.drawing) return undefined;
	if (level.page !== picture.page || !level.isUpright || level.colour !== 'srgb' || level.kernel !== 'lanczos3')
		return undefined;
	if (area(level) > maximumPixels) return undefined;
	const isCached = cached !== undefined && isSufficient(cached, level);
	const size = isCached ? cached : intermediateFor(level, picture);
	if (!size) return { levels, intermediate: level, isCached };
	const { page, isUpright, colour } = level;
	const { width, height } = size;
	const intermediate: PyramidLevel = {
		...{ width, height, page, isUpright, colour, kernel: intermediateKernel },
		...{ base: undefined, variants: [], analyse: [] },
	};
	return { levels: [intermediate, { ...level, base: intermediate }], intermediate, isCached };
}

function isSufficient(intermediate: Size, requested: Size): boolean {
	return reductionOf(intermediate, requested) >= leastReduction;
}

/** The largest intermediate that costs no more decoding than the requested size; undefined if it would be hardly larger. */
function intermediateFor(requested: Size, { facts, format }: Inspected): Size | undefined {
	const reduction = reductionOf(facts, requested);
	const byDecoder = format === 'jpeg' ? decoderReductions.find((least) => reduction >= least) : undefined;
	const by = Math.max(byDecoder ?? 1, Math.sqrt(area(facts) / maximumPixels));
	const intermediate = { width: Math.floor(facts.width / by), height: Math.floor(facts.height / by) };
	return isSufficient(intermediate, requested) ? intermediate : undefined;
}

function reductionOf(from: Size, to: Size): number {
	return Math.min(from.width / to.width, from.height / to.height);
}
