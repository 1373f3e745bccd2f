import { type Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listenToPictures } from '../../src/queue/events.ts';
import { processJobId } from '../../src/queue/jobs.ts';
import { openQueues, type Queues } from '../../src/queue/queues.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';

interface Fixture {
	readonly redis: Redis;
	readonly prefix: string;
	readonly queues: Queues;
	/** Takes jobs from the queue `pictures` until the test is over. */
	work(process: (job: Job) => Promise<unknown>): Worker;
}

async function open(): Promise<Fixture> {
	const redis = await connected();
	const forWorkers = await connected('worker');
	const prefix = freshPrefix();
	const queues = openQueues(redis, { prefix, attempts: 3, retryDelay: 20 });
	onTestFinished(() => queues.close());
	return {
		redis,
		prefix,
		queues,
		work(process) {
			const turns = queues.backlogs.pictures.join({ window: 1 });
			const counted: typeof process = (job) => {
				turns.started(job.data.pictureId);
				return process(job);
			};
			const worker = new Worker('pictures', counted, { connection: forWorkers, prefix });
			worker.on('error', () => {});
			onTestFinished(() => worker.close(true));
			return worker;
		},
	};
}

const stateOf = async (queues: Queues, id: string) => (await queues.byName.pictures.getJob(id))?.getState();

describe('enqueuePicture', () => {
	it('adds one job however often it is called, with attempts, delay and retention', async () => {
		const { queues } = await open();
		const picture = makePicture();
		await Promise.all(Array.from({ length: 5 }, () => queues.enqueuePicture(picture, 'upload')));
		await queues.enqueuePicture(picture, 'sweep');
		const jobs = await queues.byName.pictures.getJobs();
		expect(jobs).toHaveLength(1);
		expect(jobs[0]).toMatchObject({ id: processJobId(picture), name: 'process', data: { reason: 'upload' } });
		expect(jobs[0]?.opts).toMatchObject({
			attempts: 3,
			backoff: { type: 'exponential', delay: 20, jitter: 0.5 },
			removeOnComplete: { age: 86_400, count: 10_000 },
			removeOnFail: false,
		});
	});

	it('takes pictures without a priority first, then the smallest number', async () => {
		const { queues, work } = await open();
		// The first one is taken ahead, whatever comes later.
		await queues.enqueuePicture(makePicture(), 'upload');
		const pictures = [900, 5, 0, 1, 0].map((priority) => makePicture({ priority }));
		for (const picture of pictures) await queues.enqueuePicture(picture, 'upload');
		const order: string[] = [];
		work(async (job) => order.push(job.data.pictureId));
		await expect.poll(() => order.length, { timeout: 10_000 }).toBe(6);
		const [p900, p5, first, p1, second] = pictures.map(({ id }) => id);
		expect(order.slice(1)).toEqual([first, second, p1, p5, p900]);
	});
});

