import type { QualityTarget } from '../encoders/quality.ts';

/** One try at a quality. */
export interface Attempt {
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
export async function searchQuality<A extends Attempt>(
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
