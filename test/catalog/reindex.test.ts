import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { summaryOf } from '../../src/catalog/lists/summary.ts';
import {
	folderOf,
	markPending,
	pendingIds,
	purgePicture,
	readManifest,
	revise,
	unmarkPending,
	writeManifest,
} from '../../src/catalog/manifest.ts';
import { reindex } from '../../src/catalog/reindex.ts';
import { firstPictureIdAt } from '../../src/domain/picture.ts';
import { manifestKey } from '../../src/storage/keys.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';
import { thrownBy } from '../helpers/thrown.ts';

const openIndex = async () => openCatalog(await connected(), freshPrefix());

async function idsIn(ids: AsyncIterable<string>): Promise<string[]> {
	const found: string[] = [];
	for await (const id of ids) found.push(id);
	return found.sort();
}

describe('reindex', () => {
	it('fills an empty index, and counts pictures', async () => {
		const storage = await watchedStorage();
		const catalog = await openIndex();
		const pictures = [makePicture(), makePicture({ state: 'ready', revision: 2 }), makePicture({ tags: ['a'] })];
		for (const picture of pictures) {
			await writeManifest(storage, picture);
			await storage.put(picture.source.key, Buffer.from('jpg'));
			await storage.put(`${folderOf(picture.id)}small-0123456789ab.webp`, Buffer.from('webp'));
		}
		const progress: number[] = [];
		const result = await reindex(storage, catalog, { onProgress: ({ pictures }) => void progress.push(pictures) });
		expect(result).toEqual({ pictures: 3, removed: 0, unreadable: [] });
		expect(progress).toEqual([3]);
		for (const picture of pictures) expect(await catalog.get(picture.id)).toEqual(summaryOf(picture));
		expect(await catalog.isComplete()).toBe(true);
	});

	it('updates old entries, keeps newer ones, and removes those without a manifest', async () => {
		const storage = await watchedStorage();
		const catalog = await openIndex();
		const [old, newer, gone] = [makePicture(), makePicture(), makePicture()];
		for (const picture of [old, newer, gone]) await catalog.put(picture);
		await writeManifest(storage, { ...old, revision: 2, state: 'ready' });
		await writeManifest(storage, newer);
		await catalog.put({ ...newer, revision: 5, state: 'failed' });
		expect(await reindex(storage, catalog)).toEqual({ pictures: 2, removed: 1, unreadable: [] });
		expect(await catalog.get(old.id)).toMatchObject({ revision: 2, state: 'ready' });
		expect(await catalog.get(newer.id)).toMatchObject({ revision: 5, state: 'failed' });
		expect(await catalog.get(gone.id)).toBeUndefined();
		expect(await idsIn(catalog.idsBetween(firstPictureIdAt(0)))).toEqual([old.id, newer.id].sort());
	});

	it('reports unreadable manifests, and does not change those pictures', async () => {
		const storage = await watchedStorage();
		const catalog = await openIndex();
		const [torn, future, unknown, good] = [makePicture(), makePicture(), makePicture(), makePicture()];
		const write = (id: string, text: string) => storage.put(manifestKey(folderOf(id)), Buffer.from(text));
		await catalog.put(torn);
		await catalog.put(future);
		await write(torn.id, '{"version":1,"id":"pic_');
		await write(future.id, JSON.stringify({ ...future, version: 2 }));
		await write(unknown.id, 'not JSON at all');
		await writeManifest(storage, good);
		const result = await reindex(storage, catalog);
		expect(result).toMatchObject({ pictures: 1, removed: 0 });
		expect([...result.unreadable].sort()).toEqual(
			[torn, future, unknown].map(({ id }) => manifestKey(folderOf(id))).sort(),
		);
		expect(await catalog.get(torn.id)).toEqual(summaryOf(torn));
		expect(await catalog.get(future.id)).toEqual(summaryOf(future));
		expect(await catalog.get(unknown.id)).toBeUndefined();
		expect(await catalog.isComplete()).toBe(true);
	});

	it('does not restore a picture that was just deleted', async () => {
		const storage = await watchedStorage();
		const catalog = await openIndex();
		const picture = makePicture();
		await writeManifest(storage, picture);
		await catalog.remove(picture.id);
		await reindex(storage, catalog);
		expect(await catalog.get(picture.id)).toBeUndefined();
	});

	it('stays incomplete if the storage fails in between', async () => {
		const storage = await watchedStorage();
		const catalog = await openIndex();
		await writeManifest(storage, makePicture());
		const broken = { ...storage, readSync: undefined, read: () => Promise.reject(new Error('EIO')) };
		await expect(reindex(broken, catalog)).rejects.toThrow('EIO');
		expect(await catalog.isComplete()).toBe(false);
	});
});

