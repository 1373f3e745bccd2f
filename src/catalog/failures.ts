import type { Redis } from 'ioredis';
import { type ErrorCode, errorTable, type FailureClass, failureClasses } from '../errors.ts';
import { askRedis } from '../queue/redis.ts';

/** Pictures that failed for the same reason. */
export interface FailureGroup {
	readonly class: FailureClass;
	readonly code: ErrorCode;
	readonly count: number;
	/** When the first and the last of those that are still failed did so, milliseconds since 1970. */
	readonly firstAt: number;
	readonly lastAt: number;
	/** Ids of those that failed last, the last first. */
	readonly latest: readonly string[];
}

/** Ids shown of each group. */
const samples = 5;

/** The set of a group's ids, of which all scores are 0. */
export function failureSet(failureClass: FailureClass, code: ErrorCode): string {
	return `failure:${failureClass}:${code}`;
}

/** @param key names a key of the index */
export async function findFailures(redis: Redis, key: (name: string) => string): Promise<FailureGroup[]> {
	const names = await askRedis(redis, () => redis.smembers(key('failures')));
	const groups = await Promise.all(names.map((name) => findGroup(redis, key, name)));
	return groups
		.flatMap((group) => group ?? [])
		.sort((one, other) => other.count - one.count || other.lastAt - one.lastAt);
}

async function findGroup(redis: Redis, key: (name: string) => string, name: string): Promise<FailureGroup | undefined> {
	const [failureClass, code] = name.split(':') as [FailureClass, ErrorCode];
	// Of a later version, perhaps.
	if (!failureClasses.includes(failureClass) || !Object.hasOwn(errorTable, code)) return undefined;
	const times = key(`failure-time:${name}`);
	const [count, [, firstAt] = [], newest] = await askRedis(redis, () =>
		Promise.all([
			redis.zcard(key(`failure:${name}`)),
			redis.zrange(times, 0, 0, 'WITHSCORES'),
			redis.zrange(times, 0, samples - 1, 'REV', 'WITHSCORES'),
		]),
	);
	const latest = newest.filter((_, at) => at % 2 === 0);
	// It was emptied meanwhile.
	if (firstAt === undefined || newest[1] === undefined) return undefined;
	return { class: failureClass, code, count, firstAt: Number(firstAt), lastAt: Number(newest[1]), latest };
}
