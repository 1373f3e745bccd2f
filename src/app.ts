import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type KeyRing, openKeyRing } from './access/key-ring.ts';
import type { ApiKeys } from './access/key-store.ts';
import { openCatalog } from './catalog/catalog.ts';
import { type ReindexResult, reindex as reindexCatalog } from './catalog/reindex.ts';
import type { UploadCommand } from './client/command.ts';
import { type Config, ConfigError, isLoopback, settings } from './config/index.ts';
import { inlineRecipeName } from './domain/recipe.ts';
import { PicpipeError } from './errors.ts';
import type { ProcessCommand } from './files/command.ts';
import { listen } from './http/listen.ts';
import type { AssetFinder } from './intake/assets.ts';
import type { ReprocessCounts, ReprocessOptions } from './intake/reprocess.ts';
import type { Logger } from './observe/log.ts';
import { svgLimitsOf } from './pipeline/inspect/limits.ts';
import type { RecipeBook } from './pipeline/recipe/recipe-book.ts';
import { type ConnectionUse, connectRedis, readRedisInfo, redisTooOld } from './queue/redis.ts';
import { openStorage } from './storage/index.ts';
import type { Storage } from './storage/storage.ts';
import type { WatchCounts, WatchOptions } from './watch/watch.ts';

/**
 * The one place that puts the parts together. Each role opens what it needs and closes it in reverse, and loads only what it
 * needs: a worker has no use for Express, nor the api for Arena.
 */

/** Time that connections get to close in order, milliseconds. */
const closingPatience = 2_000;

/**
 * How long something counts as under way when its process no longer says so, milliseconds. So long a client may have to wait that sends a request
 * with an idempotency key again after an api was killed, and a process that watches a folder.
 */
const leaseTime = 9_000;

/**
 * The same for a resumable upload. Clients of tus try again for some nine seconds by themselves, and an api may need a few to start again.
 */
const uploadLease = 4_000;

/** So long an api waits for Redis before it takes requests, milliseconds. Then it goes on without: uploads can wait, operators' calls can't. */
const connectingPatience = 1_000;

/** A role at work. */
export interface Running {
	/** Where it can be reached, for those that listen. */
	readonly address?: string;
	/** Whether whoever calls it needs a key. */
	readonly needsKey?: boolean;
	/** Finishes what is under way, then closes everything. */
	stop(): Promise<void>;
}

/** Receives, shows and serves pictures. Starts without Redis too: uploads are accepted and queued later. */
export async function startApi(config: Config, log: Logger): Promise<Running> {
	const [
		{ buildApi },
		{ openQueues },
		{ listenToPictures, listenToRenders },
		{ openLimiter },
		{ openPressure },
		{ openLeases },
		{ openIdempotencyRecords },
		{ openUploadLocks },
		{ openWebhooks },
		{ openAttempts },
		{ openMetrics },
		{ openRenders },
		{ openMemoryCache },
		{ openRenderUse },
	] = await Promise.all([
		import('./api/server.ts'),
		import('./queue/queues.ts'),
		import('./queue/events.ts'),
		import('./access/limiter.ts'),
		import('./intake/pressure.ts'),
		import('./access/leases.ts'),
		import('./intake/idempotency.ts'),
		import('./api/tus/upload-locks.ts'),
		import('./webhooks/webhooks.ts'),
		import('./queue/attempts.ts'),
		import('./observe/metrics.ts'),
		import('./delivery/single-flight.ts'),
		import('./delivery/memory-cache.ts'),
		import('./catalog/render-use.ts'),
	]);
	const storage = openStorage(config.storage);
	const keys = openKeys(config, storage, log);
	if (isLoopback(config.host))
		await keys.isNeeded().catch(() => {}); // Whoever comes first is told.
	else await requireKey(settings.host.variable, config.host, settings.apiKeys.variable, () => keys.isNeeded(), log);
	const assets = await openAssets(config, storage);
	const recipeBook = await openRecipes(config, assets, log);
	const redis = connect(config, 'producer', log);
	const eventsRedis = connect(config, 'worker', log);
	const catalog = openCatalog(redis, config.redisPrefix);
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
	const limiter = openLimiter(redis, config.redisPrefix);
	const pressure = openPressure({ ...config, redis, queues, storage, log });
	const idempotency = openIdempotencyRecords(storage, config.idempotencySeconds);
	const underWay = openLeases(redis, `${config.redisPrefix}:idempotency`, leaseTime);
	const uploads = {
		locks: openUploadLocks(openLeases(redis, `${config.redisPrefix}:uploads`, uploadLease)),
		outcomes: openIdempotencyRecords(storage, config.resumableSeconds),
	};
	const webhooks = openWebhooks(config, { redis, storage, queues, log });
	const stopping = new AbortController();
	const access = { stopping: stopping.signal, keys, limiter, pressure, idempotency, underWay, uploads };
	const app = buildApi({
		config,
		storage,
		redis,
		catalog,
		queues,
		events,
		recipeBook,
		log,
		assets,
		webhooks,
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
			memory: openMemoryCache({ megabytes: config.deliveryMegabytes, seconds: config.deliveryRemember }),
		},
		...access,
	});
	await connected(redis, connectingPatience);
	const place = { host: config.host, port: config.port, variable: 'PICPIPE_PORT' } as const;
	const listening = await listen(app, place, { ...config, asksForBodies: true });
	log.info({ address: listening.address, storage: storage.description }, 'api listens');
	return {
		address: listening.address,
		needsKey: keys.wasNeeded !== false,
		async stop() {
			stopping.abort();
			await sleep(config.drainSeconds * 1_000);
			recipeBook.close();
			await Promise.all([uploads.locks.interruptAll(), listening.close()]);
			limiter.close();
			underWay.close();
			uploads.locks.close();
			// A connection that is just coming back may never finish closing, and nobody needs it any more.
			await Promise.race([
				closeQuietly(log, [() => events.close(), () => endings.close(), () => queues.close()]),
				sleep(closingPatience),
			]);
			redis.disconnect();
			eventsRedis.disconnect();
		},
	};
}

