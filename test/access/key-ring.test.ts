import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type KeyRingOptions, openKeyRing } from '../../src/access/key-ring.ts';
import { addKey, listKeys, revokeKey } from '../../src/access/key-store.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openFileStorage } from '../../src/storage/fs.ts';
import { apiKeyKey, revokedKeyKey } from '../../src/storage/keys.ts';
import { readObject, type Storage } from '../../src/storage/storage.ts';
import { listed } from '../contract/storage.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { thrownBy } from '../helpers/thrown.ts';

const wishes = { name: 'camera', scopes: ['upload' as const], limits: {} };
const settingKey = 'a-key-of-the-setting';

function open(storage: Storage, options: Partial<KeyRingOptions> = {}) {
	return openKeyRing(storage, { settingKeys: undefined, seconds: 1, log: createLogger('api', 'silent'), ...options });
}

/** A storage that counts how often it is asked, and that can be away. */
async function watchedStorage() {
	const storage = openFileStorage(await temporaryFolder());
	const asked = { lists: 0, reads: 0 };
	let isAway = false;
	const fail = () => {
		throw Object.assign(new Error('gone'), { code: 'EIO' });
	};
	const watched: Storage = {
		...storage,
		get(key, range) {
			asked.reads++;
			return isAway ? fail() : storage.get(key, range);
		},
		async read(key) {
			asked.reads++;
			return isAway ? fail() : storage.read?.(key);
		},
		list(folder, options) {
			asked.lists++;
			return isAway ? fail() : storage.list(folder, options);
		},
	};
	return {
		storage: watched,
		asked,
		away(now: boolean) {
			isAway = now;
		},
	};
}

describe('API keys in storage', () => {
	it('are one object each; revoking a key moves it', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const { record } = await addKey(storage, wishes);
		const other = await addKey(storage, { ...wishes, name: 'other' });
		expect(await listed(storage, 'keys/')).toEqual([apiKeyKey(record.id), apiKeyKey(other.record.id)]);
		const revoked = await revokeKey(storage, record.id);
		expect(revoked).toMatchObject({ ...record, revokedAt: expect.stringMatching(/^\d{4}-/) });
		expect(await listed(storage, 'keys/')).toEqual([apiKeyKey(other.record.id), revokedKeyKey(record.id)].sort());
		expect(await listKeys(storage)).toEqual({ records: [revoked, other.record], unreadable: [] });
		// Once more changes nothing, not even the time.
		expect(await revokeKey(storage, record.id)).toEqual(revoked);
		expect(await revokeKey(storage, 'key_00000000000000000000000000')).toBeUndefined();
	});

	it('count as revoked after an interrupted revocation, which can be completed', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const { record, text } = await addKey(storage, wishes);
		const bytes = (await readObject(storage, apiKeyKey(record.id))) ?? Buffer.alloc(0);
		await revokeKey(storage, record.id);
		await storage.put(apiKeyKey(record.id), bytes);
		expect(await open(storage).find(text)).toBeUndefined();
		expect((await listKeys(storage)).records).toMatchObject([{ id: record.id, revokedAt: expect.any(String) }]);
		await revokeKey(storage, record.id);
		expect(await listed(storage, 'keys/')).toEqual([revokedKeyKey(record.id)]);
	});
});

