import { DelayedError, type Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDeliveries, openDeliveryList, type ReceiverState } from '../../src/queue/deliveries/deliveries.ts';
import { type DeliverJob, deliverJob, deliverJobId } from '../../src/queue/jobs.ts';
import { openQueues, type Queues } from '../../src/queue/queues.ts';
import { connected } from '../helpers/connection.ts';
import { freshPrefix } from '../helpers/redis.ts';

/** Most deliveries of a receiver under way. */
const most = 4;
const patience = { timeout: 20_000 };

interface Opened {
	readonly redis: Redis;
	readonly prefix: string;
	readonly queues: Queues;
	/** Offers messages, numbered from `first`, each a second younger than the one before. */
	offer(endpoint: string, count: number, first?: number, attempts?: number): Promise<DeliverJob[]>;
	/** Delivers as a worker does. */
	work(concurrency: number, send: (job: DeliverJob) => Promise<ReceiverState> | ReceiverState): Promise<Worker>;
	waiting(): Promise<number>;
	inQueue(): Promise<string[]>;
	base: string;
}

function message(endpoint: string, number: number): DeliverJob {
	return deliverJob({ endpoint, messageId: `msg_${number}`, type: 'picture.ready', attemptsBefore: 0 });
}

async function open(): Promise<Opened> {
	const redis = await connected('worker');
	const prefix = freshPrefix();
	const queues = openQueues(redis, { prefix, attempts: 1, retryDelay: 1, webhookEndpointConcurrency: most });
	onTestFinished(() => queues.close());
	return {
		redis,
		prefix,
		queues,
		base: `${prefix}:backlog:webhooks:`,
		async offer(endpoint, count, first = 0, attempts = 3) {
			const jobs = Array.from({ length: count }, (_, at) => message(endpoint, first + at));
			const due = (at: number) => 1_000 * (first + at + 1);
			await Promise.all(
				jobs.map((job, at) => queues.deliveries.offer({ job, attempts, keepSeconds: 60, due: due(at) })),
			);
			return jobs;
		},
		async work(concurrency, send) {
			const deliveries = queues.deliveries.watch();
			const worker = new Worker<DeliverJob>(
				'webhooks',
				async (job: Job<DeliverJob>, token) => {
					if (!(await deliveries.begin(job.data))) {
						await job.moveToDelayed(Date.now() + 60_000, token);
						const attempts = (job.opts.attempts ?? 1) - job.attemptsMade;
						const data = { ...job.data, attemptsBefore: job.data.attemptsBefore + job.attemptsMade };
						await deliveries.park({ job: data, attempts, keepSeconds: 60 });
						throw new DelayedError();
					}
					const state = await send(job.data);
					await deliveries.end(job.data, state);
					if (state === 'silent') throw new Error('silent');
				},
				{ connection: redis, prefix, concurrency, settings: { backoffStrategy: () => 200 } },
			);
			worker.on('error', () => {});
			onTestFinished(async () => {
				deliveries.close();
				await worker.close(true);
			});
			return worker;
		},
		waiting: async () => (await queues.countWaiting('webhooks')).waiting,
		inQueue: async () => (await queues.byName.webhooks.getWaiting()).map(({ id = '' }) => id),
	};
}

/** What a receiver does that holds its requests until it is told to answer. */
function holding() {
	const held: (() => void)[] = [];
	let isOpen = false;
	return {
		held,
		hold: () => (isOpen ? undefined : new Promise<void>((resolve) => held.push(resolve))),
		open() {
			isOpen = true;
			for (const answer of held.splice(0)) answer();
		},
	};
}

