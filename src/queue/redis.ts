import { Redis, type RedisOptions } from 'ioredis';
import { PicpipeError } from '../errors.ts';
import { within } from '../observe/clock.ts';
import { isRefusal } from '../observe/log.ts';

/** How long a producer waits for a connection or a reply, milliseconds: an upload must not hang because Redis does. */
const producerTimeout = 2_000;
/** Longest pause between two connection attempts, milliseconds. */
const maximumReconnectDelay = 1_000;

/** Oldest Redis that BullMQ's scripts are tested with; it has the streams and the `LMOVE` that picpipe uses. */
export const oldestRedis = [6, 2] as const;

/**
 * How a connection handles trouble: a `producer` (api, Arena) gives up quickly, a `worker` waits until Redis is back.
 */
export type ConnectionUse = 'producer' | 'worker';

/** Connects to `redis://`, `rediss://` or `unix://`; reconnects until it is closed. */
export function connectRedis(url: string, use: ConnectionUse): Redis {
	const options: RedisOptions = {
		retryStrategy: (times) => Math.min(times * 50, maximumReconnectDelay),
		...(use === 'producer'
			? {
					enableOfflineQueue: false,
					maxRetriesPerRequest: 1,
					commandTimeout: producerTimeout,
					connectTimeout: producerTimeout,
				}
			: { maxRetriesPerRequest: null }),
	};
	return url.startsWith('unix:')
		? new Redis({ ...options, path: decodeURIComponent(new URL(url).pathname) })
		: new Redis(url, options);
}

/**
 * Runs a command only while Redis is connected, and reports every connection problem as one error.
 *
 * @param patience longest wait for the reply, milliseconds
 * @throws PicpipeError `queue-unavailable`
 */
export async function askRedis<T>(redis: Redis, ask: () => Promise<T>, patience = producerTimeout * 2): Promise<T> {
	if (redis.status !== 'ready')
		throw new PicpipeError('queue-unavailable', `Redis is not connected (${redis.status}).`);
	const late = () => new PicpipeError('queue-unavailable', `Redis did not answer within ${patience} ms.`);
	try {
		return await within(patience, ask(), late);
	} catch (error) {
		if (error instanceof PicpipeError || !isConnectionTrouble(error)) throw error;
		throw new PicpipeError('queue-unavailable', undefined, { cause: error });
	}
}

/** Lost, refused, timed out, loading its data, full (`noeviction`) or read-only: temporary conditions that are not the request's fault. */
export function isConnectionTrouble(error: unknown): boolean {
	return (
		error instanceof Error &&
		(isRefusal(error) ||
			/Connection is closed|Stream isn't writeable|timed out|ECONN|EPIPE|ENOENT|max retries/.test(error.message))
	);
}

/** Did Redis refuse to write because the disk of its append-only file is full, or fails? It tries again each second. */
export function isDiskTrouble(error: unknown): boolean {
	if (!(error instanceof Error)) return false;
	return error.message.startsWith('MISCONF') || isDiskTrouble(error.cause);
}

/** @returns why this Redis is too old, as a sentence; undefined if it is not */
export function redisTooOld(version: string): string | undefined {
	const [major = 0, minor = 0] = version.split('.').map(Number);
	const isOld = major < oldestRedis[0] || (major === oldestRedis[0] && minor < oldestRedis[1]);
	return isOld ? `Expected Redis ${oldestRedis.join('.')} or newer but this server is ${version}.` : undefined;
}

/** Server facts from `INFO`. */
export async function readRedisInfo(redis: Redis): Promise<{ version: string; evictionPolicy: string }> {
	const info = await redis.info();
	const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
	return { version: field('redis_version'), evictionPolicy: field('maxmemory_policy') };
}
