import { type Job, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { type Picture, urgentPriority } from '../../src/domain/picture.ts';
import { openBacklog } from '../../src/queue/backlog.ts';
import { offeredJob } from '../../src/queue/backlog-entry.ts';
import { jobOf, pictureIdOfJob, processJob } from '../../src/queue/jobs.ts';
import { nameOfWorkers } from '../../src/queue/picture-queues.ts';
import { openQueues, type Queues } from '../../src/queue/queues.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';

interface Opened {
	readonly redis: Redis;
	readonly prefix: string;
	readonly queues: Queues;
	/** Queues so many pictures, and returns them. */
	fill(count: number, change?: Partial<Picture>, level?: number): Promise<Picture[]>;
	/** Takes jobs as a worker process does; `process` is done meanwhile. */
	work(
		concurrency: number,
		process: (id: string) => Promise<unknown> | unknown,
		measure?: (id: string) => number,
	): Promise<Worker>;
	/** Number of jobs that were moved to the queue and not begun. */
	inQueue(): Promise<number>;
	waiting(): Promise<number>;
}

async function open(url?: string): Promise<Opened> {
	const redis = await connected('worker', url);
	const prefix = freshPrefix();
	const options = { prefix, attempts: 3, retryDelay: 20 };
	const queues = openQueues(redis, options);
	onTestFinished(() => queues.close().catch(() => {}));
	return {
		redis,
		prefix,
		queues,
		async fill(count, change = {}, level) {
			const pictures = Array.from({ length: count }, () => makePicture(change as Parameters<typeof makePicture>[0]));
			await Promise.all(pictures.map((picture) => queues.enqueuePicture(picture, 'upload', level)));
			return pictures;
		},
		async work(concurrency, process, measure = () => 1) {
			const connection = await connected('worker', url);
			// Each worker process has queues of its own.
			const own = openQueues(connection, options);
			const turns = own.backlogs.pictures.join({ window: 1 });
			const worker = new Worker(
				'pictures',
				async ({ id = '' }: Job) => {
					turns.started(pictureIdOfJob(id));
					await process(pictureIdOfJob(id));
				},
				{ connection, prefix, name: nameOfWorkers, concurrency },
			);
			worker.on('error', () => {});
			worker.on('completed', ({ id = '' }) => {
				turns.ended(pictureIdOfJob(id), id, measure(pictureIdOfJob(id)));
			});
			onTestFinished(async () => {
				await worker.close(true);
				await own.close().catch(() => {});
			});
			return worker;
		},
		inQueue: async () => (await queues.byName.pictures.getJobCounts('waiting')).waiting ?? 0,
		waiting: async () => (await queues.countWaiting('pictures')).waiting,
	};
}

/** A gate that lets through as many as were admitted. */
function turnstile() {
	const waiting: (() => void)[] = [];
	let free = 0;
	return {
		pass: () =>
			new Promise<void>((resolve) => {
				if (free > 0) {
					free--;
					resolve();
				} else waiting.push(resolve);
			}),
		admit(count: number) {
			for (let at = 0; at < count; at++) {
				const next = waiting.shift();
				if (next) next();
				else free++;
			}
		},
	};
}

const patience = { timeout: 20_000 };

describe('a backlog', () => {
	it('holds what the queue has no room for, counted as waiting', async () => {
		const { queues, fill, inQueue, waiting } = await open();
		await fill(120);
		expect(await inQueue()).toBe(1);
		expect(await waiting()).toBe(120);
		expect(await queues.backlogs.pictures.list(0, 200)).toHaveLength(119);
	});

	it('gives every job to some worker once, in the order of arrival', async () => {
		const { fill, work, waiting } = await open();
		const pictures = await fill(150);
		const begun: string[] = [];
		await work(1, (id) => begun.push(id));
		await expect.poll(() => begun.length, patience).toBe(150);
		expect(begun).toEqual(pictures.map(({ id }) => id));
		expect(await waiting()).toBe(0);
	});

	it.each([1, 3])('serves several workers, with %i jobs each at once', async (concurrency) => {
		const { fill, work } = await open();
		const pictures = await fill(300);
		const begun: string[] = [];
		const workers = [0, 0, 0];
		for (const at of workers.keys()) {
			await work(concurrency, (id) => {
				begun.push(id);
				workers[at] = (workers[at] ?? 0) + 1;
			});
		}
		await expect.poll(() => begun.length, patience).toBe(300);
		expect(new Set(begun).size).toBe(pictures.length);
		expect(workers.every((count) => count > 0)).toBe(true);
	});
});

describe('levels', () => {
	it('urgent jobs overtake all that wait, in their order; numbers follow, 0 first', async () => {
		const { fill, work, inQueue } = await open();
		const { pass, admit } = turnstile();
		const begun: string[] = [];
		await work(1, async (id) => {
			begun.push(id);
			await pass();
		});
		const names = new Map<string, string>();
		const add = async (name: string, count: number, level: number) => {
			for (const { id } of await fill(count, {}, level)) names.set(id, name);
		};
		await add('first', 1, 0);
		await expect.poll(() => begun.length, patience).toBe(1);
		await add('ahead', 1, 1_000);
		await expect.poll(inQueue, patience).toBe(1);
		await add('bulk', 2, 1_000);
		await add('one', 2, 1);
		await add('normal', 2, 0);
		await add('urgent', 3, urgentPriority);
		admit(100);
		await expect.poll(() => begun.length, patience).toBe(11);
		expect(begun.map((id) => names.get(id))).toEqual([
			'first',
			...['urgent', 'urgent', 'urgent'],
			// It was in the queue before the others came.
			'ahead',
			...['normal', 'normal', 'one', 'one', 'bulk', 'bulk'],
		]);
	});

	it('urgent jobs keep their order among themselves', async () => {
		const { fill, work } = await open();
		const begun: string[] = [];
		const urgent = await fill(30, {}, urgentPriority);
		await work(1, (id) => begun.push(id));
		await expect.poll(() => begun.length, patience).toBe(30);
		expect(begun).toEqual(urgent.map(({ id }) => id));
	});

	it('nothing waits for ever: at the latest each tenth job is of a level that waits', async () => {
		const { fill, work } = await open();
		const low = new Set<string>();
		for (const level of [5, 700]) for (const { id } of await fill(6, {}, level)) low.add(id);
		await fill(300);
		const begun: string[] = [];
		await work(1, (id) => begun.push(id));
		await expect.poll(() => begun.length, patience).toBe(312);
		const places = begun.flatMap((id, at) => (low.has(id) ? [at] : [])).slice(0, 12);
		// One was taken ahead before the others came.
		expect(places[0]).toBe(0);
		for (const [at, place] of places.entries()) expect(place).toBeLessThanOrEqual(10 * (at + 1));
	});
});

describe('owners', () => {
	it.each([1, 3])(
		'a single picture waits for those under way and one more, with %i jobs at once',
		async (concurrency) => {
			const { fill, work, inQueue } = await open();
			await fill(2_000, { owner: 'many' });
			const { pass, admit } = turnstile();
			const begun: string[] = [];
			await work(concurrency, async (id) => {
				begun.push(id);
				await pass();
			});
			admit(20);
			await expect.poll(() => begun.length, patience).toBe(20 + concurrency);
			await expect.poll(inQueue, patience).toBe(1);
			for (let round = 0; round < 3; round++) {
				const before = begun.length;
				// Taken ahead included.
				const underWay = await inQueue();
				const [single] = await fill(1, { owner: `few ${round % 2}` });
				admit(10);
				await expect.poll(() => begun.includes(single?.id ?? ''), patience).toBe(true);
				expect(begun.indexOf(single?.id ?? '') - before).toBeLessThanOrEqual(underWay + 1);
				await expect.poll(() => begun.length, patience).toBe(before + 10);
				await expect.poll(inQueue, patience).toBe(1);
			}
		},
		60_000,
	);

	const facts = { format: 'jpeg', frames: 1, alpha: false, orientation: 1, colourSpace: 'srgb' };
	const sizes = { large: { ...facts, width: 5_000, height: 2_000 }, small: { ...facts, width: 1_000, height: 1_000 } };

	/** Which of the first 110 jobs are of one owner, if theirs take ten megapixels and those of another one. The very first was taken before there was anybody else. */
	async function shareOf(facts: typeof sizes.large, others: typeof sizes.large): Promise<number> {
		const { fill, work } = await open();
		const own = new Set((await fill(200, { owner: 'own', facts })).map(({ id }) => id));
		await fill(200, { owner: 'other', facts: others });
		const begun: string[] = [];
		await work(
			1,
			(id) => begun.push(id),
			(id) => (own.has(id) ? 10 : 1),
		);
		await expect.poll(() => begun.length, patience).toBeGreaterThan(111);
		return begun.slice(1, 111).filter((id) => own.has(id)).length;
	}

	it('share the work, not the number of pictures', async () => {
		const large = await shareOf(sizes.large, sizes.small);
		expect(large).toBeGreaterThanOrEqual(9);
		expect(large).toBeLessThanOrEqual(11);
	});

	it('are charged for what was measured, where the estimate was wrong', async () => {
		expect(await shareOf(sizes.small, sizes.small)).toBeLessThanOrEqual(13);
	});
});

describe('crashes and losses', () => {
	it('a job whose process died between taking it and adding it is moved again', async () => {
		const { redis, prefix, queues, work, waiting } = await open();
		const dying = openBacklog(redis, {
			prefix,
			queue: 'pictures',
			add: () => Promise.reject(new Error('killed')),
			countOldWorkers: async () => 0,
		});
		const picture = makePicture();
		await dying.offer(offeredJob(picture, 'upload'));
		dying.close();
		expect(await waiting()).toBe(0);
		expect(await queues.haveJobs([picture.id])).toEqual([false]);
		const begun: string[] = [];
		await work(1, (id) => begun.push(id));
		await expect.poll(() => begun, patience).toEqual([picture.id]);
	}, 30_000);

	it('what a partial loss of keys has cut off is found by the sweep’s question', async () => {
		const { redis, prefix, queues, fill, work } = await open();
		const pictures = await fill(40, { owner: 'one' });
		const base = `${prefix}:backlog:pictures:`;
		await redis.del(`${base}line:0:one`, `${base}owners:0`, `${base}levels`);
		expect(await queues.haveJobs(pictures.map(({ id }) => id))).toEqual(pictures.map(() => true));
		const begun: string[] = [];
		await work(2, (id) => begun.push(id));
		await expect.poll(() => begun.length, patience).toBe(40);
		await redis.del(`${base}jobs`);
		const [lost] = await fill(1);
		expect(await queues.haveJobs([lost?.id ?? '', makePicture().id])).toEqual([expect.any(Boolean), false]);
	});

	it('jobs from before there was a backlog are taken over, in their order', async () => {
		const { queues, work, inQueue, waiting } = await open();
		const levels = [...Array.from({ length: 150 }, () => 0), ...Array.from({ length: 60 }, (_, at) => 60 - at)];
		const pictures = levels.map((priority) => makePicture({ priority, owner: 'früher & jetzt' }));
		for (const picture of pictures) {
			const data = processJob(picture, 'upload');
			await queues.byName.pictures.add('process', data, { jobId: jobOf(picture).id, priority: picture.priority });
		}
		expect(await inQueue()).toBe(150);
		expect(await queues.tidyBacklogs()).toBeGreaterThanOrEqual(209);
		expect(await inQueue()).toBe(1);
		expect(await queues.byName.pictures.getJobCounts('prioritized')).toEqual({ prioritized: 0 });
		expect(await waiting()).toBe(210);
		const begun: string[] = [];
		await work(1, (id) => begun.push(id));
		await expect.poll(() => begun.length, patience).toBe(210);
		const ordered = [...pictures.slice(0, 150), ...pictures.slice(150).reverse()].map(({ id }) => id);
		// Each tenth may be of another level.
		expect(begun.slice(0, 9)).toEqual(ordered.slice(0, 9));
		expect(begun.filter((id) => ordered.slice(0, 150).includes(id))).toEqual(ordered.slice(0, 150));
		expect(begun.filter((id) => ordered.slice(150).includes(id))).toEqual(ordered.slice(150));
	}, 60_000);
});

describe('workers of a version without a backlog', () => {
	it('get every job, although they report nothing', async () => {
		const { prefix, fill } = await open();
		const begun: string[] = [];
		const worker = new Worker('pictures', async ({ id = '' }: Job) => begun.push(id), {
			connection: await connected('worker'),
			prefix,
		});
		onTestFinished(() => worker.close(true));
		await worker.waitUntilReady();
		const pictures = await fill(60);
		await expect.poll(() => begun.length, patience).toBe(60);
		expect(new Set(begun)).toEqual(new Set(pictures.map((picture) => jobOf(picture).id)));
	}, 40_000);

	it('have work beside newer ones that are busy', async () => {
		const { prefix, fill, work } = await open();
		const never = turnstile();
		await work(1, () => never.pass());
		const begun: string[] = [];
		const worker = new Worker('pictures', async ({ id = '' }: Job) => begun.push(id), {
			connection: await connected('worker'),
			prefix,
		});
		onTestFinished(() => worker.close(true));
		await worker.waitUntilReady();
		await fill(60);
		await expect.poll(() => begun.length, patience).toBeGreaterThanOrEqual(59);
		never.admit(1);
	}, 40_000);

	it('get what a process has left that ended', async () => {
		const { prefix, fill, queues } = await open();
		await fill(60);
		await queues.close();
		const begun: string[] = [];
		const worker = new Worker('pictures', async ({ id = '' }: Job) => begun.push(id), {
			connection: await connected('worker'),
			prefix,
		});
		onTestFinished(() => worker.close(true));
		await worker.waitUntilReady();
		const redis = connectRedis(inject('redisUrl'), 'producer');
		onTestFinished(() => redis.disconnect());
		const next = openQueues(redis, { prefix, attempts: 3, retryDelay: 20 });
		onTestFinished(() => next.close().catch(() => {}));
		await expect.poll(() => begun.length, patience).toBe(60);
	}, 40_000);
});

describe('removal', () => {
	it('of a picture’s job, also of one that waits behind others', async () => {
		const { queues, fill, waiting } = await open();
		const [first, second, third] = await fill(3);
		if (!first || !second || !third) return expect.fail();
		expect(await queues.forgetPicture(third)).toBe(true);
		expect(await waiting()).toBe(2);
		expect(await queues.haveJobs([first.id, second.id, third.id])).toEqual([true, true, false]);
		// Removing the one in the queue lets the next one move on.
		expect(await queues.forgetPicture(first)).toBe(true);
		await expect.poll(async () => (await queues.byName.pictures.getJob(jobOf(second).id))?.name).toBe('process');
	});

	it('of everything, and the backlog works as before', async () => {
		const { queues, fill, waiting, work } = await open();
		for (const owner of ['one', 'other']) for (const level of [0, 7]) await fill(20, { owner }, level);
		await queues.backlogs.pictures.clear();
		await queues.byName.pictures.drain(true);
		expect(await waiting()).toBe(0);
		await fill(10);
		const begun: string[] = [];
		await work(1, (id) => begun.push(id));
		await expect.poll(() => begun.length, patience).toBe(10);
	});

	it('of failed jobs: they wait again, behind all others', async () => {
		const { queues, fill, waiting, work } = await open();
		const worker = await work(1, () => {
			throw new UnrecoverableError('as told');
		});
		const [picture] = await fill(1);
		await expect.poll(() => queues.byName.pictures.getFailedCount(), patience).toBe(1);
		await worker.close();
		await fill(3);
		expect(await queues.backlogs.pictures.takeFailed()).toBe(1);
		expect(await waiting()).toBe(4);
		expect(await queues.backlogs.pictures.read(picture?.id ?? '')).toMatchObject({ level: 1_000 });
	});
});

describe('the cost of a job', () => {
	it('is the same with 1,000 and with 20,000 waiting', async () => {
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const { redis, fill, work, waiting } = await open(server.url);
		const measured: number[] = [];
		const { pass, admit } = turnstile();
		let begun = 0;
		await work(2, async () => {
			begun++;
			await pass();
		});
		for (const more of [1_000, 19_000]) {
			await fill(more, { owner: 'many' });
			expect(await waiting()).toBeGreaterThan(more - 10);
			const before = begun;
			await redis.config('RESETSTAT');
			admit(200);
			await expect.poll(() => begun, patience).toBe(before + 200);
			const stats = await redis.info('commandstats');
			const calls = [...stats.matchAll(/^cmdstat_(?!bzpopmin|info|config)\S+?:calls=(\d+)/gm)];
			measured.push(calls.reduce((sum, [, count]) => sum + Number(count), 0) / 200);
		}
		const [few = 0, many = 0] = measured;
		expect(many).toBeLessThanOrEqual(few * 1.1);
		expect(many).toBeLessThan(90);
	}, 60_000);
});
