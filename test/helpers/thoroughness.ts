import { randomInt } from 'node:crypto';
import type { Parameters } from 'fast-check';

/**
 * `npm test` gives an answer in minutes; `npm run test:long` looks further (`scripts/test.mjs long`): full loads, more rounds of the faults, and
 * properties that are tried more often, with a seed that nobody has tried before.
 */
export const isLong = process.env.TEST_LONG === 'true';

/** What this run takes of what a short and a long one take. */
export function shortOrLong<T>(short: T, long: T): T {
	return isLong ? long : short;
}

/**
 * How often fast-check tries a property.
 *
 * @param usual runs, of which a short run tries a quarter and a long one four times as many
 * @param seed of a short run; another one each time when not given. A failure prints it together with what failed
 */
export function propertyRuns(usual: number, seed = randomInt(2 ** 31)): Required<Pick<Parameters, 'numRuns' | 'seed'>> {
	const ofLongRun = process.env.TEST_SEED;
	return {
		numRuns: Math.ceil(shortOrLong(usual / 4, usual * 4)),
		seed: ofLongRun === undefined ? seed : Number(ofLongRun),
	};
}
