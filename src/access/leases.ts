import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { digest } from '../domain/digest.ts';
import { askRedis } from '../queue/redis.ts';
import { redisPatience } from './counters.ts';

/** Counts concurrent work over all API processes. */
export interface Leases {
	/** Takes a lease of this name, unless `limit` leases are held. */
	take(name: string, limit: number): Promise<Lease>;
	close(): void;
}

interface Lease {
	/** Number of held leases, including this one if it was granted. */
	readonly held: number;
	/** Undefined if the lease was not granted. */
	readonly release: (() => void) | undefined;
}

/** A lease that is not renewed ends after this time, milliseconds. The requests of a killed API process count for this long. */
const defaultLeaseTime = 30_000;

/** KEYS: the leases, ordered by their end. ARGV: id, limit, milliseconds. Redis's clock is the only one that all API processes share. */
const take = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local held = redis.call('ZCARD', KEYS[1])
if held >= tonumber(ARGV[2]) then return { 0, held } end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 1, held + 1 }
`;

/** KEYS: as above. ARGV: milliseconds, ids. Also adds leases that were granted while Redis was away. */
const renew = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
`;

/**
 * Leases in Redis, renewed while they are held. While Redis is away or slow, each process counts its own leases.
 *
 * @param prefix of their keys in Redis
 * @param leaseTime lifetime of a lease without renewal, milliseconds
 */
export function openLeases(redis: Redis, prefix: string, leaseTime = defaultLeaseTime): Leases {
	redis.defineCommand('leaseTake', { numberOfKeys: 1, lua: take });
	redis.defineCommand('leaseRenew', { numberOfKeys: 1, lua: renew });
	const commands = redis as Redis & {
		leaseTake(...args: (string | number)[]): Promise<[0 | 1, number]>;
		leaseRenew(...args: (string | number)[]): Promise<null>;
	};
	const own = new Map<string, Set<string>>();
	const keyOf = (name: string) => `${prefix}:${name}`;

	const renewAll = async () => {
		for (const [name, ids] of own) {
			// What Redis misses here is sent with the next renewal.
			await askRedis(redis, () => commands.leaseRenew(keyOf(name), leaseTime, ...ids)).catch(() => {});
		}
	};
	const timer = setInterval(() => void renewAll(), leaseTime / 3).unref();

	const forget = (name: string, id: string) => {
		const ids = own.get(name);
		ids?.delete(id);
		if (ids?.size === 0) own.delete(name);
		askRedis(redis, () => redis.zrem(keyOf(name), id)).catch(() => {});
	};

	return {
		async take(name, limit) {
			const id = randomUUID();
			const ids = own.get(name) ?? new Set();
			own.set(name, ids);
			// Counted at once: other callers may ask while Redis is being queried.
			ids.add(id);
			const ask = () => commands.leaseTake(keyOf(name), id, limit, leaseTime);
			const [isGiven, held] = await askRedis(redis, ask, redisPatience).catch((): [0 | 1, number] => {
				const place = [...ids].indexOf(id);
				return [place < limit ? 1 : 0, Math.min(ids.size, limit)];
			});
			if (isGiven === 0) {
				forget(name, id);
				return { held, release: undefined };
			}
			return { held, release: () => forget(name, id) };
		},
		close: () => clearInterval(timer),
	};
}

/** Longest wait for a connection in progress, milliseconds. Without Redis a process knows only its own leases. */
const connectPatience = 2_000;
/** Pause between two attempts to take a lease that another process holds, milliseconds. */
const retryPause = 1_000;

/**
 * Waits for an exclusive lease, and keeps others out until it is released.
 *
 * @param name may have any length, such as a folder's path
 * @param options.onWait called once when another process holds the lease
 * @returns releases the lease
 */
export async function takeExclusiveLease(
	redis: Redis,
	leases: Leases,
	name: string,
	{ stopping, onWait }: { readonly stopping: AbortSignal; onWait(): void },
): Promise<() => void> {
	if (redis.status !== 'ready') {
		const signal = AbortSignal.any([stopping, AbortSignal.timeout(connectPatience)]);
		await once(redis, 'ready', { signal }).catch(() => {});
	}
	for (let isReported = false; !stopping.aborted; isReported = true) {
		const { release } = await leases.take(digest(name), 1);
		if (release) return release;
		if (!isReported) onWait();
		await sleep(retryPause, undefined, { signal: stopping }).catch(() => {});
	}
	return () => {};
}