describe('the key ring', () => {
	it('requires a key once the first one exists, even if all are revoked', async () => {
		const storage = openFileStorage(await temporaryFolder());
		expect(open(storage).wasNeeded).toBeUndefined();
		expect(await open(storage).isNeeded()).toBe(false);
		expect(await open(storage, { settingKeys: [settingKey] }).isNeeded()).toBe(true);
		const { record } = await addKey(storage, wishes);
		const ring = open(storage);
		expect(await ring.isNeeded()).toBe(true);
		expect(ring.wasNeeded).toBe(true);
		expect(await ring.hasAdmin()).toBe(false);
		await revokeKey(storage, record.id);
		expect(await open(storage).isNeeded()).toBe(true);
		await addKey(storage, { ...wishes, scopes: ['admin'] });
		expect(await open(storage).hasAdmin()).toBe(true);
	});

	it('finds the caller of a key by its whole text', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const { record, text } = await addKey(storage, { ...wishes, recipes: ['web'], limits: { perDay: 3 } });
		const other = await addKey(storage, wishes);
		const ring = open(storage, { settingKeys: ['another-key-of-the-setting', settingKey] });
		expect(await ring.find(text)).toMatchObject({
			id: record.id,
			scopes: ['upload'],
			recipes: ['web'],
			limits: { perDay: 3 },
		});
		expect(await ring.find(settingKey)).toMatchObject({ id: 'setting-2', scopes: ['admin'], limits: {} });
		expect((await ring.byId(record.id))?.id).toBe(record.id);
		expect((await ring.byId('setting-1'))?.id).toBe('setting-1');
		expect(await ring.byId('setting-3')).toBeUndefined();
		const mixed = text.slice(0, 'picpipe_'.length + 26) + other.text.slice('picpipe_'.length + 26);
		for (const wrong of [mixed, text.slice(0, -1), `${text}x`, text.toUpperCase(), record.id, record.sha256, '']) {
			expect(await ring.find(wrong), wrong).toBeUndefined();
		}
	});

	it('accepts a new key at once and refuses a revoked one after the configured time', async () => {
		const storage = openFileStorage(await temporaryFolder());
		await addKey(storage, wishes);
		const ring = open(storage, { seconds: 2 });
		expect(await ring.isNeeded()).toBe(true);
		// The list is fresh, so that an unknown id has to make it be read again; that once a second.
		await sleep(1_000);
		const { record, text } = await addKey(storage, wishes);
		expect((await ring.find(text))?.id).toBe(record.id);

		await revokeKey(storage, record.id);
		const revokedAt = performance.now();
		let lastTaken = 0;
		const find = async () => {
			const askedAt = performance.now();
			const found = await ring.find(text);
			if (found) lastTaken = askedAt;
			return found;
		};
		await expect.poll(find, { timeout: 10_000, interval: 20 }).toBeUndefined();
		expect(lastTaken - revokedAt).toBeLessThan(2_300);
		expect(await ring.byId(record.id)).toBeUndefined();
	});

	it('reads the storage rarely, whatever strangers send, and each record once', async () => {
		const { storage, asked } = await watchedStorage();
		const made = await Promise.all(Array.from({ length: 20 }, () => addKey(storage, wishes)));
		asked.reads = 0;
		const ring = open(storage, { seconds: 60 });
		const { text: unknown } = await addKey(openFileStorage(await temporaryFolder()), wishes);
		for (let round = 0; round < 50; round++) {
			await Promise.all([...made.map(({ text }) => ring.find(text)), ring.find(unknown), ring.isNeeded()]);
		}
		expect(asked.reads).toBe(20);
		// One at first; at most one a second for the key that is not known.
		expect(asked.lists).toBeGreaterThan(0);
		expect(asked.lists).toBeLessThan(5);
	});

	it('reports unavailable storage once the list is too old, and recovers; configured keys need no storage', async () => {
		const { storage, away } = await watchedStorage();
		const { text } = await addKey(storage, wishes);
		const ring = open(storage, { settingKeys: undefined });
		const withSetting = open(storage, { settingKeys: [settingKey] });
		expect(await ring.find(text)).toBeDefined();
		away(true);
		expect(await ring.find(text), 'the list still holds').toBeDefined();
		await sleep(1_100);
		expect((await thrownBy(() => ring.find(text))).code).toBe('storage-unavailable');
		expect((await thrownBy(() => ring.isNeeded())).code).toBe('storage-unavailable');
		expect(await withSetting.find(settingKey)).toMatchObject({ id: 'setting-1' });
		expect(await withSetting.isNeeded()).toBe(true);
		expect((await thrownBy(() => withSetting.find(text))).code).toBe('storage-unavailable');
		away(false);
		expect(await ring.find(text)).toBeDefined();
	});

	it('refuses an unreadable record and accepts the others', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const { record, text } = await addKey(storage, wishes);
		const good = await addKey(storage, wishes);
		await storage.put(apiKeyKey(record.id), Buffer.from('{"version": 9}'));
		const ring = open(storage);
		expect(await ring.find(text)).toBeUndefined();
		expect(await ring.find(good.text)).toBeDefined();
		expect(await ring.isNeeded()).toBe(true);
		expect(await listKeys(storage)).toEqual({ records: [good.record], unreadable: [apiKeyKey(record.id)] });
	});
});
