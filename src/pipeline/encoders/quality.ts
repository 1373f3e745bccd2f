import * as z from 'zod';
import { integer, number } from '../../operations/options.ts';

/** A goal for the quality, a similarity or a size, and the range to search: 1 to 100 by default. */
export type QualityTarget = (
	| { readonly ssim: number }
	| {
			readonly maxBytes: number;
			/** Take the smallest file instead of failing if none fits. */
			readonly orSmallest?: boolean | undefined;
	  }
) & {
	readonly min?: number | undefined;
	readonly max?: number | undefined;
};
/** A number from 1 to 100, or a target that the number is searched for. */
export type Quality = number | QualityTarget;

/** Below one half a picture is unrecognisable, and no lossy encoder gets closer to 1 than this. */
export const ssimTarget = number(0.5, 0.9999);

const error =
	'expected an integer from 1 to 100, { ssim: 0.5 to 0.9999 } or { maxBytes: 100 to 1000000000 }, optionally with min, max and orSmallest';

const bounds = { min: integer(1, 100).optional(), max: integer(1, 100).optional() };

function isInOrder(quality: Quality): boolean {
	return typeof quality === 'number' || (quality.min ?? 1) <= (quality.max ?? 100);
}

/** The option `quality` of lossy encoders. */
export function quality(fallback: number) {
	return z
		.union(
			[
				integer(1, 100),
				z.strictObject({ ssim: ssimTarget, ...bounds }),
				z.strictObject({ maxBytes: integer(100, 1e9), ...bounds, orSmallest: z.boolean().optional() }),
			],
			{ error },
		)
		.refine(isInOrder, { error })
		.default(fallback)
		.describe(
			'From 1 (smallest) to 100 (best), or a target: `{ ssim: 0.98 }` or `{ maxBytes: 60000 }`, with `min`, `max` and `orSmallest`.',
		);
}

/** The target among the options of an encoder; undefined if the quality is a number or absent. */
export function targetOf(options: unknown): QualityTarget | undefined {
	const { quality } = options as { readonly quality?: Quality };
	return typeof quality === 'object' ? quality : undefined;
}

/** The quality as a number, for encoders: the search replaces a target before they run. */
export function fixed(quality: Quality): number {
	if (typeof quality !== 'number') throw new TypeError('Expected a quality that has been found.');
	return quality;
}

/** A rule for schemas: a lossless file has no quality to search for. */
export function isSearchable({ quality, lossless }: { quality: Quality; lossless: boolean }): boolean {
	return typeof quality === 'number' || !lossless;
}
export const notSearchable = { error: 'expected a number because lossless is true', path: ['quality'] };

/** The result of encoding at one quality. */
export interface QualityAttempt {
	/** 1 to 100. */
	readonly quality: number;
	readonly bytes: number;
	/** Similarity to the pixels that were encoded. */
	ssim(): Promise<number>;
}

/**
 * Searches for the quality that meets a target: the lowest that is similar enough, or the highest that is small enough. Similarity and
 * size nearly always grow with the quality, so a binary search takes 7 tries. If an encoder breaks this rule, the result still meets
 * the target but may not be the best. With `orSmallest` the highest quality is tried first, because such a limit is usually far
 * away; that makes 8 tries at most.
 *
 * @returns the best attempt that meets the target; otherwise `isMet: false` and the closest one, of the highest or lowest quality
 */
export async function searchQuality<A extends QualityAttempt>(
	target: QualityTarget,
	attempt: (quality: number) => Promise<A>,
): Promise<{ readonly found: A; readonly tries: number; readonly isMet: boolean }> {
	let { min: low = 1, max: high = 100 } = target;
	let best: A | undefined;
	const isLimit = 'maxBytes' in target && target.orSmallest === true;
	for (let tries = 1; ; tries++) {
		const tried = await attempt(isLimit && tries === 1 ? high : (low + high) >> 1);
		const isMet = 'ssim' in target ? (await tried.ssim()) >= target.ssim : tried.bytes <= target.maxBytes;
		if (isMet) best = tried;
		if (isMet === 'ssim' in target) high = tried.quality - 1;
		else low = tried.quality + 1;
		if (low > high) return { found: best ?? tried, tries, isMet: best !== undefined };
	}
}
