import type { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openLeases } from '../../src/access/leases.ts';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { markPending, writeManifest } from '../../src/catalog/manifest.ts';
import type { Picture } from '../../src/domain/picture.ts';
import { createLogger } from '../../src/observe/log.ts';
import { jobOf } from '../../src/queue/jobs.ts';
import { openQueues, type Queues } from '../../src/queue/queues.ts';
import { openFileStorage } from '../../src/storage/fs.ts';
import { openFirstSeen } from '../../src/worker/first-seen.ts';
import { type SweepContext, type SweepResult, sweep } from '../../src/worker/sweep.ts';
import { startTestApi } from '../helpers/api.ts';
import { connected } from '../helpers/connection.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { makeAwaited, makePicture } from '../helpers/manifest.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';

interface Opened {
	readonly redis: Redis;
	readonly queues: Queues;
	readonly context: SweepContext;
	/** Stores a picture as accepted, with or without a job. */
	accept(picture: Picture, isQueued?: boolean): Promise<void>;
	/** Stores so many pictures as accepted. */
	acceptMany(count: number, isQueued?: boolean): Promise<void>;
}

async function open(given?: Redis): Promise<Opened> {
	const redis = given ?? (await connected('worker'));
	const prefix = freshPrefix();
	const queues = openQueues(redis, { prefix, attempts: 3, retryDelay: 20 });
	onTestFinished(() => queues.close());
	const storage = openFileStorage(await temporaryFolder());
	const catalog = openCatalog(redis, prefix);
	await catalog.markComplete();
	const seconds = {
		abandonedSeconds: 3_600,
		batchSeconds: 3_600,
		idempotencySeconds: 60,
		resumableSeconds: 60,
		sweepSeconds: 60,
	};
	const log = createLogger('worker', 'silent');
	const accept = async (picture: Picture, isQueued = true) => {
		await markPending(storage, picture.id);
		await writeManifest(storage, picture);
		await catalog.put(picture);
		if (isQueued) await queues.enqueuePicture(picture, 'upload');
	};
	return {
		redis,
		queues,
		accept,
		async acceptMany(count, isQueued) {
			await Promise.all(Array.from({ length: count }, () => accept(makePicture(), isQueued)));
		},
		context: { storage, catalog, queues, log, firstSeen: openFirstSeen(), ...seconds },
	};
}

describe('a sweep with nothing to do', () => {
	/** Commands since the last reset, those inside scripts included. */
	async function commandsOf(redis: Redis): Promise<Record<string, number>> {
		const stats = await redis.info('commandstats');
		return Object.fromEntries(
			[...stats.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)].map(([, name, calls]) => [name, Number(calls)]),
		);
	}

	it('asks Redis once for every 200 waiting pictures, and reads the waiting list for none', async () => {
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const redis = await connected('worker', server.url);
		const { context, acceptMany } = await open(redis);
		const measured: Record<string, number>[] = [];
		for (const more of [400, 400]) {
			await acceptMany(more);
			// The scripts are known from here on.
			await sweep(context);
			await redis.config('RESETSTAT');
			expect(await sweep(context)).toMatchObject({ queued: 0, settled: 0, lost: 0 });
			measured.push(await commandsOf(redis));
		}
		const [before = {}, after = {}] = measured;
		const growth = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
		expect(growth('evalsha')).toBeLessThanOrEqual(400 / 200);
		for (const name of ['lpos', 'hgetall', 'get', 'eval']) expect(growth(name), name).toBe(0);
		expect(growth('lrange')).toBeLessThanOrEqual(3 * (400 / 200));
	}, 60_000);
});

describe('a sweep', () => {
	it('leaves pictures alone whose job waits, runs or waits for another attempt', async () => {
		const { context, queues, accept } = await open();
		const [waiting, numbered, delayed] = [makePicture(), makePicture({ priority: 7 }), makePicture()];
		for (const picture of [waiting, numbered, delayed, makeAwaited()]) await accept(picture);
		await queues.byName.pictures.remove(jobOf(delayed).id);
		await queues.byName.pictures.add('process', {}, { jobId: jobOf(delayed).id, delay: 600_000 });
		expect(await sweep(context)).toMatchObject({ pending: 4, queued: 0 });
	});

	it('queues pictures whose job is gone, was completed, or is in no list any more', async () => {
		const { context, redis, queues, accept } = await open();
		const [gone, completed, unlisted] = [makePicture(), makePicture(), makePicture()];
		queues.backlogs.pictures.join({ window: 10 });
		for (const picture of [gone, completed, unlisted]) await accept(picture, picture !== gone);
		const { pictures } = queues.byName;
		await redis.del(pictures.toKey('wait'));
		await redis.zadd(pictures.toKey('completed'), 1, jobOf(completed).id);
		expect(await sweep(context)).toMatchObject({ pending: 3, queued: 3 });
		expect(await sweep(context)).toMatchObject({ pending: 3, queued: 0 });
		const waiting = await pictures.getWaiting();
		expect(waiting.map(({ id }) => id).sort()).toEqual([gone, completed, unlisted].map((one) => jobOf(one).id).sort());
	});

	it('without time continues where the last one stopped, and begins again after the newest', async () => {
		const { context, acceptMany } = await open();
		await acceptMany(450, false);
		let stored: string | undefined;
		const place = {
			read: async () => stored,
			write: async (id: string | undefined) => {
				stored = id;
			},
		};
		const results: SweepResult[] = [];
		for (let at = 0; at < 4; at++) results.push(await sweep({ ...context, place, sweepTime: 0 }));
		expect(results.map(({ pending, queued, more }) => [pending, queued, more ?? false])).toEqual([
			[200, 200, true],
			[200, 200, true],
			[50, 50, false],
			[200, 0, true],
		]);
	}, 60_000);
});

describe('the sweeps of several workers', () => {
	it('run one at a time', async () => {
		const api = await startTestApi({ PICPIPE_SWEEP_SECONDS: '1' });
		const redis = await connected();
		const leases = openLeases(redis, `${api.config.redisPrefix}:sweeps`);
		onTestFinished(() => leases.close());
		const { release } = await leases.take('sweep', 1);
		const queues = openQueues(redis, { ...api.config, prefix: api.config.redisPrefix });
		onTestFinished(() => queues.close());
		const ended = async (): Promise<SweepResult[]> =>
			(await queues.byName.upkeep.getCompleted()).map(({ returnvalue }) => returnvalue);
		await api.startWorker();
		await expect.poll(async () => (await ended()).length, { timeout: 10_000 }).toBeGreaterThan(0);
		expect((await ended()).every(({ skipped }) => skipped)).toBe(true);
		release?.();
		await expect.poll(async () => (await ended()).some(({ skipped }) => !skipped), { timeout: 10_000 }).toBe(true);
	}, 30_000);
});
