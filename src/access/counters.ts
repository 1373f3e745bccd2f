import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RLWrapperTimeouts } from 'rate-limiter-flexible';

/** How long a limit waits for Redis before it is counted in memory instead, milliseconds: requests must not hang because Redis does. */
export const redisPatience = 250;

/** Counts in windows that begin with the first count and end by themselves. */
export interface Counters {
	/** @returns the count with this one, and milliseconds to the end of its window */
	add(name: string, windowSeconds: number): Promise<{ count: number; endsIn: number }>;
	/** Takes one back. */
	takeBack(name: string, windowSeconds: number): Promise<void>;
	/** The count as it is. */
	look(name: string): Promise<number>;
}

/**
 * Counters in Redis, for all apis together. While Redis is away or slow, each process counts for itself in memory.
 *
 * @param prefix first part of their keys in Redis
 */
export function openCounters(redis: Redis, prefix: string): Counters {
	// The limits themselves are compared by whoever counts: they differ from key to key, and so do the windows (`customDuration`).
	const common = { points: Number.MAX_SAFE_INTEGER, duration: 1, keyPrefix: prefix };
	const inTime = new RLWrapperTimeouts({
		keyPrefix: prefix,
		limiter: new RateLimiterRedis({ ...common, storeClient: redis, rejectIfRedisNotReady: true }),
		timeoutMs: redisPatience,
	});
	// Of the outer one alone (its types leave that out): the inner one gives up later, and would count once more.
	const limiter = Object.assign(inTime, { insuranceLimiter: new RateLimiterMemory(common) });

	return {
		async add(name, windowSeconds) {
			const { consumedPoints, msBeforeNext } = await limiter.consume(name, 1, { customDuration: windowSeconds });
			return { count: consumedPoints, endsIn: msBeforeNext };
		},
		async takeBack(name, windowSeconds) {
			await limiter.reward(name, 1, { customDuration: windowSeconds });
		},
		async look(name) {
			return (await limiter.get(name))?.consumedPoints ?? 0;
		},
	};
}