async function connected(redis: Redis, milliseconds: number): Promise<void> {
	if (redis.status === 'ready') return;
	const late = new AbortController();
	await Promise.race([once(redis, 'ready', late), sleep(milliseconds, undefined, late)]).catch(() => {});
	late.abort();
}

/** Takes jobs and does them. */
export async function startWorker(config: Config, log: Logger): Promise<Running> {
	const [
		{ startImagingPool },
		{ startWorkers },
		{ openQueues },
		{ fetchLimitsOf },
		{ openWebhooks },
		{ openAttempts },
		{ openRenderUse },
	] = await Promise.all([
		import('./imaging/scheduler.ts'),
		import('./worker/worker.ts'),
		import('./queue/queues.ts'),
		import('./intake/fetch.ts'),
		import('./webhooks/webhooks.ts'),
		import('./queue/attempts.ts'),
		import('./catalog/render-use.ts'),
	]);
	const storage = openStorage(config.storage);
	const redis = connect(config, 'worker', log);
	const catalog = openCatalog(redis, config.redisPrefix);
	const queues = openQueues(redis, queuesOptions(config));
	const pool = startImagingPool(imagingOptions(config, log));
	const assets = await openAssets(config, storage);
	const webhooks = openWebhooks(config, { redis, storage, queues, log });
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
			assets,
			renderFrom: config.renderFrom,
			renderUse: openRenderUse({ redis, prefix: config.redisPrefix, storage, megabytes: config.renderMegabytes }),
			fetching: fetchLimitsOf(config),
			receiving: { maxBytes: config.maxBytes, svg: svgLimitsOf(config) },
			abandonedSeconds: config.abandonedSeconds,
			batchSeconds: config.batchSeconds,
			// What became of uploads lies there too.
			idempotencySeconds: Math.max(config.idempotencySeconds, config.resumableSeconds),
			resumableSeconds: config.resumableSeconds,
			sweepSeconds: config.sweepSeconds,
			log,
		},
		{
			prefix: config.redisPrefix,
			imagingProcesses: config.imagingProcesses,
			fetchConcurrency: config.fetchConcurrency,
			fetchRetrySeconds: config.fetchRetrySeconds,
			webhookRetrySeconds: config.webhookRetrySeconds,
			sweepSeconds: config.sweepSeconds,
		},
	);
	log.info({ imagingProcesses: config.imagingProcesses, storage: storage.description }, 'worker takes jobs');
	return {
		async stop() {
			await closeQuietly(log, [() => worker.close(), () => pool.stop(), () => queues.close()]);
			redis.disconnect();
		},
	};
}

