import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { newBatchId } from '../../src/domain/batch.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { openFileStorage } from '../../src/storage/fs.ts';
import { batchEvent } from '../../src/webhooks/event.ts';
import { openWebhooks } from '../../src/webhooks/publish.ts';
import { json } from '../helpers/api.ts';
import { connected } from '../helpers/connection.ts';
import { startForFaults, type UnderFault, until } from '../helpers/faults.ts';
import { type PrivateRedis, startRedis } from '../helpers/redis.ts';
import { says } from '../helpers/remote.ts';
import { type Sink, secret, startSink, webhooksToHere } from '../helpers/sink.ts';
import { shortOrLong } from '../helpers/thoroughness.ts';

const count = shortOrLong(300, 3_000);
const perEndpoint = 4;
const patience = shortOrLong(60_000, 300_000);

interface Running {
	readonly redis: PrivateRedis;
	readonly picpipe: UnderFault;
	readonly api: string;
	/** Publishes so many events, one after the other, and returns the ids of what they are about. */
	publish(count: number): Promise<string[]>;
	/** Messages that wait for their receiver. */
	waiting(): Promise<number>;
}

async function start(environment: Record<string, string>): Promise<Running> {
	const redis = await startRedis();
	onTestFinished(() => redis.stop());
	const settings = {
		REDIS_URL: redis.url,
		PICPIPE_WEBHOOK_SECRETS: secret(),
		PICPIPE_WEBHOOK_SECONDS: '300',
		PICPIPE_WEBHOOK_ENDPOINT_CONCURRENCY: String(perEndpoint),
		PICPIPE_SWEEP_SECONDS: '60',
		...environment,
	};
	const picpipe = await startForFaults(settings);
	const { api, data } = await picpipe.ready();
	const config = readConfig({ ...webhooksToHere, PICPIPE_WEBHOOK_URL: picpipe.sink.url, ...settings });
	return {
		redis,
		picpipe,
		api,
		async publish(many) {
			const connection = await connected('producer', redis.url);
			const queues = openQueues(connection, {
				prefix: config.redisPrefix,
				attempts: 1,
				retryDelay: 1,
				webhookEndpointConcurrency: perEndpoint,
			});
			onTestFinished(() => queues.close().catch(() => {}));
			const storage = openFileStorage(join(data));
			const log = createLogger('worker', 'silent');
			const { publisher } = openWebhooks(config, { redis: connection, storage, queues, log });
			const at = new Date().toISOString();
			const ids: string[] = [];
			for (let number = 0; number < many; number++) {
				const id = newBatchId();
				ids.push(id);
				await publisher.publish(batchEvent({ version: 1, id, createdAt: at }, { version: 1, at, ready: 0, failed: 0 }));
			}
			return ids;
		},
		async waiting() {
			const { queues } = await json(await fetch(`${api}/v1/queues`));
			return queues.find(({ name }: { name: string }) => name === 'webhooks').counts.waiting;
		},
	};
}

/** A receiver that hangs, and how many requests it has open. */
function hang(sink: Sink): { open: number; most: number } {
	const requests = { open: 0, most: 0 };
	sink.answer((_request, response) => {
		requests.open++;
		requests.most = Math.max(requests.most, requests.open);
		response.once('close', () => requests.open--);
	});
	return requests;
}

/** The subjects of all messages, each once, in the order of their first arrival. */
function subjects({ received }: Sink): string[] {
	return [...new Set(received.map(({ message }) => message.data.id as string))];
}

describe('messages for a receiver that hangs', () => {
	it('wait at no cost, and are all delivered although the worker is killed (-9) and Redis loses everything', {
		timeout: 200_000 + 3 * patience,
	}, async () => {
		const { redis, picpipe, publish, waiting } = await start({});
		const { sink } = picpipe;
		const requests = hang(sink);
		const ids = await publish(count);
		await until('as many are under way as allowed', () => requests.open === perEndpoint);
		expect(await waiting()).toBe(count - perEndpoint);
		expect(subjects(sink), 'the oldest first').toEqual(ids.slice(0, perEndpoint));

		const observer = await connected('producer', redis.url);
		const commands = async () => {
			const stats = await observer.info('commandstats');
			return [...stats.matchAll(/^cmdstat_\S+?:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0);
		};
		const before = await commands();
		const seconds = 4;
		await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
		// What all processes do when nothing happens. It was thousands when jobs were taken and put back.
		expect(((await commands()) - before) / seconds).toBeLessThan(150);

		process.kill(picpipe.pidOf('worker'), 'SIGKILL');
		await until('the next worker delivers', () => sink.received.length >= 2 * perEndpoint, 60_000);
		expect(requests.most).toBe(perEndpoint);
		await redis.wipe();
		sink.answer(says(204));
		await redis.restart();
		await until('all are delivered', () => subjects(sink).length === count, patience + 90_000);
		expect(new Set(subjects(sink))).toEqual(new Set(ids));
		expect(new Set(sink.received.map(({ id }) => id)).size, 'each has one id').toBe(count);
		await until('none waits', async () => (await waiting()) === 0);
	});

	it('delay none of those for 99 other endpoints', { timeout: 200_000 + patience }, async () => {
		const { api, picpipe, publish } = await start({});
		const dead = picpipe.sink;
		const alive = await startSink();
		const create = async (url: string) => {
			const response = await fetch(`${api}/v1/webhooks`, {
				method: 'POST',
				headers: { 'content-type': 'application/json' },
				body: JSON.stringify({ url }),
			});
			expect(response.status).toBe(201);
		};
		for (let number = 0; number < 99; number++) await create(`${alive.url}/${number}`);
		const requests = hang(dead);
		const events = shortOrLong(10, 30);
		const ids = await publish(events);
		await until('the others have all', () => alive.received.length >= 99 * events, patience);
		const came = new Set(alive.received.map(({ path, message }) => `${path} ${message.data.id}`));
		expect(came.size, 'each event at each endpoint').toBe(99 * events);
		expect(new Set(subjects(alive))).toEqual(new Set(ids));
		expect(requests).toEqual({ open: perEndpoint, most: perEndpoint });
		expect(dead.received).toHaveLength(perEndpoint);
	});
});
