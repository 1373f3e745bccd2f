import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../helpers/api.ts';
import { quickRecipe, startForFaults, type UnderFault, until } from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { type PrivateRedis, startRedis } from '../helpers/redis.ts';
import { shortOrLong } from '../helpers/thoroughness.ts';

/** Pictures that wait when the fault happens. */
const waiting = shortOrLong(150, 5_000);

async function small(count: number): Promise<Buffer[]> {
	const bytes = await photograph({ width: 64, height: 48 });
	return Array.from({ length: count }, (_, at) => withComment(bytes, `number ${at}`));
}

async function waitingOf(api: string): Promise<number> {
	const { queues } = await json(await fetch(`${api}/v1/queues`));
	return queues[0].counts.waiting;
}

interface Running {
	readonly picpipe: UnderFault;
	readonly redis: PrivateRedis;
}

const faults: [name: string, fault: (running: Running) => Promise<void>][] = [
	[
		'Redis is killed and restarted with its data',
		async ({ redis }) => {
			await redis.kill9();
			await redis.restart();
		},
	],
	[
		'Redis loses everything',
		async ({ redis }) => {
			await redis.wipe();
			await redis.restart();
		},
	],
	[
		'Redis loses lists and sets, and keeps the jobs',
		async ({ redis }) => {
			const client = new Redis(redis.url.replace('unix://', ''));
			onTestFinished(() => client.disconnect());
			const keys = await client.keys('*:backlog:pictures:*');
			const lost = keys.filter((key) => !/:(jobs|taken)$/.test(key));
			await client.del(...lost, ...(await client.keys('*:pictures:wait')));
		},
	],
	[
		'Redis loses the jobs, and keeps lists and sets',
		async ({ redis }) => {
			const client = new Redis(redis.url.replace('unix://', ''));
			onTestFinished(() => client.disconnect());
			await client.del(...(await client.keys('*:backlog:pictures:jobs')));
		},
	],
	[
		'the worker and the API are killed',
		async ({ picpipe }) => {
			const from = picpipe.lines.length;
			for (const role of ['worker', 'api'] as const) process.kill(picpipe.pidOf(role), 'SIGKILL');
			await picpipe.waitFor((line) => line.msg === 'worker is taking jobs', from);
		},
	],
];

describe('with many pictures waiting', () => {
	it.each(faults)('%s: every picture ends ready', { timeout: 400_000 }, async (_name, fault) => {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		const picpipe = await startForFaults({ ...quickRecipe, REDIS_URL: redis.url });
		const { api, data } = await picpipe.ready();
		await fetch(`${api}/v1/queues/pictures/pause`, { method: 'POST' });
		const ledger = new Ledger();
		await ledger.uploadAll(api, await small(waiting));
		expect(ledger.refused).toEqual([]);
		expect(await waitingOf(api)).toBe(waiting);
		await fetch(`${api}/v1/queues/pictures/resume`, { method: 'POST' });
		await until('some are done', async () => (await waitingOf(api)) < waiting - 20);
		await fault({ picpipe, redis });
		await ledger.untilFinished(`file:${data}`, 300_000);
		await ledger.expectWhole(`file:${data}`);
		await until('nothing waits any more', async () => (await waitingOf(api).catch(() => 1)) === 0);
	});
});
