import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RLWrapperTimeouts } from 'rate-limiter-flexible';

/** How long to wait for Redis before counting in memory instead, milliseconds: requests must not hang because Redis does. */
export const redisPatience = 250;

/** Counts in windows. A window begins with its first count and ends by itself. */
export interface Counters {
	/** @returns the count including this one, and the milliseconds until its window ends */
	add(name: string, windowSeconds: number): Promise<{ count: number; endsIn: number }>;
	/** Decreases the count by one. */
	takeBack(name: string, windowSeconds: number): Promise<void>;
	/** The current count. */
	look(name: string): Promise<number>;
}

/**
 * Counters in Redis, shared by all API processes. While Redis is away or slow, each process counts in memory.
 *
 * @param prefix of their keys in Redis
 */
export function openCounters(redis: Redis, prefix: string): Counters {
	// The callers compare the limits: limits and windows (`customDuration`) differ from key to key.
	const common = { points: Number.MAX_SAFE_INTEGER, duration: 1, keyPrefix: prefix };
	const inTime = new RLWrapperTimeouts({
		keyPrefix: prefix,
		limiter: new RateLimiterRedis({ ...common, storeClient: redis, rejectIfRedisNotReady: true }),
		timeoutMs: redisPatience,
	});
	// Set on the outer limiter only (its types leave that out): the inner one gives up later and would count twice.
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
