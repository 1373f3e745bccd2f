import type { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { DiskSpace } from '../../src/config/connections.ts';
import { openPressure } from '../../src/intake/pressure.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openQueues, type Queues } from '../../src/queue/queues.ts';
import { openFileStorage } from '../../src/storage/fs.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { connected } from '../helpers/connection.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';
import { thrownBy } from '../helpers/thrown.ts';

interface Given {
	readonly redis?: Redis;
	readonly maxQueue?: number;
	readonly minDiskFree?: DiskSpace;
	readonly storage?: Partial<Storage>;
}

async function open({
	redis: given,
	maxQueue = Number.POSITIVE_INFINITY,
	minDiskFree = { bytes: 0 },
	storage = {},
}: Given) {
	const redis = given ?? (await connected());
	const queues: Queues = openQueues(redis, { prefix: freshPrefix(), attempts: 1, retryDelay: 1 });
	onTestFinished(() => queues.close().catch(() => {}));
	const asked = { room: 0, queue: 0 };
	const real = openFileStorage(await temporaryFolder());
	const watched: Storage = {
		...real,
		room() {
			asked.room++;
			return (storage.room ?? real.room)?.() as ReturnType<NonNullable<Storage['room']>>;
		},
	};
	const count = queues.byName.pictures.getJobCounts.bind(queues.byName.pictures);
	queues.byName.pictures.getJobCounts = (...states) => {
		asked.queue++;
		return count(...states);
	};
	const log = createLogger('api', 'silent');
	return { pressure: openPressure({ redis, queues, storage: watched, maxQueue, minDiskFree, log }), queues, asked };
}

describe('back-pressure', () => {
	it('of the queues begins at the limit, including delayed and urgent jobs and fetches, and ends below it', async () => {
		const { pressure, queues } = await open({ maxQueue: 3 });
		const { pictures, fetches } = queues.byName;
		await pressure.check();
		await pictures.add('a', {});
		await fetches.add('b', {}, { priority: 3 });
		await pictures.add('c', {}, { delay: 600_000 });
		await expect
			.poll(async () => (await pressure.check().catch((error) => error))?.code, { timeout: 3_000 })
			.toBe('queue-full');
		expect(await thrownBy(() => pressure.check())).toMatchObject({
			status: 503,
			retryAfter: 15,
			message: 'Expected fewer than 3 waiting jobs (PICPIPE_MAX_QUEUE) but there are 3.',
		});
		await pictures.drain(true);
		await fetches.drain(true);
		await expect.poll(() => pressure.check(), { timeout: 3_000 }).toBeUndefined();
	});

	it.each<[DiskSpace, number, boolean]>([
		[{ bytes: 1_000 }, 1_000, true],
		[{ bytes: 1_001 }, 1_000, false],
		[{ percent: 10 }, 1_000, true],
		[{ percent: 10.01 }, 1_000, false],
		[{ bytes: 0 }, 0, true],
	])(
		'of the disk: with %j required and %d of 10,000 bytes free, uploads are accepted: %s',
		async (minDiskFree, free, isTaken) => {
			const { pressure } = await open({ minDiskFree, storage: { room: async () => ({ free, total: 10_000 }) } });
			if (isTaken) await expect(pressure.check()).resolves.toBeUndefined();
			else
				expect(await thrownBy(() => pressure.check())).toMatchObject({
					code: 'storage-nearly-full',
					status: 503,
					retryAfter: 60,
				});
		},
	);

	it('reads queue and disk once a second, however many uploads there are', async () => {
		const { pressure, asked } = await open({ maxQueue: 10 });
		const began = performance.now();
		for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 50 }, () => pressure.check()));
		const seconds = Math.ceil((performance.now() - began) / 1_000);
		expect(asked.room).toBeLessThanOrEqual(seconds);
		expect(asked.queue).toBeLessThanOrEqual(seconds);
		expect(asked.queue).toBeGreaterThan(0);
	});

	it('does not query a queue without limit, and a storage without a known end has space', async () => {
		const { pressure, asked } = await open({
			storage: { room: async () => undefined as never },
			minDiskFree: { percent: 99 },
		});
		await pressure.check();
		expect(asked.queue).toBe(0);
	});

	it('refuses nothing without a reading, and does not wait for it', async () => {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		const connection = await connected('producer', redis.url);
		const room = () => Promise.reject(Object.assign(new Error('gone'), { code: 'EIO' }));
		const { pressure, queues } = await open({
			redis: connection,
			maxQueue: 1,
			storage: { room },
			minDiskFree: { percent: 50 },
		});
		await queues.byName.pictures.add('a', {});
		process.kill(redis.pid, 'SIGSTOP');
		try {
			const began = performance.now();
			await pressure.check();
			expect(performance.now() - began).toBeLessThan(1_500);
		} finally {
			process.kill(redis.pid, 'SIGCONT');
		}
		await expect
			.poll(async () => (await pressure.check().catch((error) => error))?.code, { timeout: 5_000 })
			.toBe('queue-full');
		await redis.kill9();
		await expect.poll(() => pressure.check(), { timeout: 5_000 }).toBeUndefined();
	});
});

describe('the space of a file storage', () => {
	it('is that of its disk, even before its folder exists', async () => {
		const folder = await temporaryFolder();
		const here = await openFileStorage(folder).room?.();
		expect(here?.free).toBeGreaterThan(0);
		expect(here?.total).toBeGreaterThanOrEqual(here?.free ?? 0);
		const later = await openFileStorage(`${folder}/not/yet/there`).room?.();
		expect(later?.total).toBe(here?.total);
	});
});
