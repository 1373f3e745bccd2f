import type { Storage } from './storage.ts';

/** A storage that accepts every object and keeps none, for files that are only hashed and compared. */
export function openNullStorage(): Storage {
	return {
		description: 'null storage',
		async put(_key, body) {
			if (Buffer.isBuffer(body)) return;
			for await (const _chunk of body); // The caller counts and hashes on the way.
		},
		create: async () => true,
		get: async () => undefined,
		stat: async () => undefined,
		delete: async () => {},
		async *list() {},
		deleteFolder: async () => {},
	};
}