describe('a manifest', () => {
	it('is read as written, from a key derived from the id', async () => {
		const storage = await watchedStorage();
		const picture = makePicture({ id: 'pic_01h455vb4pex5vsknk084sn02q' });
		await writeManifest(storage, picture);
		expect(await readManifest(storage, picture.id)).toEqual(picture);
		expect(await storage.keys()).toEqual(['pictures/2023/06/30/pic_01h455vb4pex5vsknk084sn02q/picture.json']);
		expect(await readManifest(storage, makePicture().id)).toBeUndefined();
	});

	it('that is damaged is an error, not a missing picture', async () => {
		const storage = await watchedStorage();
		const { id } = makePicture();
		await storage.put(manifestKey(folderOf(id)), Buffer.from('{}'));
		expect((await thrownBy(() => readManifest(storage, id))).code).toBe('internal');
	});

	it('is revised with a higher revision and a new time', () => {
		const picture = makePicture({ updatedAt: '2026-01-31T12:00:00.000Z' });
		const revised = revise(picture, { state: 'ready' });
		expect(revised).toEqual({ ...picture, state: 'ready', revision: 2, updatedAt: revised.updatedAt });
		expect(Date.parse(revised.updatedAt)).toBeGreaterThan(Date.parse(picture.updatedAt));
		expect(picture.revision).toBe(1);
	});
});

describe('markers', () => {
	it('are set, listed and removed', async () => {
		const storage = await watchedStorage();
		const [one, other] = [makePicture().id, makePicture().id];
		await markPending(storage, one);
		await markPending(storage, other);
		await markPending(storage, other);
		expect(await idsIn(pendingIds(storage))).toEqual([one, other].sort());
		await unmarkPending(storage, one);
		await unmarkPending(storage, one);
		expect(await idsIn(pendingIds(storage))).toEqual([other]);
	});
});

describe('purgePicture', () => {
	it('marks the picture, deletes the manifest, then the original, then the rest, and the marker last', async () => {
		const storage = await watchedStorage();
		const [picture, other] = [makePicture(), makePicture()];
		await markPending(storage, picture.id);
		await storage.put(picture.source.key, Buffer.from('jpg'));
		await writeManifest(storage, picture);
		await writeManifest(storage, other);
		const from = storage.changes.length;
		await purgePicture(storage, picture.id);
		expect(storage.changes.slice(from)).toEqual([
			'put pending/*',
			'delete pictures/*/picture.json',
			'delete pictures/*/original.jpg',
			'delete pictures/*/',
			'delete pending/*',
		]);
		expect(await storage.keys()).toEqual([manifestKey(folderOf(other.id))]);
	});

	it('can be repeated after a failure at any point', async () => {
		for (const failing of [/picture\.json/, /original/, /\*\/$/, /delete pending/]) {
			const storage = await watchedStorage();
			const picture = makePicture();
			await markPending(storage, picture.id);
			await storage.put(picture.source.key, Buffer.from('jpg'));
			await writeManifest(storage, picture);
			storage.failOn(failing);
			await expect(purgePicture(storage, picture.id)).rejects.toThrow('no space');
			expect(await idsIn(pendingIds(storage))).toEqual([picture.id]);
			storage.failOn(/^nothing$/);
			await purgePicture(storage, picture.id);
			expect(await storage.keys()).toEqual([]);
		}
	});
});

it('works while the disk is full', async () => {
	const storage = await watchedStorage();
	const picture = makePicture();
	await storage.put(picture.source.key, Buffer.from('jpg'));
	await writeManifest(storage, picture);
	storage.failOn(/^put/);
	await purgePicture(storage, picture.id);
	expect(await storage.keys()).toEqual([]);
	storage.failOn(/^put/, new Error('some other trouble'));
	await expect(purgePicture(storage, picture.id)).rejects.toThrow('some other trouble');
});

it('ignores unrelated files beside the manifests', async () => {
	const storage = await watchedStorage();
	const catalog = await openIndex();
	await writeManifest(storage, makePicture());
	const root = storage.description.slice('file:'.length);
	await writeFile(join(root, 'pictures', '.DS_Store'), 'x');
	await writeFile(join(root, 'pictures', 'picture.json'), 'x');
	expect(await reindex(storage, catalog)).toEqual({ pictures: 1, removed: 0, unreadable: [] });
});
