import { keysFolder, openBatchesFolder, pendingFolder, webhooksFolder } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import type { Sightings } from './sightings.ts';

/** Folders in which small objects of many owners lie. What was torn in a picture's own folder goes with that picture's next record. */
const sharedFolders = [pendingFolder, keysFolder, webhooksFolder, openBatchesFolder];

/**
 * Deletes what processes have left behind that were killed while they wrote.
 *
 * @param options those that were not seen for so long may still be under way
 * @returns how many writes
 */
export async function removeTornWrites(
	storage: Storage,
	options: { readonly abandonedSeconds: number; readonly sightings: Sightings },
): Promise<number> {
	let removed = 0;
	for (const folder of sharedFolders) {
		for await (const key of storage.list(folder, { temporary: true })) {
			// No object's name begins with a dot.
			if (!key.includes('/.') || options.sightings.ageOf(key) < options.abandonedSeconds * 1_000) continue;
			await storage.delete(key);
			removed++;
		}
	}
	return removed;
}
