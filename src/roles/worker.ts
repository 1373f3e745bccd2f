import type { Redis } from 'ioredis';
import { openLeases } from '../access/leases.ts';
import { listenToDeletions, openCatalog } from '../catalog/catalog.ts';
import { openRenderUse } from '../catalog/render-use.ts';
import { keepIndexWhole } from '../catalog/upkeep.ts';
import type { Config } from '../config/index.ts';
import { startImagingPool } from '../imaging/scheduler.ts';
import { openSourceFiles } from '../imaging/source-files.ts';
import { fetchLimitsOf } from '../intake/fetch.ts';
import { openUnfinishedUploads } from '../intake/unfinished-uploads.ts';
import type { Logger } from '../observe/log.ts';
import { svgLimitsOf } from '../pipeline/inspect/limits.ts';
import { openAttempts } from '../queue/attempts.ts';
import { openQueues } from '../queue/queues.ts';
import { askRedis } from '../queue/redis.ts';
import { openStorage } from '../storage/index.ts';
import { openWebhooks } from '../webhooks/publish.ts';
import { restoreLog } from '../webhooks/sweep.ts';
import type { SweepContext } from '../worker/sweep.ts';
import { startWorkers } from '../worker/worker.ts';
import {
	closeSoon,
	closeWithRedis,
	leaseTime,
	openAnother,
	openRedis,
	queuesOptions,
	type Running,
} from './connections.ts';
import { imagingOptions, openConfiguredAssets, openConfiguredScratch } from './imaging.ts';

/** Takes jobs from the queues and processes them. */
export async function startWorker(config: Config, log: Logger): Promise<Running> {
	const storage = openStorage(config.storage);
	const scratch = await openConfiguredScratch(config, storage, log);
	const redis = openRedis(config, 'worker', log);
	const queues = openQueues(redis, queuesOptions(config));
	const deletions = scratch && openAnother(config, 'worker');
	if (scratch && deletions) listenToDeletions(deletions, config.redisPrefix, scratch.forget);
	const pool = startImagingPool(imagingOptions(config, log, openSourceFiles(storage, scratch)));
	const webhooks = openWebhooks(config, { redis, storage, queues, log });
	const upkeep = openUpkeep(redis, config.redisPrefix);
	const catalog = openCatalog(redis, config.redisPrefix);
	const index = keepIndexWhole({
		redis,
		prefix: config.redisPrefix,
		storage,
		catalog,
		log,
		everySeconds: config.sweepSeconds,
		onRebuilt: () => restoreLog({ ...webhooks, sweepSeconds: config.sweepSeconds }),
	});
	const worker = startWorkers(
		redis,
		queues,
		{
			storage,
			catalog,
			webhooks,
			publisher: webhooks.publisher,
			attemptCounts: openAttempts(redis, config.redisPrefix),
			queues,
			pool,
			assets: openConfiguredAssets(config, storage),
			renderFrom: config.renderFrom,
			unfinished: openUnfinishedUploads(redis, config.redisPrefix, config.maxBytes),
			renderUse: openRenderUse({ redis, prefix: config.redisPrefix, storage, megabytes: config.renderMegabytes }),
			fetching: fetchLimitsOf(config),
			receiving: { maxBytes: config.maxBytes, svg: svgLimitsOf(config) },
			abandonedSeconds: config.abandonedSeconds,
			batchSeconds: config.batchSeconds,
			// The outcomes of resumable uploads are stored among the idempotency records.
			idempotencySeconds: Math.max(config.idempotencySeconds, config.resumableSeconds),
			resumableSeconds: config.resumableSeconds,
			sweepSeconds: config.sweepSeconds,
			place: upkeep.place,
			exclusively: upkeep.exclusively,
			log,
		},
		{
			prefix: config.redisPrefix,
			imagingProcesses: config.imagingProcesses,
			jobsAhead: config.jobsAhead,
			fetchConcurrency: config.fetchConcurrency,
			fetchRetrySeconds: config.fetchRetrySeconds,
			webhookRetrySeconds: config.webhookRetrySeconds,
			sweepSeconds: config.sweepSeconds,
		},
	);
	log.info({ imagingProcesses: config.imagingProcesses, storage: storage.description }, 'worker is taking jobs');
	return {
		async stop() {
			await closeWithRedis(redis, {
				log,
				close: [
					() => index.close(),
					() => worker.close(),
					() => pool.stop(),
					() => closeSoon(log, [() => queues.close()]),
				],
				drop: () => Promise.allSettled([pool.stop(), worker.drop()]),
			});
			upkeep.close();
			deletions?.disconnect();
			await scratch?.close();
		},
	};
}

type Upkeep = Required<Pick<SweepContext, 'place' | 'exclusively'>> & { close(): void };

/** What the sweeps of all workers share. */
function openUpkeep(redis: Redis, prefix: string): Upkeep {
	const leases = openLeases(redis, `${prefix}:sweeps`, leaseTime);
	const place = `${prefix}:sweeps:place`;
	return {
		place: {
			read: async () => (await askRedis(redis, () => redis.get(place))) ?? undefined,
			async write(id) {
				await askRedis(redis, async () => (id === undefined ? redis.del(place) : redis.set(place, id)));
			},
		},
		async exclusively(name, work) {
			const { release } = await leases.take(name, 1);
			try {
				return release && (await work());
			} finally {
				release?.();
			}
		},
		close: () => leases.close(),
	};
}
