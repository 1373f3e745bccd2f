import { keysFolder, openBatchesFolder, pendingFolder, webhooksFolder } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';

/** Folders in which small objects of many owners lie. What was torn in a picture's own folder goes with that picture's next record. */
const sharedFolders = [pendingFolder, keysFolder, webhooksFolder, openBatchesFolder];

/**
 * Deletes what processes have left behind that were killed while they wrote.
 *
 * @param before milliseconds since 1970; whatever is younger may still be being written
 * @returns how many writes
 */
export async function removeTornWrites(storage: Storage, before: number): Promise<number> {
	let removed = 0;
	for (const folder of sharedFolders) {
		for await (const key of storage.list(folder, { temporary: true })) {
			// No object's name begins with a dot.
			if (!key.includes('/.')) continue;
			const stat = await storage.stat(key);
			if (!stat || stat.modifiedAt.getTime() > before) continue;
			await storage.delete(key);
			removed++;
		}
	}
	return removed;
}
