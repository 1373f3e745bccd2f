import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type Config, ConfigError } from '../config/index.ts';
import { followRedisClock } from '../observe/clock.ts';
import type { Logger } from '../observe/log.ts';
import { reportOutages, untilAway } from '../queue/outage.ts';
import { type ConnectionUse, connectRedis, readRedisInfo, redisTooOld } from '../queue/redis.ts';

/** A running role. */
export interface Running {
	/** URL that it listens on, such as `http://127.0.0.1:3000`. */
	readonly address?: string;
	/** Whether clients need a key. */
	readonly needsKey?: boolean;
	/** Finishes the work in progress, then closes everything. */
	stop(): Promise<void>;
}

/**
 * How long work counts as in progress after its process stopped renewing its lease, milliseconds. A client that repeats a request with an
 * idempotency key waits at most this long after an API process was killed, and so does a process that watches the same folder.
 */
export const leaseTime = 9_000;

/** How long connections may take to close in order, milliseconds. One that was just restored may never finish. */
const closingPatience = 2_000;
/** How long dropped work may take to end, milliseconds. */
const droppingPatience = 500;

/**
 * Connects to Redis, goes by its clock, logs when the connection is lost and restored, and ends the process if Redis is too old.
 *
 * @throws ConfigError without `REDIS_URL`
 */
export function openRedis(config: Config, use: ConnectionUse, log: Logger): Redis {
	if (config.redisUrl === undefined) {
		throw new ConfigError([
			'REDIS_URL: expected the URL of a Redis but received none; `picpipe start` runs a Redis of its own',
		]);
	}
	const redis = connectRedis(config.redisUrl, use);
	reportOutages(redis, config.redisPrefix, log);
	followRedisClock(redis, log);
	redis.on('ready', () => {
		checkServer(redis, log).catch((err) => log.warn({ err }, 'the version of Redis could not be read'));
	});
	return redis;
}

/** A further connection to the same Redis. The first one reports outages. */
export function openAnother(config: Config, use: ConnectionUse): Redis {
	const redis = connectRedis(config.redisUrl ?? '', use);
	redis.on('error', () => {});
	return redis;
}

/** Redis may be replaced while picpipe is running, so every new connection is checked. */
async function checkServer(redis: Redis, log: Logger): Promise<void> {
	const { version, evictionPolicy } = await readRedisInfo(redis);
	const tooOld = redisTooOld(version);
	if (tooOld) {
		log.fatal(tooOld);
		process.exit(2);
	}
	if (evictionPolicy !== 'noeviction') {
		log.error(
			{ evictionPolicy },
			'Redis may evict jobs when its memory is full: set its maxmemory-policy to noeviction',
		);
	}
}

/** Waits until Redis is connected, at most this long, milliseconds. */
export async function untilConnected(redis: Redis, patience = Number.POSITIVE_INFINITY): Promise<void> {
	if (redis.status === 'ready') return;
	if (patience === Number.POSITIVE_INFINITY) {
		await once(redis, 'ready');
		return;
	}
	const late = new AbortController();
	await Promise.race([once(redis, 'ready', late), sleep(patience, undefined, late)]).catch(() => {});
	late.abort();
}

/** The options of `openQueues` and `openArena`. */
export function queuesOptions(config: Config) {
	const { redisPrefix: prefix, attempts, retryDelay, renderQueue } = config;
	// A single receiver leaves room for others even in a single worker.
	const half = Math.max(1, Math.floor(config.webhookConcurrency / 2));
	const webhookEndpointConcurrency = Math.min(config.webhookEndpointConcurrency, half);
	return { prefix, attempts, retryDelay, renderQueue, webhookEndpointConcurrency };
}

/** Closes one after the other; a failure is logged and does not stop the rest. */
export async function closeInOrder(log: Logger, closers: readonly (() => Promise<void>)[]): Promise<void> {
	for (const close of closers) await close().catch((err) => log.warn({ err }, 'closing failed during shutdown'));
}

/** Closes connections whose work has ended, without waiting for long. */
export async function closeSoon(log: Logger, closers: readonly (() => Promise<void>)[]): Promise<void> {
	await Promise.race([closeInOrder(log, closers), sleep(closingPatience)]);
}

/**
 * Closes in order while Redis answers. Once it does not, the rest is dropped: jobs and queues would wait for Redis, and storage has all that the
 * next start needs.
 *
 * @param options.drop ends what must not be left behind
 */
export async function closeWithRedis(
	redis: Redis,
	{ log, close, drop }: { log: Logger; close: readonly (() => Promise<void>)[]; drop?: () => Promise<unknown> },
): Promise<void> {
	const closed = new AbortController();
	const isAway = await Promise.race([
		closeInOrder(log, close).then(() => false),
		untilAway(redis, closed.signal).then(() => true),
	]);
	closed.abort();
	redis.disconnect();
	if (!isAway) return;
	log.info('Redis is unreachable; work in progress is left to the next start');
	await Promise.race([drop?.(), sleep(droppingPatience)]);
}
