import { area } from '../../operations/geometry.ts';
import type { Size } from '../../operations/operation.ts';
import type { Inspected } from '../inspect/inspect.ts';
import type { Level } from './levels.ts';

/*
 * Several sizes of one picture are often asked for one after the other, when a page with it is shown first. Decoding takes half of the time of each.
 * So a copy of the picture is kept for a while, as pixels, and the next sizes are made of that: as like the original as those that are decoded by
 * themselves (docs/benchmarks.md).
 */

/** A copy is made where it has to be larger by this factor at least; what is nearer in size is the copy itself. */
const leastReduction = 1.1;
/** Most pixels of a copy: 9 MB, and as much as most pages show. */
const maximumCopyPixels = 3e6;

/**
 * Reductions down to which libjpeg scales by 8, by 4 and by 2 while it decodes, which saves most of the work. sharp lets it where the rest is not
 * lost in rounding (`jpegShrinkOnLoad` in its pipeline.cc).
 */
const decoderReductions = [9, 5, 3];

/** Scaled twice with lanczos3, a picture gets sharper than it is, which costs bytes; with this one first it is as like the original, and no larger, as scaled once. */
const copyKernel = 'mitchell';

/** Levels, with the copy that a picture's other sizes can be made of. */
export interface Copied {
	readonly levels: readonly Level[];
	/** One of them. */
	readonly copy: Level;
	/** The copy is there already. */
	readonly isKnown: boolean;
}

/**
 * Puts a copy between the original and the only level that is needed of it.
 *
 * @param known a copy that is there already
 * @returns undefined where there is more than one level, or where a copy would not do: of animations, drawings and whatever is larger
 */
export function withCopy(levels: readonly Level[], picture: Inspected, known?: Size): Copied | undefined {
	const [level, ...others] = levels;
	if (!level || others.length > 0 || level.base || picture.animation || picture.drawing) return undefined;
	if (level.page !== picture.page || !level.isUpright || level.colour !== 'srgb' || level.kernel !== 'lanczos3')
		return undefined;
	if (area(level) > maximumCopyPixels) return undefined;
	const isKnown = known !== undefined && isEnough(known, level);
	const size = isKnown ? known : copyFor(level, picture);
	if (!size) return { levels, copy: level, isKnown };
	const { page, isUpright, colour } = level;
	const { width, height } = size;
	const kernel = copyKernel;
	const copy: Level = { width, height, page, isUpright, colour, kernel, base: undefined, variants: [], analyse: [] };
	return { levels: [copy, { ...level, base: copy }], copy, isKnown };
}

function isEnough(copy: Size, wanted: Size): boolean {
	return reductionOf(copy, wanted) >= leastReduction;
}

/** The largest copy that takes no more decoding than what is wanted; undefined where that is hardly larger. */
function copyFor(wanted: Size, { facts, format }: Inspected): Size | undefined {
	const reduction = reductionOf(facts, wanted);
	const byDecoder = format === 'jpeg' ? decoderReductions.find((least) => reduction >= least) : undefined;
	const by = Math.max(byDecoder ?? 1, Math.sqrt(area(facts) / maximumCopyPixels));
	const copy = { width: Math.floor(facts.width / by), height: Math.floor(facts.height / by) };
	return isEnough(copy, wanted) ? copy : undefined;
}

function reductionOf(from: Size, to: Size): number {
	return Math.min(from.width / to.width, from.height / to.height);
}
