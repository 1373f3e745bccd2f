import { openFileStorage } from '../../src/storage/fs.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { temporaryFolder } from './folder.ts';

/** A storage in a folder of its own that remembers what was asked of it and can be made to fail. */
export interface WatchedStorage extends Storage {
	/** Changes in the order in which they were finished, such as `put pending/pic_...`; ids are left out. */
	readonly changes: string[];
	/** Makes every change fail whose line matches. */
	failOn(pattern: RegExp, error?: Error): void;
	/** Every key, what unfinished writes have left included. */
	keys(): Promise<string[]>;
}

export async function watchedStorage(): Promise<WatchedStorage> {
	const storage = openFileStorage(await temporaryFolder());
	const changes: string[] = [];
	let failing: { pattern: RegExp; error: Error } | undefined;
	const change = async <T>(what: string, key: string, work: () => Promise<T>): Promise<T> => {
		const line = `${what} ${key.replace(/pictures\/\d{4}\/\d\d\/\d\d\//, 'pictures/').replaceAll(/pic_\w{26}/g, '*')}`;
		if (failing?.pattern.test(line)) throw failing.error;
		const result = await work();
		changes.push(line);
		return result;
	};
	return {
		...storage,
		changes,
		put: (key, body) => change('put', key, () => storage.put(key, body)),
		create: (key, body) => change('create', key, () => storage.create(key, body)),
		delete: (key) => change('delete', key, () => storage.delete(key)),
		deleteFolder: (folder) => change('delete', folder, () => storage.deleteFolder(folder)),
		failOn(pattern, error = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })) {
			failing = { pattern, error };
		},
		async keys() {
			const keys: string[] = [];
			for (const folder of ['pictures/', 'pending/']) {
				for await (const key of storage.list(folder, { temporary: true })) keys.push(key);
			}
			return keys.sort();
		},
	};
}
