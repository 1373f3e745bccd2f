import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';

export interface StoredObject {
	readonly bytes: number;
	readonly modifiedAt: Date;
}

/** Bytes `start` to `end`, both inclusive, as in an HTTP Range. */
export interface ByteRange {
	readonly start: number;
	readonly end: number;
}

interface PutOptions {
	/**
	 * Another object follows in the same folder, and nothing relies on this one before that. Its bytes are durable at once; its name becomes
	 * durable together with the following one. A picture's files come before its manifest, so the folder needs one sync instead of one for
	 * each file.
	 */
	readonly isFollowed?: boolean;
}

/**
 * Where originals, variants and manifests are stored. A driver implements this and passes `test/contract/storage.ts`.
 *
 * Keys are relative paths of plain segments (`pictures/2026/01/31/pic_.../original.jpg`).
 */
export interface Storage {
	/** Identifies the storage in logs and pages, without secrets. */
	readonly description: string;
	/**
	 * Stores an object completely or not at all, and returns only when it would survive a power cut. Replaces an object with the same key. If
	 * the body fails, nothing is left behind and the body's error is thrown.
	 */
	put(key: string, body: Buffer | AsyncIterable<Buffer>, options?: PutOptions): Promise<void>;
	/**
	 * Stores an object as durably, unless the key exists. Of any number of concurrent callers, in any processes, exactly one creates it.
	 *
	 * @returns whether this call created it
	 */
	create(key: string, body: Buffer): Promise<boolean>;
	/** Opens an object or a range of it; undefined if it does not exist. The stream must be read or destroyed. */
	get(key: string, range?: ByteRange): Promise<(StoredObject & { readonly stream: Readable }) | undefined>;
	/** Facts about an object, or about an unfinished write from `list`; undefined if it does not exist. */
	stat(key: string): Promise<StoredObject | undefined>;
	/** Deletes an object, or an unfinished write from `list`. Does nothing if it does not exist. */
	delete(key: string): Promise<void>;
	/** Keys below a folder (`pending/`), in no guaranteed order. With `temporary`, includes unfinished writes. */
	list(folder: string, options?: { readonly temporary?: boolean }): AsyncIterable<string>;
	/** Names of the folders directly below a folder, in no guaranteed order: a walk over millions of pictures reads no folder of a picture. */
	folders(folder: string): Promise<string[]>;
	/** Deletes everything below a folder, including unfinished writes. */
	deleteFolder(folder: string): Promise<void>;
	/** Reads a whole small object at once. Implemented by drivers for which this is cheaper than a stream. */
	read?(key: string): Promise<Buffer | undefined>;
	/**
	 * As `read`, without leaving the thread: a fifth of the CPU time while the object is in the memory of the operating system. For walks over
	 * many small objects, which have to notice when it is not.
	 */
	readSync?: ((key: string) => Buffer | undefined) | undefined;
	/**
	 * The path of an object's file, whether or not it exists. Implemented by drivers that store objects as files on this machine, so that other
	 * processes can read them without access to the storage. For reading only.
	 */
	localPath?(key: string): string;
	/** Free and total space in bytes. Not implemented by drivers whose storage has no known limit. */
	room?(): Promise<{ readonly free: number; readonly total: number }>;
}

/** Reads a whole object into memory; for manifests and for originals inside an imaging process. */
export async function readObject(storage: Storage, key: string): Promise<Buffer | undefined> {
	if (storage.read) return storage.read(key);
	const object = await storage.get(key);
	if (!object) return undefined;
	// Not `buffer` of node:stream/consumers, which uses a Blob and copies three times.
	const chunks: Buffer[] = [];
	for await (const chunk of object.stream) chunks.push(chunk);
	return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

/** Checks that the storage stores, returns and deletes an object. @throws the driver's error if it does not */
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

/** A storage that accepts every object and stores none, for files that are only hashed and compared. */
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
		folders: async () => [],
		deleteFolder: async () => {},
	};
}
