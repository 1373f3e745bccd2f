import { openFileStorage } from '../../src/storage/fs.ts';
import type { Storage } from '../../src/storage/storage.ts';

/** A storage whose files cannot be read in place, as if it were on other machines, and that counts how often an object is opened. */
export function remoteStorage(folder: string): { readonly storage: Storage; readonly gets: string[] } {
	const { localPath: _localPath, read: _read, readSync: _readSync, ...storage } = openFileStorage(folder);
	const gets: string[] = [];
	return {
		gets,
		storage: {
			...storage,
			get(key, range) {
				gets.push(key);
				return storage.get(key, range);
			},
		},
	};
}
