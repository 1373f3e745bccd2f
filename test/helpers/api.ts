import { inject, onTestFinished } from 'vitest';
import { type Running, startApi, startWorker } from '../../src/app.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openStorage } from '../../src/storage/index.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { temporaryFolder } from './folder.ts';
import { freshPrefix } from './redis.ts';

/** An api in this process, on a free port, with storage, Redis prefix and logger of its own. */
export interface TestApi {
	readonly url: string;
	readonly config: Config;
	readonly storage: Storage;
	/** Every key in storage, what killed or failed writes have left included. */
	keys(): Promise<string[]>;
	startWorker(): Promise<Running>;
}

/** Silent, unless a test is to be watched. */
const logLevel = process.env.TEST_LOG_LEVEL ?? 'silent';

export async function startTestApi(environment: Record<string, string> = {}): Promise<TestApi> {
	const config = readConfig({
		PICPIPE_DATA: await temporaryFolder(),
		PICPIPE_PORT: '0',
		PICPIPE_REDIS_PREFIX: freshPrefix(),
		PICPIPE_RETRY_DELAY: '50',
		PICPIPE_LOG_LEVEL: logLevel,
		REDIS_URL: inject('redisUrl'),
		...environment,
	});
	const api = await startApi(config, createLogger('api', config.logLevel));
	onTestFinished(() => api.stop());
	const storage = openStorage(config.storage);
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
			onTestFinished(() => worker.stop());
			return worker;
		},
	};
}

/** The body of an answer, whatever it holds. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export async function json(response: Response): Promise<any> {
	return response.json();
}

/** A form with these files, and fields given as pairs so that they can repeat. */
export function form(
	files: readonly (readonly [name: string, bytes: Buffer])[],
	...fields: [string, string][]
): FormData {
	const body = new FormData();
	for (const [name, bytes] of files) body.append('file', new Blob([new Uint8Array(bytes)]), name);
	for (const [name, value] of fields) body.append(name, value);
	return body;
}
