import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { KeyRing } from '../access/key-ring.ts';
import { openLeases } from '../access/leases.ts';
import { openLimiter } from '../access/limiter.ts';
import { buildApi } from '../api/server.ts';
import { openUploadLocks } from '../api/tus/upload-locks.ts';
import { listenToDeletions, openCatalog } from '../catalog/catalog.ts';
import { openRenderUse } from '../catalog/render-use.ts';
import { type Config, isLoopback, settings } from '../config/index.ts';
import type { ImageUrl } from '../delivery/dialects/image-request.ts';
import { openMemoryCache } from '../delivery/memory-cache.ts';
import { openRenders } from '../delivery/single-flight.ts';
import { listen } from '../http/listen.ts';
import { openIdempotencyRecords } from '../intake/idempotency.ts';
import { openPressure } from '../intake/pressure.ts';
import { openUnfinishedUploads } from '../intake/unfinished-uploads.ts';
import type { Logger } from '../observe/log.ts';
import { openMetrics } from '../observe/metrics.ts';
import { openAttempts } from '../queue/attempts.ts';
import { listenToPictures, listenToRenders } from '../queue/events.ts';
import { openQueues, type Queues } from '../queue/queues.ts';
import { openStorage } from '../storage/index.ts';
import type { Storage } from '../storage/storage.ts';
import { openWebhooks } from '../webhooks/publish.ts';
import {
	closeSoon,
	closeWithRedis,
	leaseTime,
	openAnother,
	openRedis,
	queuesOptions,
	type Running,
	untilConnected,
} from './connections.ts';
import { openConfiguredAssets } from './imaging.ts';
import { openKeys, requireKey } from './keys.ts';
import { openRecipes } from './recipes.ts';

/**
 * Lease time of a resumable upload, milliseconds. tus clients retry for some nine seconds by themselves, and an API process may need a few
 * of them to start again.
 */
const uploadLease = 4_000;

/** How long the API waits for Redis before it accepts requests without it, milliseconds. Uploads can wait; calls of operators cannot. */
const connectingPatience = 1_000;

/** Receives, shows and serves pictures. It also starts without Redis: uploads are accepted and queued later. */
export async function startApi(config: Config, log: Logger): Promise<Running> {
	const storage = openStorage(config.storage);
	const keys = await openCheckedKeys(config, storage, log);
	const assets = openConfiguredAssets(config, storage);
	const recipeBook = await openRecipes(config, assets, log);
	const redis = openRedis(config, 'producer', log);
	const eventsRedis = openAnother(config, 'worker');
	const queues = openQueues(redis, queuesOptions(config));
	const events = listenToPictures(eventsRedis, config.redisPrefix);
	const renderUse = openRenderUse({ redis, prefix: config.redisPrefix, storage, megabytes: config.renderMegabytes });
	const endings = listenToRenders(eventsRedis, config.redisPrefix);
	const renders = openRenders({
		storage,
		queues,
		endings,
		failureSeconds: config.renderFailureSeconds,
		most: config.renderQueue,
	});
	const memory = openMemoryCache<ImageUrl>({ megabytes: config.deliveryMegabytes, seconds: config.deliveryRemember });
	const deletionsRedis = eventsRedis.duplicate();
	// The other connections log errors.
	deletionsRedis.on('error', () => {});
	listenToDeletions(deletionsRedis, config.redisPrefix, memory.forget);
	const guards = openGuards(config, { redis, queues, storage, log });
	const stopping = new AbortController();
	const app = buildApi({
		config,
		storage,
		redis,
		catalog: openCatalog(redis, config.redisPrefix),
		queues,
		events,
		recipeBook,
		log,
		assets,
		webhooks: openWebhooks(config, { redis, storage, queues, log }),
		attemptCounts: openAttempts(redis, config.redisPrefix),
		metrics: openMetrics(),
		delivery: {
			parts: {
				storage,
				renders,
				limits: config,
				findAssets: (recipe) => assets.find(recipe),
				avif: config.renderAvif,
				onUse: renderUse.touch,
			},
			renderUse,
			memory,
		},
		stopping: stopping.signal,
		keys,
		...guards,
	});
	await untilConnected(redis, connectingPatience);
	const place = { host: config.host, port: config.port, variable: 'PICPIPE_PORT' } as const;
	const listening = await listen(app, place, { ...config, asksForBodies: true });
	log.info({ address: listening.address, storage: storage.description }, 'API is listening');
	return {
		address: listening.address,
		needsKey: keys.wasNeeded !== false,
		async stop() {
			stopping.abort();
			await sleep(config.drainSeconds * 1_000);
			recipeBook.close();
			await Promise.all([guards.uploads.locks.interruptAll(), listening.close()]);
			guards.limiter.close();
			guards.underWay.close();
			guards.uploads.locks.close();
			await closeWithRedis(redis, {
				log,
				close: [() => closeSoon(log, [() => events.close(), () => endings.close(), () => queues.close()])],
			});
			eventsRedis.disconnect();
			deletionsRedis.disconnect();
		},
	};
}

/** @throws ConfigError if other machines can reach the host and no key exists */
async function openCheckedKeys(config: Config, storage: Storage, log: Logger): Promise<KeyRing> {
	const keys = openKeys(config, storage, log);
	const { host } = config;
	// On loopback no key is required. This read makes the keys available to the first request.
	if (isLoopback(host)) await keys.isNeeded().catch(() => {});
	else {
		const { host: setting, apiKeys } = settings;
		const { variable } = setting;
		const hasKey = () => keys.isNeeded();
		await requireKey({ host, variable, alternative: apiKeys.variable, required: 'an API key', hasKey }, log);
	}
	return keys;
}

interface GuardDependencies {
	readonly redis: Redis;
	readonly queues: Queues;
	readonly storage: Storage;
	readonly log: Logger;
}

/** The parts that decide whether a request may continue: rates, back-pressure, idempotency keys, locks of resumable uploads. */
function openGuards(config: Config, { redis, queues, storage, log }: GuardDependencies) {
	const { redisPrefix } = config;
	return {
		limiter: openLimiter(redis, redisPrefix),
		pressure: openPressure({ ...config, redis, queues, storage, log }),
		idempotency: openIdempotencyRecords(storage, config.idempotencySeconds),
		underWay: openLeases(redis, `${redisPrefix}:idempotency`, leaseTime),
		uploads: {
			locks: openUploadLocks(openLeases(redis, `${redisPrefix}:uploads`, uploadLease)),
			outcomes: openIdempotencyRecords(storage, config.resumableSeconds),
			unfinished: openUnfinishedUploads(redis, redisPrefix, config.maxBytes),
		},
	};
}
