import { type Picture, parsePicture, pictureIdTime } from '../domain/picture.ts';
import { toPicpipeError } from '../errors.ts';
import { manifestKey, originalKey, pendingFolder, pendingKey, pictureFolder } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';

/** The manifests in storage: the source of truth about every picture, also while Redis is away. */

/** The folder of a picture, which follows from its id. */
export function folderOf(id: string): string {
	return pictureFolder(id, pictureIdTime(id));
}

/** Undefined when there is no such picture. */
export async function readManifest(storage: Storage, id: string): Promise<Picture | undefined> {
	const bytes = await readObject(storage, manifestKey(folderOf(id)));
	return bytes && parsePicture(bytes.toString());
}

/** The stored revision of a picture, without parsing or checking the rest. Undefined if there is no such picture. */
export async function readRevision(storage: Storage, id: string): Promise<number | undefined> {
	const bytes = await readObject(storage, manifestKey(folderOf(id)));
	return bytes && (JSON.parse(bytes.toString()) as Pick<Picture, 'revision'>).revision;
}

export async function writeManifest(storage: Storage, picture: Picture): Promise<void> {
	await storage.put(manifestKey(folderOf(picture.id)), toBytes(picture));
}

function toBytes(picture: Picture): Buffer {
	return Buffer.from(`${JSON.stringify(picture, null, '\t')}\n`);
}

/** Writes a picture's first manifest unless one exists. @returns whether this call wrote it */
export async function createManifest(storage: Storage, picture: Picture): Promise<boolean> {
	return storage.create(manifestKey(folderOf(picture.id)), toBytes(picture));
}

/** Marks a picture as accepted but unfinished. The sweep reads these markers. */
export async function markPending(storage: Storage, id: string): Promise<void> {
	await storage.put(pendingKey(id), Buffer.from(`${new Date().toISOString()}\n`));
}

export async function unmarkPending(storage: Storage, id: string): Promise<void> {
	await storage.delete(pendingKey(id));
}

/** The ids of all accepted but unfinished pictures. */
export async function* pendingIds(storage: Storage): AsyncIterable<string> {
	for await (const key of storage.list(pendingFolder)) yield key.slice(pendingFolder.length);
}

/**
 * Deletes every object of a picture. The marker comes first, so that the sweep completes the deletion if the process is killed. Then the
 * manifest is deleted, then the original. A worker that writes the manifest at that moment checks for the original afterwards (see
 * `replaceManifest` in worker/record.ts), so one of the two always sees the other, and the picture cannot come back.
 */
export async function purgePicture(storage: Storage, id: string): Promise<void> {
	const folder = folderOf(id);
	// A full disk has no space for a marker, but deleting frees space, so continue.
	await markPending(storage, id).catch((error) => {
		if (toPicpipeError(error).code !== 'storage-full') throw error;
	});
	await storage.delete(manifestKey(folder));
	for await (const key of storage.list(folder)) {
		if (key.startsWith(originalKey(folder, ''))) await storage.delete(key);
	}
	await storage.deleteFolder(folder);
	await unmarkPending(storage, id);
}

/** The next version of a picture, with a higher revision and the current time. */
export function revise(picture: Picture, change: Partial<Picture>): Picture {
	return { ...picture, ...change, revision: picture.revision + 1, updatedAt: new Date().toISOString() };
}
