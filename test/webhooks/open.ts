import type { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { openFileStorage } from '../../src/storage/fs.ts';
import { makeEndpoint } from '../../src/webhooks/endpoint.ts';
import { writeEndpoint } from '../../src/webhooks/endpoint-store.ts';
import { pictureEvent, type WebhookEvent } from '../../src/webhooks/event.ts';
import { openWebhooks, type Webhooks } from '../../src/webhooks/publish.ts';
import { connected } from '../helpers/connection.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { webhooksToHere } from '../helpers/sink.ts';

export interface Opened extends Webhooks {
	readonly redis: Redis;
	/** What its keys in Redis begin with. */
	readonly prefix: string;
	/** Every key below `webhooks/`, of messages alone. */
	messages(): Promise<string[]>;
}

/** Webhooks with a storage and a Redis prefix of their own, and no worker. */
export async function openForTest(environment: Record<string, string> = {}): Promise<Opened> {
	const redisPrefix = freshPrefix();
	const config = readConfig({ ...webhooksToHere, PICPIPE_REDIS_PREFIX: redisPrefix, ...environment });
	const redis = await connected();
	const queues = openQueues(redis, { prefix: redisPrefix, attempts: 5, retryDelay: 50 });
	onTestFinished(() => queues.close());
	const storage = openFileStorage(await temporaryFolder());
	const log = createLogger('worker', process.env.TEST_LOG_LEVEL ?? 'silent');
	return {
		...openWebhooks(config, { redis, storage, queues, log }),
		redis,
		prefix: redisPrefix,
		async messages() {
			const keys: string[] = [];
			for (const folder of ['webhooks/outbox/', 'webhooks/failed/'])
				for await (const key of storage.list(folder, { temporary: true })) keys.push(key.slice('webhooks/'.length));
			return keys.sort();
		},
	};
}

/** An endpoint in the storage. */
export async function addEndpoint(to: Webhooks, url: string, secret?: string): Promise<string> {
	const record = makeEndpoint({ url }, secret);
	await writeEndpoint(to.storage, record);
	return record.id;
}

/** A picture that is ready. */
export function readyEvent(change: Parameters<typeof makePicture>[0] = {}): WebhookEvent {
	return pictureEvent(makePicture({ state: 'ready', revision: 2, ...change }));
}
