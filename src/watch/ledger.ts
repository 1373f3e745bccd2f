import * as z from 'zod';
import { digest } from '../domain/digest.ts';
import { stored } from '../domain/stored.ts';
import { reservationSchema } from '../intake/reservation.ts';
import { movedKeyBeside, watchedFolder, watchedKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';

/**
 * The outcome of each file in a watched folder. It is kept in storage, because it has to outlive every process, and the folder may be
 * read-only. An entry is written before its picture is accepted, with the picture's id. After a crash, the next process can therefore find
 * out whether it was accepted.
 */
const entrySchema = stored({
	version: z.literal(1),
	/** Current path of the file, relative to the watched folder. */
	path: z.string(),
	/** Its original path, if it was moved since. */
	origin: z.string().optional(),
	/** State of the file when it was read. */
	state: stored({ inode: z.number(), bytes: z.number(), modifiedAt: z.number() }),
	/** Empty once the picture was deleted. */
	sha256: z.string(),
	/** The accepted or reserved picture. */
	picture: reservationSchema,
	/** The picture has ended, and the file needs no further action. */
	isOver: z.literal(true).optional(),
	/** After the deletion of the picture: recognises the same bytes, so that a file that stays in the folder is not imported again. */
	deletedDigest: z.string().optional(),
});
export type LedgerEntry = z.infer<typeof entrySchema>;

export interface Ledger {
	read(path: string): Promise<LedgerEntry | undefined>;
	/** Writes the first entry of a path. @returns false if another process has written one */
	create(entry: LedgerEntry): Promise<boolean>;
	/** @param path of the file, for an entry that no longer has it */
	replace(entry: LedgerEntry, path?: string): Promise<void>;
	forget(path: string): Promise<void>;
	/** Deletes the entry of a file that was moved. */
	forgetMoved(entry: LedgerEntry): Promise<void>;
	/** Deletes everything about a deleted picture from its entry. */
	empty(entry: LedgerEntry): Promise<void>;
	/** The key of an entry in storage. */
	keyOf(entry: LedgerEntry): string;
	/** Every entry, in no guaranteed order. */
	entries(): AsyncIterable<LedgerEntry>;
}

/** @param folder absolute path of the watched folder, which identifies it in storage */
export function openLedger(storage: Storage, folder: string): Ledger {
	const name = digest(folder).slice(0, 12);
	const keyOfPath = (path: string) => watchedKey(name, digest(path));
	// The entry of a file that was moved follows from the first one, so that a deletion finds it.
	const keyOf = ({ path, origin, picture }: LedgerEntry) =>
		origin === undefined ? keyOfPath(path) : movedKey(keyOfPath(origin), picture.id);
	const at = async (key: string) => {
		const bytes = await readObject(storage, key);
		return bytes && entrySchema.parse(JSON.parse(bytes.toString()));
	};
	return {
		keyOf,
		read: (path) => at(keyOfPath(path)),
		create: (entry) => storage.create(keyOf(entry), toBytes(entry)),
		replace: (entry, path) => storage.put(path === undefined ? keyOf(entry) : keyOfPath(path), toBytes(entry)),
		forget: (path) => storage.delete(keyOfPath(path)),
		async forgetMoved(entry) {
			await storage.delete(keyOf(entry));
			// Earlier versions kept it at the new path, which may belong to another file by now.
			const { picture } = (await at(keyOfPath(entry.path))) ?? {};
			if (picture?.id === entry.picture.id) await storage.delete(keyOfPath(entry.path));
		},
		empty: (entry) => emptyLedgerEntry(storage, keyOf(entry), entry.picture.id),
		async *entries() {
			for await (const key of storage.list(watchedFolder(name))) {
				const entry = await at(key);
				if (entry) yield entry;
			}
		},
	};
}

function movedKey(key: string, pictureId: string): string {
	return movedKeyBeside(key, digest('moved', pictureId));
}

/** Does the entry stand for these bytes, also when their picture was deleted? */
export function isOfBytes({ sha256, deletedDigest, picture }: LedgerEntry, bytes: string): boolean {
	return sha256 === bytes || deletedDigest === digestOfDeleted(picture.id, bytes);
}

/** Salted with the id, so that nobody can tell from the digest which file it was without having both. */
function digestOfDeleted(id: string, sha256: string): string {
	return digest('deleted', id, sha256);
}

/**
 * Deletes everything about a deleted picture from the ledger. A file that stays in its folder keeps an entry without path and hash.
 *
 * @param key of the entry, as its picture's manifest names it
 */
export async function emptyLedgerEntry(storage: Storage, key: string, id: string): Promise<void> {
	await storage.delete(movedKey(key, id));
	const bytes = await readObject(storage, key);
	const entry = bytes && entrySchema.parse(JSON.parse(bytes.toString()));
	if (entry?.picture.id !== id || entry.deletedDigest !== undefined) return;
	const { version, state, sha256 } = entry;
	const picture = { id, deleted: true as const };
	const deletedDigest = digestOfDeleted(id, sha256);
	await storage.put(key, toBytes({ version, path: '', state, sha256: '', picture, isOver: true, deletedDigest }));
}

function toBytes(entry: LedgerEntry): Buffer {
	return Buffer.from(JSON.stringify(entry));
}