/** Shows the queues. */
export async function startArena(config: Config, log: Logger): Promise<Running> {
	const { openArena } = await import('./arena/arena.ts');
	const keys = openKeys(config, openStorage(config.storage), log);
	const { arenaHost: host, arenaPassword: password } = config;
	if (!isLoopback(host) && password === undefined) {
		const { arenaHost, arenaPassword } = settings;
		await requireKey(arenaHost.variable, host, arenaPassword.variable, () => keys.hasAdmin(), log);
	}
	const redis = connect(config, 'producer', log);
	const arena = await openArena({
		...queuesOptions(config),
		host,
		port: config.arenaPort,
		user: config.arenaUser,
		password,
		keys,
		redis,
		log,
	});
	log.info({ address: arena.address }, 'arena listens');
	return {
		address: arena.address,
		async stop() {
			await closeQuietly(log, [() => arena.close()]);
			redis.disconnect();
		},
	};
}

/** Takes in what comes to lie in a folder. Goes on without Redis, as uploads do. */
export async function startWatch(config: Config, log: Logger): Promise<Running> {
	const watch = await openWatch(config, log);
	const stopping = new AbortController();
	const ended = watch.run({ isOnce: false, stopping: stopping.signal });
	return {
		async stop() {
			stopping.abort();
			await ended;
			await watch.close();
		},
	};
}

/** Takes in what lies in a folder now. @param stopping ends it early */
export async function watchOnce(config: Config, log: Logger, stopping: AbortSignal): Promise<WatchCounts> {
	const watch = await openWatch(config, log);
	try {
		return await watch.run({ isOnce: true, stopping });
	} finally {
		await watch.close();
	}
}

/** @throws ConfigError for a folder that can't be watched, and for a recipe that is not there */
async function openWatch(config: Config, log: Logger) {
	const [
		{ watchFolder },
		{ openQueues },
		{ openLedger },
		{ findWatchFolder },
		{ takeExclusiveLease },
		{ openLeases },
		{ openPressure },
	] = await Promise.all([
		import('./watch/watch.ts'),
		import('./queue/queues.ts'),
		import('./watch/ledger.ts'),
		import('./watch/place.ts'),
		import('./access/leases.ts'),
		import('./access/leases.ts'),
		import('./intake/pressure.ts'),
	]);
	const storage = openStorage(config.storage);
	const folder = await findWatchFolder(config, storage);
	const assets = await openAssets(config, storage);
	const recipeBook = await openRecipes(config, assets, log);
	const name = config.watchRecipe ?? config.defaultRecipe;
	const recipe = () => recipeBook.recipes.get(name);
	const first = recipe();
	if (!first) {
		recipeBook.close();
		const known = [...recipeBook.recipes.keys()].join(', ');
		throw new ConfigError([`${settings.watchRecipe.variable}: expected one of ${known} but received "${name}"`]);
	}
	const redis = connect(config, 'producer', log);
	const catalog = openCatalog(redis, config.redisPrefix);
	const queues = openQueues(redis, queuesOptions(config));
	const leases = openLeases(redis, `${config.redisPrefix}:watch`, leaseTime);
	const context = {
		storage,
		catalog,
		queues,
		assets,
		folder,
		ledger: openLedger(storage, folder),
		// One that was taken out of the recipes file stays as it was for the files that are still to come.
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
			const isOthers = () => log.info({ folder }, 'Another process watches this folder; waiting until it has ended');
			const leave = await takeExclusiveLease(redis, leases, folder, { stopping: how.stopping, onWait: isOthers });
			log.info({ folder, files: config.watchThen, recipe: name }, `Watching ${folder}`);
			try {
				return await watchFolder(context, { ...options, ...how });
			} finally {
				leave();
			}
		},
		async close() {
			recipeBook.close();
			leases.close();
			await Promise.race([closeQuietly(log, [() => queues.close()]), sleep(closingPatience)]);
			redis.disconnect();
		},
	};
}

/** The API keys in the storage, to be made, listed and revoked. Needs no Redis. */
export async function openApiKeys(config: Config): Promise<ApiKeys> {
	const { addKey, listKeys, revokeKey } = await import('./access/key-store.ts');
	const storage = openStorage(config.storage);
	return {
		where: storage.description,
		add: (wishes) => addKey(storage, wishes),
		list: () => listKeys(storage),
		revoke: (id) => revokeKey(storage, id),
	};
}

