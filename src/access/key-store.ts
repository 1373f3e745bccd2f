import { apiKeyKey, apiKeyOf, keysFolder, revokedKeyKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { type KeyRecord, type KeyWishes, makeKey, parseKeyRecord } from './key.ts';

/** API keys in storage: created, listed and revoked. Needs no Redis. */

/** Records to read at a time. */
const parallel = 8;

/** The keys of one storage. */
export interface ApiKeys {
	/** The storage, for display. */
	readonly where: string;
	add(wishes: KeyWishes): Promise<{ record: KeyRecord; text: string }>;
	list(): Promise<{ readonly records: readonly KeyRecord[]; readonly unreadable: readonly string[] }>;
	revoke(id: string): Promise<KeyRecord | undefined>;
}

/** Creates a key. @returns its record, and its text, which is shown once and stored nowhere */
export async function addKey(storage: Storage, wishes: KeyWishes): Promise<{ record: KeyRecord; text: string }> {
	const made = makeKey(wishes);
	await writeRecord(storage, apiKeyKey(made.record.id), made.record);
	return made;
}

/** Every key, oldest first, including revoked ones; and the storage keys of unreadable records, which every API process refuses. */
export async function listKeys(storage: Storage): ReturnType<ApiKeys['list']> {
	const { active, revoked } = await namesOfKeys(storage);
	const keys = [...active].map(apiKeyKey).concat([...revoked].map(revokedKeyKey));
	const unreadable: string[] = [];
	const records = await readRecords(storage, keys, (key) => unreadable.push(key));
	// Ids sort by creation time.
	return { records: records.sort((one, other) => (one.id < other.id ? -1 : 1)), unreadable };
}

/**
 * Revokes a key for good. Every API process refuses it once it reads its list of keys again (`PICPIPE_KEYS_SECONDS`).
 *
 * @returns the record with the time of its first revocation; undefined if there is no such key
 */
export async function revokeKey(storage: Storage, id: string): Promise<KeyRecord | undefined> {
	const before = await readRecord(storage, revokedKeyKey(id));
	const record = before ?? (await readRecord(storage, apiKeyKey(id)));
	if (!record) return undefined;
	const revoked = { ...record, revokedAt: record.revokedAt ?? new Date().toISOString() };
	// In this order: after a crash in between, the key counts as revoked.
	if (!before) await writeRecord(storage, revokedKeyKey(id), revoked);
	await storage.delete(apiKeyKey(id));
	return revoked;
}

/** The ids of all keys: one storage listing, whatever their number. */
export async function namesOfKeys(storage: Storage): Promise<{ active: Set<string>; revoked: Set<string> }> {
	const active = new Set<string>();
	const revoked = new Set<string>();
	for await (const key of storage.list(keysFolder)) {
		const { id, isRevoked } = apiKeyOf(key);
		(isRevoked ? revoked : active).add(id);
	}
	for (const id of revoked) active.delete(id);
	return { active, revoked };
}

/** @param onUnreadable called for each record that cannot be read; it is left out */
export async function readRecords(
	storage: Storage,
	keys: readonly string[],
	onUnreadable: (key: string, cause: unknown) => void,
): Promise<KeyRecord[]> {
	const records: KeyRecord[] = [];
	for (let start = 0; start < keys.length; start += parallel) {
		const batch = keys.slice(start, start + parallel).map(async (key) => {
			const bytes = await readObject(storage, key);
			if (!bytes) return; // Revoked since it was listed.
			try {
				records.push(parseKeyRecord(bytes.toString()));
			} catch (error) {
				onUnreadable(key, error);
			}
		});
		await Promise.all(batch);
	}
	return records;
}

async function readRecord(storage: Storage, key: string): Promise<KeyRecord | undefined> {
	const bytes = await readObject(storage, key);
	return bytes && parseKeyRecord(bytes.toString());
}

async function writeRecord(storage: Storage, key: string, record: KeyRecord): Promise<void> {
	await storage.put(key, Buffer.from(`${JSON.stringify(record, null, '\t')}\n`));
}
