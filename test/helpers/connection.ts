import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { inject } from 'vitest';
import { type ConnectionUse, connectRedis } from '../../src/queue/redis.ts';
import { endWithTest } from './shared.ts';

/** A ready connection to the Redis of the whole run, unless another is given; closed when the test has finished. */
export async function connected(use: ConnectionUse = 'producer', url: string = inject('redisUrl')): Promise<Redis> {
	const redis = connectRedis(url, use);
	endWithTest(() => redis.disconnect());
	// Tests that take Redis away check the commands; without a listener each lost connection would be printed.
	redis.on('error', () => {});
	await once(redis, 'ready');
	return redis;
}