/** Rebuilds the index in Redis from the manifests in storage. */
export async function reindex(config: Config, log: Logger): Promise<ReindexResult> {
	const redis = connect(config, 'worker', log);
	try {
		if (redis.status !== 'ready') await once(redis, 'ready');
		return await reindexCatalog(openStorage(config.storage), openCatalog(redis, config.redisPrefix));
	} finally {
		redis.disconnect();
	}
}

/** Queues pictures again with their recipes as they are now. @throws ConfigError */
export async function reprocess(
	config: Config,
	wanted: Pick<ReprocessOptions, 'recipe' | 'stale' | 'force'>,
	log: Logger,
	onProgress: Required<ReprocessOptions>['onProgress'],
): Promise<ReprocessCounts> {
	const [{ reprocess: queueAgain }, { openQueues }, { loadRecipes }] = await Promise.all([
		import('./intake/reprocess.ts'),
		import('./queue/queues.ts'),
		import('./pipeline/recipe/recipes.ts'),
	]);
	const recipes = await loadRecipes(config.recipesFile, config).catch(blameRecipesFile);
	if (wanted.recipe !== undefined && wanted.recipe !== inlineRecipeName && !recipes.has(wanted.recipe)) {
		const known = [...recipes.keys()].join(', ');
		throw new ConfigError([`--recipe: expected one of ${known} but received "${wanted.recipe}"`]);
	}
	const redis = connect(config, 'worker', log);
	const queues = openQueues(redis, queuesOptions(config));
	try {
		if (redis.status !== 'ready') await once(redis, 'ready');
		const storage = openStorage(config.storage);
		const assets = await openAssets(config, storage);
		const to = { storage, catalog: openCatalog(redis, config.redisPrefix), queues, assets };
		return await queueAgain(to, { ...wanted, recipes, log, onProgress });
	} finally {
		await closeQuietly(log, [() => queues.close()]);
		redis.disconnect();
	}
}

function openKeys(config: Config, storage: Storage, log: Logger): KeyRing {
	return openKeyRing(storage, { settingKeys: config.apiKeys, seconds: config.keysSeconds, log });
}

/**
 * Nothing listens beyond this machine without a key. A storage that can't be read yet is no reason not to start: until it can, nobody
 * but the keys of the setting gets in.
 *
 * @throws ConfigError
 */
async function requireKey(
	variable: string,
	host: string,
	alternative: string,
	isThere: () => Promise<boolean>,
	log: Logger,
): Promise<void> {
	const found = await isThere().catch((err) => {
		log.warn({ err }, 'the API keys in the storage cannot be read; only keys of the setting are taken until they can');
		return true;
	});
	if (found) return;
	throw new ConfigError([
		`${variable}: expected an API key with the scope "admin" or ${alternative} because ${host} is reachable from other machines, but received neither; \`picpipe keys add\` makes a key`,
	]);
}

async function openAssets(config: Config, storage?: Storage): Promise<AssetFinder> {
	const { openAssets: open } = await import('./intake/assets.ts');
	return open({ folder: config.assetsFolder, maxBytes: config.maxBytes, ...(storage && { storage }) });
}

function blameRecipesFile(error: unknown): never {
	if (!(error instanceof PicpipeError) || error.code !== 'invalid-recipe') throw error;
	throw new ConfigError([`${settings.recipesFile.variable}: ${error.message}`]);
}

/** @throws ConfigError for a recipes file that is not valid, and for a default recipe that is not there */
async function openRecipes(config: Config, assets: AssetFinder, log: Logger): Promise<RecipeBook> {
	const [{ openRecipeBook }, { problemsOfPresets }] = await Promise.all([
		import('./pipeline/recipe/recipe-book.ts'),
		import('./delivery/check-presets.ts'),
	]);
	const book = await openRecipeBook({
		file: config.recipesFile,
		limits: config,
		defaultRecipe: config.defaultRecipe,
		checkPresets: problemsOfPresets,
		onChange(change) {
			if ('problem' in change)
				log.error(change, 'the recipes file was changed and is refused; the recipes stay as they were');
			else {
				log.info(change, 'the recipes file was changed and is taken over');
				tellOfMissing();
			}
		},
	}).catch(blameRecipesFile);
	// Only told: a file may come later, or be on the workers' machines alone.
	const tellOfMissing = () => {
		for (const { name, definition } of book.recipes.values()) {
			assets.find(definition).catch((err) => log.warn({ err, recipe: name }, 'a recipe uses what is not there'));
		}
	};
	tellOfMissing();
	if (!book.recipes.has(config.defaultRecipe)) {
		book.close();
		const known = [...book.recipes.keys()].join(', ');
		throw new ConfigError([
			`${settings.defaultRecipe.variable}: expected one of ${known} but received "${config.defaultRecipe}"`,
		]);
	}
	return book;
}

