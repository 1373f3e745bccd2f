import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { inject } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { type ReindexResult, reindex } from '../../src/catalog/reindex.ts';
import { openRenderUse } from '../../src/catalog/render-use.ts';
import { type Config, readConfig } from '../../src/config/index.ts';
import { openUnfinishedUploads } from '../../src/intake/unfinished-uploads.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { startApi } from '../../src/roles/api.ts';
import type { Running } from '../../src/roles/connections.ts';
import { startWorker } from '../../src/roles/worker.ts';
import { openStorage } from '../../src/storage/index.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { openWebhooks } from '../../src/webhooks/publish.ts';
import { openFirstSeen } from '../../src/worker/first-seen.ts';
import { type SweepResult, sweep } from '../../src/worker/sweep.ts';
import { temporaryFolder } from './folder.ts';
import { freshPrefix } from './redis.ts';
import { endWithTest } from './shared.ts';

/** An API in this process, on a free port, with its own storage, Redis prefix and logger. */
export interface TestApi {
	readonly url: string;
	readonly config: Config;
	readonly storage: Storage;
	/** Every key in storage, including leftovers of killed or failed writes. */
	keys(): Promise<string[]>;
	startWorker(): Promise<Running>;
	/** Runs a sweep now. */
	sweep(): Promise<SweepResult>;
	/** Rebuilds the index. */
	reindex(): Promise<ReindexResult>;
	/** Loses the whole index, as a wiped Redis would, but not the queues. */
	loseIndex(): Promise<void>;
}

/** Silent, unless a test is being debugged. */
const logLevel = process.env.TEST_LOG_LEVEL ?? 'silent';

export async function startTestApi(environment: Record<string, string> = {}): Promise<TestApi> {
	const config = readConfig({
		PICPIPE_DATA: await temporaryFolder(),
		PICPIPE_PORT: '0',
		PICPIPE_REDIS_PREFIX: freshPrefix(),
		// Each takes half a second of CPU to start.
		PICPIPE_IMAGING_PROCESSES: '1',
		PICPIPE_RETRY_DELAY: '50',
		PICPIPE_LOG_LEVEL: logLevel,
		REDIS_URL: inject('redisUrl'),
		...environment,
	});
	const api = await startApi(config, createLogger('api', config.logLevel));
	endWithTest(() => api.stop());
	const storage = openStorage(config.storage);
	const firstSeen = openFirstSeen();
	return {
		url: api.address ?? '',
		config,
		storage,
		async keys() {
			const keys: string[] = [];
			for (const folder of ['pictures/', 'pending/']) {
				for await (const key of storage.list(folder, { temporary: true })) keys.push(key);
			}
			return keys;
		},
		async startWorker() {
			const worker = await startWorker(config, createLogger('worker', config.logLevel));
			endWithTest(() => worker.stop());
			return worker;
		},
		sweep: () =>
			withRedis(config, (redis) => {
				const catalog = openCatalog(redis, config.redisPrefix);
				const queues = openQueues(redis, { ...config, prefix: config.redisPrefix });
				const log = createLogger('worker', config.logLevel);
				const webhooks = openWebhooks(config, { redis, storage, queues, log });
				const { publisher } = webhooks;
				const renderUse = openRenderUse({
					redis,
					prefix: config.redisPrefix,
					storage,
					megabytes: config.renderMegabytes,
				});
				const unfinished = openUnfinishedUploads(redis, config.redisPrefix, config.maxBytes);
				return sweep({
					...config,
					storage,
					catalog,
					queues,
					webhooks,
					publisher,
					renderUse,
					unfinished,
					log,
					firstSeen,
				});
			}),
		reindex: () => withRedis(config, (redis) => reindex(storage, openCatalog(redis, config.redisPrefix))),
		loseIndex: () =>
			withRedis(config, async (redis) => {
				await redis.del(await redis.keys(`${config.redisPrefix}:catalog:*`));
			}),
	};
}

/** As `startTestApi`, with a worker. */
export async function startTestApiWithWorker(environment: Record<string, string> = {}): Promise<TestApi> {
	const api = await startTestApi(environment);
	await api.startWorker();
	return api;
}

async function withRedis<T>(config: Config, work: (redis: Redis) => Promise<T>): Promise<T> {
	const redis = connectRedis(config.redisUrl ?? '', 'worker');
	try {
		await once(redis, 'ready');
		return await work(redis);
	} finally {
		redis.disconnect();
	}
}

/** The body of a response. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export async function json(response: Response): Promise<any> {
	return response.json();
}

/** A form with these files; fields are pairs, so that they can repeat. */
export function form(
	files: readonly (readonly [name: string, bytes: Buffer])[],
	...fields: [string, string][]
): FormData {
	const body = new FormData();
	for (const [name, bytes] of files) body.append('file', new Blob([new Uint8Array(bytes)]), name);
	for (const [name, value] of fields) body.append(name, value);
	return body;
}

/** The picture as the API shows it once it is finished. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export async function untilFinished(api: Pick<TestApi, 'url'>, id: string, milliseconds = 30_000): Promise<any> {
	for (const end = Date.now() + milliseconds; ; await sleep(20)) {
		const picture = await json(await fetch(`${api.url}/v1/pictures/${id}`));
		if (picture.state === 'ready' || picture.state === 'failed') return picture;
		if (Date.now() > end) throw new Error(`Not finished after ${milliseconds} ms: ${JSON.stringify(picture)}`);
	}
}

/** Waits until no job waits or runs. */
export async function untilIdle(api: TestApi, milliseconds = 30_000): Promise<void> {
	for (const end = Date.now() + milliseconds; ; await sleep(20)) {
		const { queues } = await json(await fetch(`${api.url}/v1/queues`));
		const { waiting, prioritized, active, delayed } = queues[0].counts;
		if (waiting + prioritized + active + delayed === 0) return;
		if (Date.now() > end) throw new Error(`Not idle after ${milliseconds} ms: ${JSON.stringify(queues[0])}`);
	}
}
