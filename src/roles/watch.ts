import { openLeases, takeExclusiveLease } from '../access/leases.ts';
import { openCatalog } from '../catalog/catalog.ts';
import { type Config, settings } from '../config/index.ts';
import { openPressure } from '../intake/pressure.ts';
import type { Logger } from '../observe/log.ts';
import { svgLimitsOf } from '../pipeline/inspect/limits.ts';
import { openQueues } from '../queue/queues.ts';
import { openStorage } from '../storage/index.ts';
import { findWatchFolder } from '../watch/files.ts';
import { openLedger } from '../watch/ledger.ts';
import { type WatchCounts, type WatchOptions, watchFolder } from '../watch/watch.ts';
import { closeSoon, closeWithRedis, leaseTime, openRedis, queuesOptions, type Running } from './connections.ts';
import { openConfiguredAssets } from './imaging.ts';
import { openRecipes, unknownRecipe } from './recipes.ts';

/** Imports the pictures of a folder as they arrive. Works without Redis, as uploads do. */
export async function startWatch(config: Config, log: Logger): Promise<Running> {
	const watch = await openWatch(config, log);
	const stopping = new AbortController();
	const ended = watch.run({ isOnce: false, stopping: stopping.signal });
	return {
		async stop() {
			stopping.abort();
			await watch.close(ended);
		},
	};
}

/** Imports the pictures that are in a folder now. @param stopping ends it early */
export async function watchOnce(config: Config, log: Logger, stopping: AbortSignal): Promise<WatchCounts> {
	const watch = await openWatch(config, log);
	try {
		return await watch.run({ isOnce: true, stopping });
	} finally {
		await watch.close();
	}
}

/** @throws ConfigError for a folder that cannot be watched, and for a recipe that does not exist */
async function openWatch(config: Config, log: Logger) {
	const storage = openStorage(config.storage);
	const folder = await findWatchFolder(config, storage);
	const assets = openConfiguredAssets(config, storage);
	const recipeBook = await openRecipes(config, assets, log);
	const name = config.watchRecipe ?? config.defaultRecipe;
	const recipe = () => recipeBook.recipes.get(name);
	const first = recipe();
	if (!first) {
		recipeBook.close();
		throw unknownRecipe(settings.watchRecipe.variable, name, recipeBook.recipes);
	}
	const redis = openRedis(config, 'producer', log);
	const queues = openQueues(redis, queuesOptions(config));
	const leases = openLeases(redis, `${config.redisPrefix}:watch`, leaseTime);
	const context = {
		storage,
		catalog: openCatalog(redis, config.redisPrefix),
		queues,
		assets,
		folder,
		ledger: openLedger(storage, folder),
		// If the recipe is removed from the recipes file, the remaining files use its last definition.
		recipe: () => recipe() ?? first,
		duplicates: config.watchDuplicates,
		limits: { maxBytes: config.maxBytes, svg: svgLimitsOf(config) },
		abandonedSeconds: config.abandonedSeconds,
		isKept: config.watchThen === 'keep',
		log,
	};
	const options = {
		seconds: config.watchSeconds,
		settleSeconds: config.watchSettleSeconds,
		concurrency: config.watchConcurrency,
		pressure: openPressure({ ...config, redis, queues, storage, log }),
	};
	return {
		async run(how: Pick<WatchOptions, 'isOnce' | 'stopping'>): Promise<WatchCounts> {
			const onWait = () => log.info({ folder }, 'another process watches this folder; waiting until it ends');
			const leave = await takeExclusiveLease(redis, leases, folder, { stopping: how.stopping, onWait });
			log.info({ folder, files: config.watchThen, recipe: name }, `watching ${folder}`);
			try {
				return await watchFolder(context, { ...options, ...how });
			} finally {
				leave();
			}
		},
		/** @param ended the run, which may need Redis for its last files */
		async close(ended?: Promise<unknown>) {
			recipeBook.close();
			await closeWithRedis(redis, {
				log,
				close: [
					async () => void (await ended),
					async () => leases.close(),
					() => closeSoon(log, [() => queues.close()]),
				],
				// Without a connection each of its calls fails at once.
				drop: async () => ended,
			});
			leases.close();
		},
	};
}
