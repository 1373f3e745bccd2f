import { openCatalog } from '../catalog/catalog.ts';
import { rebuildNow } from '../catalog/rebuild.ts';
import type { ReindexResult } from '../catalog/reindex.ts';
import { type Config, ConfigError } from '../config/index.ts';
import { inlineRecipeName } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { type ProcessCommand, runProcessCommand } from '../files/command.ts';
import { startImagingPool } from '../imaging/scheduler.ts';
import { type ReprocessCounts, type ReprocessOptions, reprocess } from '../intake/reprocess.ts';
import type { Logger } from '../observe/log.ts';
import { openQueues } from '../queue/queues.ts';
import { openStorage } from '../storage/index.ts';
import { closeInOrder, openRedis, queuesOptions, untilConnected } from './connections.ts';
import { imagingOptions, openConfiguredAssets } from './imaging.ts';
import { loadConfiguredRecipes, unknownRecipe } from './recipes.ts';

/** Rebuilds the index in Redis from the manifests in storage, and logs the progress. */
export async function rebuildIndex(config: Config, log: Logger): Promise<ReindexResult> {
	const redis = openRedis(config, 'worker', log);
	try {
		await untilConnected(redis);
		const { redisPrefix: prefix } = config;
		const storage = openStorage(config.storage);
		return await rebuildNow({ redis, prefix, storage, catalog: openCatalog(redis, prefix), log });
	} finally {
		redis.disconnect();
	}
}

/** Queues pictures again with the current recipes. @throws ConfigError */
export async function reprocessPictures(
	config: Config,
	wanted: Pick<ReprocessOptions, 'recipe' | 'stale' | 'force' | 'onProgress'>,
	log: Logger,
): Promise<ReprocessCounts> {
	const recipes = await loadConfiguredRecipes(config);
	const { recipe } = wanted;
	if (recipe !== undefined && recipe !== inlineRecipeName && !recipes.has(recipe))
		throw unknownRecipe('--recipe', recipe, recipes);
	const redis = openRedis(config, 'worker', log);
	const queues = openQueues(redis, queuesOptions(config));
	try {
		await untilConnected(redis);
		const storage = openStorage(config.storage);
		const assets = openConfiguredAssets(config, storage);
		const deps = { storage, catalog: openCatalog(redis, config.redisPrefix), queues, assets };
		return await reprocess(deps, { ...wanted, recipes, log });
	} finally {
		await closeInOrder(log, [() => queues.close()]);
		redis.disconnect();
	}
}

/**
 * Makes a recipe's variants of files on this machine: the same engine, without queue and server.
 *
 * @returns the exit code: 0 all made, 1 some failed
 * @throws ConfigError
 */
export async function processLocalFiles(
	config: Config,
	wanted: Pick<ProcessCommand, 'paths' | 'out'> & { readonly recipe?: string },
	log: Logger,
): Promise<number> {
	const recipes = await loadConfiguredRecipes(config);
	const name = wanted.recipe ?? config.defaultRecipe;
	const recipe = recipes.get(name);
	if (!recipe) throw unknownRecipe('--recipe', name, recipes);
	try {
		return await runProcessCommand({
			...wanted,
			recipe: recipe.definition,
			assets: await openConfiguredAssets(config).find(recipe.definition),
			takesSvg: config.svg,
			maxBytes: config.maxBytes,
			imagingProcesses: config.imagingProcesses,
			startPool: () => startImagingPool(imagingOptions(config, log)),
		});
	} catch (error) {
		if (error instanceof PicpipeError && (error.code === 'no-file' || error.code === 'asset-missing'))
			throw new ConfigError([error.message]);
		throw error;
	}
}
