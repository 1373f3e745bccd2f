import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';

export interface StoredObject {
	readonly bytes: number;
	readonly modifiedAt: Date;
}

/** Bytes `start` to `end`, both counted, as in an HTTP Range. */
export interface ByteRange {
	readonly start: number;
	readonly end: number;
}

interface PutOptions {
	/**
	 * Nobody relies on the object before another one was put into the same folder: its bytes are durable at once, its name together with that
	 * one's. A picture's files come before its manifest, and a folder need not be synced for each of them.
	 */
	readonly isFollowed?: boolean;
}

/**
 * Where originals, variants and manifests are kept. A driver implements this and passes `test/contract/storage.ts`.
 *
 * Keys are relative paths of plain segments (`pictures/2026/01/31/pic_.../original.jpg`).
 */
export interface Storage {
	/** For logs and pages: which storage this is, without secrets. */
	readonly description: string;
	/**
	 * Stores the object whole or not at all, and returns only when it would survive a power cut. An object of the same
	 * key is replaced. When the body fails nothing is left behind and the body's own error is thrown.
	 */
	put(key: string, body: Buffer | AsyncIterable<Buffer>, options?: PutOptions): Promise<void>;
	/**
	 * Stores an object as durably, unless there is one of this key: of any number who create it at once, in any processes, one does.
	 *
	 * @returns whether it was this one
	 */
	create(key: string, body: Buffer): Promise<boolean>;
	/** Opens the object, or a range of it; undefined when there is none. The stream must be read or destroyed. */
	get(key: string, range?: ByteRange): Promise<(StoredObject & { readonly stream: Readable }) | undefined>;
	/** Of an object, or of an unfinished write that `list` has named; undefined when there is none. */
	stat(key: string): Promise<StoredObject | undefined>;
	/** Deletes the object, or an unfinished write that `list` has named; fine when there is none. */
	delete(key: string): Promise<void>;
	/** Keys below a folder (`pending/`), in no promised order; with `temporary` also what unfinished or killed writes have left. */
	list(folder: string, options?: { readonly temporary?: boolean }): AsyncIterable<string>;
	/** Deletes everything below a folder, unfinished writes too. */
	deleteFolder(folder: string): Promise<void>;
	/** How much room there is, in bytes. Left out by drivers whose storage has no end that they could see. */
	room?(): Promise<{ readonly free: number; readonly total: number }>;
}

/** Reads a whole object into memory; for manifests and for originals inside an imaging process. */
export async function readObject(storage: Storage, key: string): Promise<Buffer | undefined> {
	const object = await storage.get(key);
	if (!object) return undefined;
	// Not `buffer` of node:stream/consumers, which goes by way of a Blob and copies three times.
	const chunks: Buffer[] = [];
	for await (const chunk of object.stream) chunks.push(chunk);
	return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

/** Proves that the storage takes, returns and deletes an object. @throws what the driver throws when it doesn't. */
export async function checkStorage(storage: Storage): Promise<void> {
	const key = `health/${randomUUID()}`;
	try {
		await storage.put(key, Buffer.from('picpipe'));
		const read = await readObject(storage, key);
		if (read?.toString() !== 'picpipe') throw new Error('The storage did not return what was written to it.');
	} finally {
		await storage.delete(key);
	}
}

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