describe('forgetPicture', () => {
	it('does nothing without a job', async () => {
		const { queues } = await open();
		expect(await queues.forgetPicture(makePicture())).toBe(true);
	});

	it.each(['waiting', 'completed', 'failed', 'delayed'])(
		'removes a %s job, so that the work can be queued again',
		async (state) => {
			const { queues, work } = await open();
			const picture = makePicture();
			await queues.enqueuePicture(picture, 'upload');
			const id = processJobId(picture);
			if (state === 'delayed') await (await queues.byName.pictures.getJob(id))?.changePriority({ priority: 0 });
			if (state === 'completed' || state === 'failed') {
				const worker = work(async () => {
					if (state === 'failed') throw new Error('as told');
				});
				await expect.poll(() => stateOf(queues, id), { timeout: 10_000 }).toBe(state);
				await worker.close();
			}
			if (state === 'delayed') {
				const worker = work(async (job) => {
					job.opts.backoff = { type: 'fixed', delay: 60_000 };
					throw new Error('as told');
				});
				await expect.poll(() => stateOf(queues, id), { timeout: 10_000 }).toBe(state);
				await worker.close();
			}
			expect(await stateOf(queues, id)).toBe(state);
			expect(await queues.forgetPicture(picture)).toBe(true);
			expect(await stateOf(queues, id)).toBeUndefined();
			await queues.enqueuePicture(picture, 'retry');
			expect((await queues.byName.pictures.getJob(id))?.data).toMatchObject({ reason: 'retry' });
		},
	);

	it('does not touch a job in progress, and returns false', async () => {
		const { queues, work } = await open();
		const picture = makePicture();
		let finish = () => {};
		work(
			() =>
				new Promise<void>((resolve) => {
					finish = resolve;
				}),
		);
		await queues.enqueuePicture(picture, 'upload');
		await expect.poll(() => stateOf(queues, processJobId(picture)), { timeout: 10_000 }).toBe('active');
		expect(await queues.forgetPicture(picture)).toBe(false);
		expect(await stateOf(queues, processJobId(picture))).toBe('active');
		finish();
		await expect.poll(() => stateOf(queues, processJobId(picture)), { timeout: 10_000 }).toBe('completed');
	});

	it('does not touch the jobs of other pictures', async () => {
		const { queues } = await open();
		const [one, other] = [makePicture(), makePicture()];
		await queues.enqueuePicture(one, 'upload');
		await queues.enqueuePicture(other, 'upload');
		await queues.forgetPicture(one);
		expect(await stateOf(queues, processJobId(other))).toBe('waiting');
	});
});

describe('installations that share a Redis', () => {
	it('do not see each other’s jobs', async () => {
		const [one, other] = [await open(), await open()];
		await one.queues.enqueuePicture(makePicture(), 'upload');
		expect(await one.queues.byName.pictures.count()).toBe(1);
		expect(await other.queues.byName.pictures.count()).toBe(0);
	});
});

describe('listenToPictures', () => {
	async function listening() {
		const fixture = await open();
		const events = listenToPictures(await connected('worker'), fixture.prefix);
		onTestFinished(() => events.close());
		// It hears what happens from now on, and "now" is when its connection first asks.
		const clients = async () => String(await fixture.redis.client('LIST')).split('\n');
		const asks = (client: string) => client.includes(` name=${fixture.prefix}:`) && client.includes(' cmd=xread');
		await expect.poll(async () => (await clients()).some(asks), { timeout: 10_000 }).toBe(true);
		return { ...fixture, events };
	}
	const never = new AbortController().signal;

	it('reports the end of any job of the picture, and of no other', async () => {
		const { queues, work, events } = await listening();
		const [good, bad, waiting] = [makePicture(), makePicture(), makePicture()];
		let heard = false;
		void events.ended(waiting.id, 20_000, never).then(() => {
			heard = true;
		});
		const ends = Promise.all([
			events.ended(good.id, 20_000, never),
			events.ended(good.id, 20_000, never),
			events.ended(bad.id, 20_000, never),
		]);
		work(async (job) => {
			if (job.data.pictureId === bad.id) throw new Error('as told');
		});
		const started = performance.now();
		await queues.enqueuePicture(good, 'upload');
		await queues.enqueuePicture(bad, 'upload');
		await ends;
		expect(performance.now() - started).toBeLessThan(15_000);
		expect(heard).toBe(false);
		expect(await stateOf(queues, processJobId(bad))).toBe('failed');
		expect(await stateOf(queues, processJobId(good))).toBe('completed');
	});

	it('ends the wait when the time is up or the signal aborts, at once if it was aborted before', async () => {
		const { events } = await listening();
		const started = performance.now();
		await events.ended(makePicture().id, 100, never);
		expect(performance.now() - started).toBeGreaterThanOrEqual(95);
		const leaving = new AbortController();
		const left = events.ended(makePicture().id, 60_000, leaving.signal);
		leaving.abort();
		await left;
		await events.ended(makePicture().id, 60_000, leaving.signal);
		expect(performance.now() - started).toBeLessThan(10_000);
	});
});
