import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import {
	folderOf,
	markPending,
	pendingIds,
	purgePicture,
	readManifest,
	writeManifest,
} from '../../src/catalog/manifest.ts';
import type { Picture } from '../../src/domain/picture.ts';
import { originalKey } from '../../src/storage/keys.ts';
import { type Records, record, settle } from '../../src/worker/record.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { type WatchedStorage, watchedStorage } from '../helpers/storage.ts';

interface Opened extends Records {
	readonly storage: WatchedStorage;
	readonly picture: Picture;
}

/** An accepted picture on which work is under way. */
async function open(): Promise<Opened> {
	const to = { storage: await watchedStorage(), catalog: openCatalog(await connected(), freshPrefix()) };
	const picture = makePicture();
	await markPending(to.storage, picture.id);
	await to.storage.put(picture.source.key, Buffer.from('jpg'));
	await writeManifest(to.storage, picture);
	await to.catalog.put(picture);
	return { ...to, picture };
}

/** What happens when somebody else does something just before this one's first change of the manifest is made. */
function interrupted({ storage, catalog }: Opened, first: () => Promise<unknown>): Records {
	let isFirst = true;
	return {
		catalog,
		storage: {
			...storage,
			async put(key, body) {
				if (isFirst) {
					isFirst = false;
					await first();
				}
				return storage.put(key, body);
			},
		},
	};
}

async function pending(to: Records): Promise<string[]> {
	const ids: string[] = [];
	for await (const id of pendingIds(to.storage)) ids.push(id);
	return ids;
}

describe('a recorded end', () => {
	it('is in the manifest and the index, and the marker is deleted', async () => {
		const to = await open();
		expect(await record(to, to.picture, { state: 'ready' })).toBe('recorded');
		expect(await readManifest(to.storage, to.picture.id)).toMatchObject({ state: 'ready', revision: 2 });
		expect(await to.catalog.get(to.picture.id)).toMatchObject({ state: 'ready' });
		expect(await pending(to)).toEqual([]);
	});

	it('counts once if it is recorded twice', async () => {
		const to = await open();
		await record(to, to.picture, { state: 'ready' });
		expect(await record(to, to.picture, { state: 'failed' })).toBe('superseded');
		expect(await readManifest(to.storage, to.picture.id)).toMatchObject({ state: 'ready' });
	});

	it('keeps the picture if it is recorded twice at the same time, whoever is first', async () => {
		const to = await open();
		const late = interrupted(to, () => record(to, to.picture, { state: 'ready' }));
		expect(await record(late, to.picture, { state: 'ready' })).toBe('recorded');
		expect(await readManifest(to.storage, to.picture.id)).toMatchObject({ state: 'ready' });
		expect(await to.storage.stat(to.picture.source.key)).toBeDefined();
		expect(await to.catalog.get(to.picture.id)).toMatchObject({ state: 'ready' });
		expect(await pending(to)).toEqual([]);
	});

	it('of a picture that is deleted before or during it leaves nothing', async () => {
		const before = await open();
		await purgePicture(before.storage, before.picture.id);
		expect(await record(before, before.picture, { state: 'ready' })).toBe('deleted');
		expect(await before.storage.keys()).toEqual([]);

		const middle = await open();
		const late = interrupted(middle, () => purgePicture(middle.storage, middle.picture.id));
		expect(await record(late, middle.picture, { state: 'ready' })).toBe('deleted');
		expect(await middle.storage.keys()).toEqual([]);
		expect(await middle.catalog.get(middle.picture.id)).toBeUndefined();
	});

	it('does not restore a picture if it is written between two steps of a deletion', async () => {
		const to = await open();
		// The manifest is gone already, the original is next.
		const deleting: WatchedStorage = {
			...to.storage,
			async delete(key) {
				if (key === originalKey(folderOf(to.picture.id), 'jpg')) await writeManifest(to.storage, to.picture);
				await to.storage.delete(key);
			},
		};
		await purgePicture(deleting, to.picture.id);
		expect(await to.storage.keys()).toEqual([]);
	});
});

describe('settling a finished picture', () => {
	it('removes objects that no manifest names, including unfinished writes', async () => {
		const to = await open();
		const folder = folderOf(to.picture.id);
		await to.storage.put(`${folder}old-0123456789ab.webp`, Buffer.from('webp'));
		const root = to.storage.description.slice('file:'.length);
		await writeFile(`${root}/${folder}.3b0c2f5e-5a3f-4a60-9d2e-0f7f6a1b2c3d.tmp`, 'half');
		await settle(to, { ...to.picture, state: 'ready' });
		expect(await to.storage.keys()).toEqual([`${folder}original.jpg`, `${folder}picture.json`]);
	});
});
