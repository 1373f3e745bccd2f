import * as z from 'zod';
import { integer, number } from '../../operations/options.ts';

/** What a quality is for, similar enough or small enough, and between which it is looked for: 1 and 100 unless they are given. */
export type QualityTarget = (
	| { readonly ssim: number }
	| {
			readonly maxBytes: number;
			/** Where nothing fits the smallest is taken, and nothing refused. */
			readonly orSmallest?: boolean | undefined;
	  }
) & {
	readonly min?: number | undefined;
	readonly max?: number | undefined;
};
/** A number from 1 to 100, or a target for which the number is looked for. */
export type Quality = number | QualityTarget;

/** Below a half a picture can't be recognised, and from here to 1 no lossy encoder comes. */
export const ssimTarget = number(0.5, 0.9999);

const error =
	'expected an integer from 1 to 100, { ssim: 0.5 to 0.9999 } or { maxBytes: 100 to 1000000000 }, both perhaps with min and max from 1 to 100, the latter with orSmallest: true or false';

const bounds = { min: integer(1, 100).optional(), max: integer(1, 100).optional() };

function isInOrder(quality: Quality): boolean {
	return typeof quality === 'number' || (quality.min ?? 1) <= (quality.max ?? 100);
}

/** The option `quality` of an encoder that can lose something. */
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
			'1 is smallest, 100 is best. Or what it is for: `{ ssim: 0.98 }` takes the lowest that is so similar to what was encoded, `{ maxBytes: 60000 }` the highest that fits; with `min` and `max` none beyond those. Where not even the lowest fits, the picture fails, or with `orSmallest: true` is that one.',
		);
}

/** The target among an encoder's options; undefined when the quality is a number, or there is none. */
export function targetOf(options: unknown): QualityTarget | undefined {
	const { quality } = options as { readonly quality?: Quality };
	return typeof quality === 'object' ? quality : undefined;
}

/** For encoders: a target has become a number before they are asked. */
export function fixed(quality: Quality): number {
	if (typeof quality !== 'number') throw new TypeError('Expected a quality that has been found.');
	return quality;
}

/** A rule for schemas: without loss there is nothing to look for. */
export function isSearchable({ quality, lossless }: { quality: Quality; lossless: boolean }): boolean {
	return typeof quality === 'number' || !lossless;
}
export const notSearchable = { error: 'expected a number because lossless is true', path: ['quality'] };

/** One try at a quality. */
export interface QualityAttempt {
	/** 1 to 100. */
	readonly quality: number;
	readonly bytes: number;
	/** Similarity to what was encoded. */
	ssim(): Promise<number>;
}

/**
 * Looks for the quality that fulfils a target: the lowest that is similar enough, or the highest that is small enough. Both grow
 * with the quality, nearly always, so the range is halved with each try and 7 tries decide among 100; where an encoder breaks the
 * rule, the result fulfils the target all the same and is only not the best. With `orSmallest` the highest quality is tried
 * first, which makes it 8 at most: whoever takes the smallest has a limit and no aim, and mostly it is far away.
 *
 * @returns the best attempt that fulfils the target, or else `isMet: false` and the nearest: the one of the highest or the lowest quality
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