function imagingOptions(config: Config, log: Logger) {
	return {
		processes: config.imagingProcesses,
		sharpThreads: config.sharpThreads,
		megapixelsInFlight: config.megapixelsInFlight,
		imagingMegabytes: config.imagingMegabytes,
		imagingPictures: config.imagingPictures,
		keptMegabytes: config.keptMegabytes,
		pictureSeconds: config.pictureSeconds,
		storage: config.storage,
		limits: {
			maxMegapixels: config.maxMegapixels,
			maxDimension: config.maxDimension,
			maxFrames: config.maxFrames,
			maxOutputDimension: config.maxOutputDimension,
			svg: svgLimitsOf(config),
		},
		log,
	};
}

/**
 * Makes a recipe's variants of files on this machine: the same engine, no queue and no server.
 *
 * @returns the exit code: 0 all made, 1 some failed
 * @throws ConfigError
 */
export async function processFiles(
	config: Config,
	wanted: Pick<ProcessCommand, 'paths' | 'out'> & { readonly recipe?: string },
	log: Logger,
): Promise<number> {
	const [{ startImagingPool }, { runProcessCommand }, { loadRecipes }] = await Promise.all([
		import('./imaging/scheduler.ts'),
		import('./files/command.ts'),
		import('./pipeline/recipe/recipes.ts'),
	]);
	const recipes = await loadRecipes(config.recipesFile, config).catch(blameRecipesFile);
	const name = wanted.recipe ?? config.defaultRecipe;
	const recipe = recipes.get(name);
	if (!recipe)
		throw new ConfigError([`--recipe: expected one of ${[...recipes.keys()].join(', ')} but received "${name}"`]);
	try {
		return await runProcessCommand({
			...wanted,
			recipe: recipe.definition,
			assets: await (await openAssets(config)).find(recipe.definition),
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

/**
 * Uploads to a running api.
 *
 * @returns the exit code: 0 all accepted, 1 some were not, 2 nothing could be begun or no further file would fare better, 130 interrupted
 */
export async function uploadFiles(config: Config, wanted: Omit<UploadCommand, 'key'>): Promise<number> {
	const { runUploadCommand, isUploadError } = await import('./client/command.ts');
	try {
		return await runUploadCommand({ ...wanted, key: config.apiKey });
	} catch (error) {
		if (!isUploadError(error)) throw error;
		process.stderr.write(`${error.message}\n`);
		return 2;
	}
}

function redisUrlOf(config: Config): string {
	if (config.redisUrl === undefined) {
		throw new ConfigError([
			'REDIS_URL: expected a Redis to use but received none; `picpipe start` runs one of its own',
		]);
	}
	return config.redisUrl;
}

function queuesOptions(config: Config) {
	const { redisPrefix: prefix, attempts, retryDelay, renderQueue } = config;
	return { prefix, attempts, retryDelay, renderQueue };
}

/** Connects, tells when Redis goes and comes back, and refuses a Redis that is too old as soon as it answers. */
function connect(config: Config, use: ConnectionUse, log: Logger): Redis {
	const redis = connectRedis(redisUrlOf(config), use);
	let lastTrouble = '';
	redis.on('error', (err: Error) => {
		// Said once, not with every of the many tries to reconnect.
		if (err.message !== lastTrouble)
			log.warn({ err: { message: err.message } }, 'Redis cannot be reached; trying again');
		lastTrouble = err.message;
	});
	redis.on('ready', () => {
		if (lastTrouble) log.info('Redis is back');
		lastTrouble = '';
		checkServer(redis, log).catch((err) => log.warn({ err }, 'Redis could not be asked for its version'));
	});
	return redis;
}

/** Redis may be replaced while we run, so every new connection is looked at. */
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
			'Redis may throw jobs away when its memory is full: set its maxmemory-policy to noeviction',
		);
	}
}

async function closeQuietly(log: Logger, closers: readonly (() => Promise<void>)[]): Promise<void> {
	for (const close of closers) await close().catch((err) => log.warn({ err }, 'trouble while stopping'));
}
