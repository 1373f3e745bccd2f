import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { wholenessKeys } from '../../src/catalog/epoch.ts';
import { writeManifest } from '../../src/catalog/manifest.ts';
import { readRebuild, rebuildNow, rebuildOnce, takeWorkLease } from '../../src/catalog/rebuild.ts';
import { keepIndexWhole, openIndexUpkeep } from '../../src/catalog/upkeep.ts';
import { firstPictureIdAt, type Picture } from '../../src/domain/picture.ts';
import { createLogger } from '../../src/observe/log.ts';
import { manifestId } from '../../src/storage/keys.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';

const log = createLogger('worker', 'silent');

/** An id of a day in January 2026. The number tells the ids of a day apart. */
const idOf = (day: number, number = 0) =>
	`${firstPictureIdAt(Date.UTC(2026, 0, day, 12) + number).slice(0, -4)}${String(number).padStart(4, '0')}`;

/** A storage that counts the manifests that were read. */
async function countingStorage(pictures: readonly Picture[]) {
	const storage = await watchedStorage();
	for (const picture of pictures) await writeManifest(storage, picture);
	const reads: string[] = [];
	const read = async (key: string) => {
		const id = manifestId(key);
		if (id !== undefined) reads.push(id);
		return storage.read?.(key);
	};
	return { ...storage, read, readSync: undefined, reads } satisfies Storage & { reads: string[] };
}

async function openIndex(storage: Storage, url?: string, prefix = freshPrefix()) {
	const redis = await connected('worker', url);
	const catalog = openCatalog(redis, prefix);
	const options = { redis, prefix, storage, catalog, log, everySeconds: 60 };
	const listed = async () => (await catalog.list({ limit: 200 })).pictures.map(({ id }) => id).reverse();
	return { ...options, upkeep: openIndexUpkeep(options), listed };
}

async function turn(upkeep: ReturnType<typeof openIndexUpkeep>): Promise<void> {
	await upkeep.turn();
	await upkeep.settled();
}

const pictures = [1, 2, 3].flatMap((day) => [0, 1, 2].map((number) => makePicture({ id: idOf(day, number) })));
const ids = pictures.map(({ id }) => id);

describe('the index', () => {
	it('is rebuilt once, each manifest read once, and not again after a clean restart, an AOF replay or a new run id', async () => {
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const storage = await countingStorage(pictures);
		const { upkeep, catalog, listed, redis } = await openIndex(storage, server.url);
		await turn(upkeep);
		expect(await catalog.isComplete()).toBe(true);
		expect(await listed()).toEqual(ids);
		expect([...storage.reads].sort()).toEqual(ids);

		const runId = async () => /run_id:(\w+)/.exec(await redis.info('server'))?.[1];
		const before = await runId();
		for (const restart of [() => server.restart(), async () => server.kill9().then(() => server.restart())]) {
			await restart();
			await redis.ping();
			expect(await runId()).not.toBe(before);
			storage.reads.length = 0;
			await turn(upkeep);
			// The daily check of single pictures.
			expect(storage.reads.length).toBeLessThanOrEqual(1);
			expect(await catalog.isComplete()).toBe(true);
		}
	});

	it('is rebuilt in the next turn after Redis lost everything', async () => {
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const { upkeep, catalog, listed, redis } = await openIndex(await countingStorage(pictures), server.url);
		await turn(upkeep);
		await server.wipe();
		await server.restart();
		await redis.ping();
		await turn(upkeep);
		expect(await catalog.isComplete()).toBe(true);
		expect(await listed()).toEqual(ids);
	});

	it('is rebuilt in the next turn after Redis was set back to an earlier state', async () => {
		const server = await startRedis({ settings: ['--appendonly', 'no', '--dbfilename', 'dump.rdb'] });
		onTestFinished(() => server.stop());
		const storage = await countingStorage(pictures.slice(0, 3));
		const { upkeep, catalog, listed, redis } = await openIndex(storage, server.url);
		await turn(upkeep);
		await redis.save();
		const [dump, earlier] = ['dump.rdb', 'earlier.rdb'].map((name) => join(server.folder, name)) as [string, string];
		await copyFile(dump, earlier);
		for (const picture of pictures.slice(3)) {
			await writeManifest(storage, picture);
			await catalog.put(picture);
		}
		await turn(upkeep);
		expect(await listed()).toEqual(ids);

		await server.kill9();
		await rm(dump);
		await copyFile(earlier, dump);
		await server.restart();
		await redis.ping();
		await turn(upkeep);
		expect(await catalog.isComplete()).toBe(true);
		expect(await listed()).toEqual(ids);
	});

	it('counts as whole if the number in Redis is ahead, because a process died between the two', async () => {
		const storage = await countingStorage(pictures);
		const { upkeep, redis, prefix } = await openIndex(storage);
		await turn(upkeep);
		await redis.incr(wholenessKeys(prefix).epoch);
		storage.reads.length = 0;
		await turn(upkeep);
		expect(storage.reads.length).toBeLessThanOrEqual(1);
	});

	it('finds single lost and surplus entries within a day of turns, a few pictures at a time', async () => {
		const storage = await countingStorage(pictures);
		const { upkeep, catalog, redis, prefix, listed } = await openIndex(storage);
		await turn(upkeep);
		const [lost, surplus] = [ids[4] as string, idOf(2, 9)];
		await redis.del(await redis.keys(`${prefix}:catalog:*${lost}*`));
		await redis.zrem(`${prefix}:catalog:v8:state:queued`, lost);
		await catalog.put(makePicture({ id: surplus }));
		let turns = 0;
		for (; turns < 24 * 60; turns++) {
			storage.reads.length = 0;
			await turn(upkeep);
			expect(storage.reads.length).toBeLessThanOrEqual(2);
			if ((await listed()).join() === ids.join()) break;
		}
		expect(await listed()).toEqual(ids);
		expect(turns).toBeLessThan(24 * 60);
	});
});

