import * as z from 'zod';
import { digest } from '../domain/digest.ts';
import { stored } from '../domain/stored.ts';
import { reservationSchema } from '../intake/reservation.ts';
import { watchedFolder, watchedKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';

/**
 * What became of the files of a watched folder, in the storage: it has to outlive every process, and the folder may be one that can't be
 * written to. An entry is written before its picture is accepted, with the id that the picture will have; so whoever comes after a crash
 * finds whether it was.
 */
const entrySchema = stored({
	version: z.literal(1),
	/** Where the file is, relative to the watched folder. */
	path: z.string(),
	/** Where it was when it came, if it was moved since. */
	origin: z.string().optional(),
	/** As it was read. */
	state: stored({ inode: z.number(), bytes: z.number(), modifiedAt: z.number() }),
	sha256: z.string(),
	/** The picture, or the one that is to be. */
	picture: reservationSchema,
	/** The picture has ended, and nothing is left to be done about the file. */
	isOver: z.literal(true).optional(),
});
export type LedgerEntry = z.infer<typeof entrySchema>;

export interface Ledger {
	read(path: string): Promise<LedgerEntry | undefined>;
	/** Writes the first entry of a path. @returns false when there is one by now */
	create(entry: LedgerEntry): Promise<boolean>;
	replace(entry: LedgerEntry): Promise<void>;
	forget(path: string): Promise<void>;
	/** Every entry, in no promised order. */
	entries(): AsyncIterable<LedgerEntry>;
}

/** @param folder the watched folder's absolute path, which is its name in the storage */
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