describe('deliveries', () => {
	it('wait for their receiver, counted and listed, and only those under way are in the queue', async () => {
		const { redis, prefix, queues, offer, waiting, inQueue } = await open();
		const jobs = await offer('one', 50);
		await offer('other', 2);
		expect(await inQueue()).toHaveLength(most + 2);
		expect(await waiting()).toBe(52);
		const list = openDeliveryList(redis, prefix);
		expect(await list.count()).toBe(46);
		const listed = await list.list(10, 100);
		expect(listed.map(({ id }) => id)).toEqual(jobs.slice(most + 10).map(deliverJobId));
		expect(await list.read(deliverJobId(message('one', 20)))).toMatchObject({ data: message('one', 20) });
		await offer('one', 50);
		expect(await waiting(), 'offered twice').toBe(52);
		expect(await queues.deliveries.count()).toBe(46);
	});

	it('begin in the order of their age', async () => {
		const { offer, work, waiting } = await open();
		const jobs = await offer('one', 60);
		const begun: string[] = [];
		await work(1, ({ messageId }) => {
			begun.push(messageId);
			return 'answered';
		});
		await expect.poll(() => begun.length, patience).toBe(60);
		expect(begun).toEqual(jobs.map(({ messageId }) => messageId));
		await expect.poll(waiting, patience).toBe(0);
	});

	it('to 99 receivers are made while another one hangs, which has as many under way as allowed', async () => {
		const { offer, work, waiting } = await open();
		const receiver = holding();
		await offer('hangs', 100);
		const delivered: string[] = [];
		for (const _ of [0, 1]) {
			await work(most + 2, async ({ endpoint, messageId }): Promise<ReceiverState> => {
				if (endpoint === 'hangs') await receiver.hold();
				delivered.push(`${messageId}-${endpoint}`);
				return 'answered';
			});
		}
		for (let number = 0; number < 99; number++) await offer(`receiver${number}`, 3);
		await expect.poll(() => delivered.length, patience).toBe(297);
		expect(new Set(delivered).size).toBe(297);
		expect(receiver.held).toHaveLength(most);
		expect(await waiting()).toBe(100 - most);
		receiver.open();
		await expect.poll(() => delivered.length, patience).toBe(397);
		expect(new Set(delivered).size).toBe(397);
	});

	it('that wait cost no commands', async () => {
		const { redis, offer, work, waiting, base } = await open();
		const receiver = holding();
		await work(most + 2, async (): Promise<ReceiverState> => {
			await receiver.hold();
			return 'answered';
		});
		await offer('hangs', 300);
		await expect.poll(() => receiver.held.length, patience).toBe(most);
		await expect.poll(waiting, patience).toBe(300 - most);
		// Commands that others give to the same Redis do not name these keys.
		const watching = await redis.duplicate().monitor();
		onTestFinished(() => watching.disconnect());
		const seen: string[] = [];
		watching.on('monitor', (_time: string, args: string[]) => {
			if (args.some((one) => one.startsWith(base))) seen.push(args.join(' '));
		});
		await new Promise((resolve) => setTimeout(resolve, 3_000));
		// At most one check of the receiver's line.
		expect(seen.length).toBeLessThan(60);
		receiver.open();
		await expect.poll(waiting, patience).toBe(0);
	});

	it('that are tried again hold no place meanwhile, and overtake nothing that waits', async () => {
		const { offer, work, queues } = await open();
		const tried: string[] = [];
		const receiver = holding();
		let isDeaf = true;
		await offer('one', most);
		await work(10, async ({ messageId }): Promise<ReceiverState> => {
			tried.push(messageId);
			if (isDeaf) return 'silent';
			await receiver.hold();
			return 'answered';
		});
		await expect.poll(() => tried.length, patience).toBe(most);
		isDeaf = false;
		await offer('one', 10, 100);
		// It has not answered, so one is under way, and the retries that are due wait behind those that are waiting.
		await expect.poll(() => receiver.held.length, patience).toBe(1);
		const { webhooks } = queues.byName;
		await expect.poll(() => queues.deliveries.count(), patience).toBe(9 + most);
		expect(await webhooks.getJobCounts('waiting', 'delayed', 'active')).toMatchObject({ waiting: 0, delayed: 0 });
		receiver.open();
		await expect.poll(() => tried.length, patience).toBe(2 * most + 10);
		const again = tried.slice(most);
		expect(again[0]).toBe('msg_100');
		expect(new Set(again).size).toBe(most + 10);
		const [last] = (await webhooks.getCompleted()).filter(({ data }) => data.messageId === 'msg_0');
		expect(last?.data.attemptsBefore, 'attempts so far').toBe(1);
		expect(last?.opts.attempts).toBe(2);
	});

	it('go on after a process died between taking a delivery and adding its job', async () => {
		const { redis, prefix, base, offer, work, queues, inQueue } = await open();
		const dead = openDeliveries(redis, {
			prefix,
			perReceiver: most,
			add: () => Promise.reject(new Error('died')),
		});
		const jobs = Array.from({ length: most }, (_, at) => message('one', at));
		for (const [at, job] of jobs.entries()) await dead.offer({ job, attempts: 3, keepSeconds: 60, due: at + 1 });
		await offer('one', 20, 100);
		const ids = jobs.map(deliverJobId);
		expect(await inQueue()).toEqual([]);
		expect(await queues.deliveries.find(ids), 'on their way').toEqual(ids.map(() => true));
		const begun: string[] = [];
		await work(1, ({ messageId }) => {
			begun.push(messageId);
			return 'answered';
		});
		// As if it was long ago.
		for (const id of ids) await redis.zadd(`${base}slots:one`, 1, id);
		await redis.zadd(`${base}lines`, 1, 'one');
		await expect.poll(() => begun.length, patience).toBe(24);
		expect(begun.slice(0, most)).toEqual(jobs.map(({ messageId }) => messageId));
	});

	it('free their places when a worker died between the end of a job and the next one', async () => {
		const { redis, base, offer, work } = await open();
		await redis.zadd(`${base}slots:one`, ...[1, 2, 3, 4].flatMap((at) => [at, `gone-${at}`]));
		await offer('one', 5);
		const begun: string[] = [];
		await work(1, ({ messageId }) => {
			begun.push(messageId);
			return 'answered';
		});
		await redis.zadd(`${base}lines`, 1, 'one');
		await expect.poll(() => begun.length, patience).toBe(5);
	});

	it('are found, also after Redis has lost some keys', async () => {
		const { redis, base, queues, offer } = await open();
		const jobs = await offer('one', 10);
		const ids = jobs.map(deliverJobId);
		const states = async () =>
			(await queues.conditionsOf('webhooks', [...ids, 'msg_none-one'])).map(({ state }) => state);
		expect(await states()).toEqual([...ids.map(() => 'live'), 'none']);
		await redis.del(`${base}line:one`, `${base}lines`);
		expect(await states()).toEqual([...ids.map(() => 'live'), 'none']);
		expect(await redis.zcard(`${base}line:one`)).toBe(10 - most);
		expect(await redis.zcard(`${base}lines`)).toBe(1);
		await redis.del(`${base}jobs`);
		expect((await states()).filter((state) => state === 'none')).toHaveLength(1 + 10 - most);
	});

	it('are removed by message, by endpoint and all', async () => {
		const { redis, prefix, queues, offer, inQueue, waiting } = await open();
		await offer('one', 10);
		await offer('two', 500);
		await offer('three', 10);
		expect(await queues.forgetDelivery(message('one', 0)), 'in the queue').toBe(true);
		expect(await queues.forgetDelivery(message('one', 9)), 'in its line').toBe(true);
		expect((await inQueue()).filter((id) => id.endsWith('-one'))).toHaveLength(most);
		expect(await waiting()).toBe(518);
		await queues.deliveries.forgetEndpoint('two');
		expect(await waiting()).toBe(18 + most);
		await queues.deliveries.clear();
		expect(await queues.deliveries.count()).toBe(0);
		await queues.byName.webhooks.drain(true);
		const left = (await redis.keys(`${prefix}:backlog:webhooks:*`)).map((key) => key.split(':')[3]);
		expect(left.filter((kind) => kind !== 'slots')).toEqual([]);
	});
});