describe('a rebuild', () => {
	it('is done by one process of several, and the others wait', async () => {
		const storage = await countingStorage(pictures);
		const prefix = freshPrefix();
		const processes = await Promise.all([1, 2, 3].map(() => openIndex(storage, undefined, prefix)));
		const running = processes.map((one) => keepIndexWhole({ ...one, everySeconds: 1 }));
		const first = processes[0];
		await expect.poll(() => first?.catalog.isComplete()).toBe(true);
		await Promise.all(running.map((one) => one.close()));
		const rebuilt = storage.reads.slice(0, ids.length);
		expect([...rebuilt].sort()).toEqual(ids);
	});

	it('is continued by another process, after the last day that was done', async () => {
		const storage = await countingStorage(pictures);
		const prefix = freshPrefix();
		const [one, other] = [await openIndex(storage, undefined, prefix), await openIndex(storage, undefined, prefix)];
		const stopping = new AbortController();
		// As a process that dies in the middle: its storage no longer answers from the third day on.
		const dying: Storage = {
			...storage,
			folders: (folder) =>
				folder.endsWith('/2026/01/03/') ? Promise.reject(new Error('killed')) : storage.folders(folder),
		};
		await expect(rebuildOnce({ ...one, storage: dying }, { stopping: stopping.signal })).rejects.toThrow('killed');
		expect(await readRebuild(one.redis, prefix)).toMatchObject({
			pictures: 6,
			days: 3,
			daysDone: 2,
			day: '2026/01/02',
		});
		expect(await one.catalog.isComplete()).toBe(false);
		storage.reads.length = 0;
		expect(await rebuildOnce(other)).toEqual({ pictures: 9, removed: 0, unreadable: [] });
		expect([...storage.reads].sort()).toEqual(ids.slice(6));
		expect(await other.listed()).toEqual(ids);
		expect(await readRebuild(one.redis, prefix)).toBeUndefined();
	});

	it('starts again if Redis loses its beginning meanwhile', async () => {
		const storage = await countingStorage(pictures);
		const index = await openIndex(storage);
		const losing: Storage = {
			...storage,
			async folders(folder) {
				if (folder.endsWith('/2026/01/03/')) await index.redis.del(await index.redis.keys(`${index.prefix}:*`));
				return storage.folders(folder);
			},
		};
		expect(await rebuildOnce({ ...index, storage: losing })).toBeUndefined();
		expect(await index.catalog.isComplete()).toBe(false);
		expect(await rebuildOnce(index)).toMatchObject({ pictures: 9 });
		expect(await index.listed()).toEqual(ids);
	});

	it('that is asked for waits for the one under way, and reports its outcome', async () => {
		const storage = await countingStorage(pictures);
		const prefix = freshPrefix();
		const [one, other] = [await openIndex(storage, undefined, prefix), await openIndex(storage, undefined, prefix)];
		let go = () => {};
		const held = new Promise<void>((resolve) => {
			go = resolve;
		});
		const slow: Storage = {
			...storage,
			async folders(folder) {
				if (folder.endsWith('/2026/01/03/')) await held;
				return storage.folders(folder);
			},
		};
		const first = rebuildOnce({ ...one, storage: slow });
		await expect.poll(async () => (await readRebuild(one.redis, prefix))?.daysDone).toBe(2);
		const asked = rebuildNow(other);
		setTimeout(go, 1_500);
		expect(await first).toMatchObject({ pictures: 9 });
		expect(await asked).toMatchObject({ removed: 0 });
		expect(storage.reads.filter((id) => id === ids[0])).toHaveLength(1);
	});
});

describe('a lease', () => {
	it('belongs to one holder, is renewed, and ends when its holder no longer renews it', async () => {
		const redis = await connected('worker');
		const key = `${freshPrefix()}:lease`;
		const lease = await takeWorkLease(redis, key, 300);
		expect(await takeWorkLease(redis, key, 300)).toBeUndefined();
		expect(await lease?.renew()).toBe(true);
		await redis.del(key);
		expect(await lease?.renew()).toBe(false);
		expect(lease?.lost.aborted).toBe(true);
		const next = await takeWorkLease(redis, key, 300);
		expect(next).toBeDefined();
		// Only its own holder releases it.
		await lease?.release();
		expect(await redis.exists(key)).toBe(1);
		await next?.release();
		expect(await redis.exists(key)).toBe(0);
	});
});
