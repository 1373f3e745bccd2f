import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { digest } from '../domain/digest.ts';
import { askRedis } from '../queue/redis.ts';
import { redisPatience } from './counters.ts';

/** What is under way, counted over all apis. */
export interface Leases {
	/** Takes a place among those of this name, unless `limit` are taken. */
	take(name: string, limit: number): Promise<Lease>;
	close(): void;
}

interface Lease {
	/** How many places are taken now, with this one if it was given. */
	readonly held: number;
	/** Undefined when it was not given. */
	readonly release: (() => void) | undefined;
}

/** A lease that nobody renews ends after this time, milliseconds: that is how long the requests of a killed api count. */
const defaultLeaseTime = 30_000;

/** KEYS: the set of leases by the time they end. ARGV: id, limit, milliseconds. Redis's clock is the one that all apis share. */
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

/** KEYS: as above. ARGV: milliseconds, ids. Also brings in what was given while Redis was away. */
const renew = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
`;

/**
 * Leases in Redis, renewed while they are held. While Redis is away or slow, each process goes by those it has given itself.
 *
 * @param prefix first part of their keys in Redis
 * @param leaseTime how long a lease lasts without being renewed, milliseconds
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
			// What Redis misses now it gets with the next renewal.
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
			// Counted at once: others may ask while Redis is being asked.
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

/** How long a connection in progress is waited for, in milliseconds. Without Redis a process knows only its own leases. */
const connectPatience = 2_000;
/** Pause between two attempts to take a lease that another process holds, in milliseconds. */
const retryPause = 1_000;

/**
 * Waits for an exclusive lease, and keeps others out until it is released.
 *
 * @param name of any length, such as a folder's path
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
