import type { Redis } from 'ioredis';
import { type ErrorCode, errorTable, type FailureClass, failureClasses } from '../errors.ts';
import { askRedis } from '../queue/redis.ts';

/** Pictures that failed, or lack a variant, for the same reason. */
export interface FailureGroup {
	readonly class: FailureClass;
	readonly code: ErrorCode;
	readonly count: number;
	/** First and last failure time among the pictures that are still failed, milliseconds since 1970. */
	readonly firstAt: number;
	readonly lastAt: number;
	/** Ids of the latest failures, newest first. */
	readonly latest: readonly string[];
}

/** Ids to show for each group. */
const idsPerGroup = 5;

/** The set of ids of a group; all scores are 0. */
export function failureSet(failureClass: FailureClass, code: ErrorCode): string {
	return `failure:${failureClass}:${code}`;
}

/** The largest group first. @param key returns the full name of an index key */
export async function findFailures(redis: Redis, key: (name: string) => string): Promise<FailureGroup[]> {
	const names = await askRedis(redis, () => redis.smembers(key('failures')));
	const groups = await Promise.all(names.map((name) => findGroup(redis, key, name)));
	return groups
		.flatMap((group) => group ?? [])
		.sort((one, other) => other.count - one.count || other.lastAt - one.lastAt);
}

async function findGroup(redis: Redis, key: (name: string) => string, name: string): Promise<FailureGroup | undefined> {
	const [failureClass, code] = name.split(':') as [FailureClass, ErrorCode];
	// Possibly of a newer version.
	if (!failureClasses.includes(failureClass) || !Object.hasOwn(errorTable, code)) return undefined;
	const times = key(`failure-time:${name}`);
	const [count, [, firstAt] = [], newest] = await askRedis(redis, () =>
		Promise.all([
			redis.zcard(key(`failure:${name}`)),
			redis.zrange(times, 0, 0, 'WITHSCORES'),
			redis.zrange(times, 0, idsPerGroup - 1, 'REV', 'WITHSCORES'),
		]),
	);
	const latest = newest.filter((_, at) => at % 2 === 0);
	// Emptied in the meantime.
	if (firstAt === undefined || newest[1] === undefined) return undefined;
	return { class: failureClass, code, count, firstAt: Number(firstAt), lastAt: Number(newest[1]), latest };
}
