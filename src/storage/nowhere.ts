import type { Storage } from './storage.ts';

/** A storage that takes everything and keeps nothing: for who wants to know what came in, and not to have it. */
export function openNowhere(): Storage {
	return {
		description: 'nowhere',
		async put(_key, body) {
			if (Buffer.isBuffer(body)) return;
			for await (const _chunk of body); // Whoever counts and hashes does it on the way.
		},
		create: async () => true,
		get: async () => undefined,
		stat: async () => undefined,
		delete: async () => {},
		async *list() {},
		deleteFolder: async () => {},
	};
}
