import * as z from 'zod';
import { digest } from '../domain/digest.ts';
import { stored } from '../domain/stored.ts';
import { reservationSchema } from '../intake/reservation.ts';
import { watchedFolder, watchedKey } from '../storage/keys.ts';
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
	sha256: z.string(),
	/** The accepted or reserved picture. */
	picture: reservationSchema,
	/** The picture has ended, and the file needs no further action. */
	isOver: z.literal(true).optional(),
});
export type LedgerEntry = z.infer<typeof entrySchema>;

export interface Ledger {
	read(path: string): Promise<LedgerEntry | undefined>;
	/** Writes the first entry of a path. @returns false if another process has written one */
	create(entry: LedgerEntry): Promise<boolean>;
	replace(entry: LedgerEntry): Promise<void>;
	forget(path: string): Promise<void>;
	/** Every entry, in no guaranteed order. */
	entries(): AsyncIterable<LedgerEntry>;
}

/** @param folder absolute path of the watched folder, which identifies it in storage */
export function openLedger(storage: Storage, folder: string): Ledger {
	const name = digest(folder).slice(0, 12);
	const keyOf = (path: string) => watchedKey(name, digest(path));
	const at = async (key: string) => {
		const bytes = await readObject(storage, key);
		return bytes && entrySchema.parse(JSON.parse(bytes.toString()));
	};
	return {
		read: (path) => at(keyOf(path)),
		create: (entry) => storage.create(keyOf(entry.path), toBytes(entry)),
		replace: (entry) => storage.put(keyOf(entry.path), toBytes(entry)),
		forget: (path) => storage.delete(keyOf(path)),
		async *entries() {
			for await (const key of storage.list(watchedFolder(name))) {
				const entry = await at(key);
				if (entry) yield entry;
			}
		},
	};
}

function toBytes(entry: LedgerEntry): Buffer {
	return Buffer.from(JSON.stringify(entry));
}
