import { type Picture, parsePicture, pictureIdTime } from '../domain/picture.ts';
import { toPicpipeError } from '../errors.ts';
import { manifestKey, originalKey, pendingFolder, pendingKey, pictureFolder } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';

/** The manifests in storage: the truth about every picture, also while Redis is away. */

/** The folder of a picture, which follows from its id. */
export function folderOf(id: string): string {
	return pictureFolder(id, pictureIdTime(id));
}

/** Undefined when there is no such picture. */
export async function readManifest(storage: Storage, id: string): Promise<Picture | undefined> {
	const bytes = await readObject(storage, manifestKey(folderOf(id)));
	return bytes && parsePicture(bytes.toString());
}

/** Which version of a picture there is, and nothing of the rest, which is not looked at. Undefined when there is no such picture. */
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

/** Writes the first manifest of a picture, unless there is one. @returns whether it was this one */
export async function createManifest(storage: Storage, picture: Picture): Promise<boolean> {
	return storage.create(manifestKey(folderOf(picture.id)), toBytes(picture));
}

/** Marks the picture as accepted and not finished; the sweep reads these markers. */
export async function markPending(storage: Storage, id: string): Promise<void> {
	await storage.put(pendingKey(id), Buffer.from(`${new Date().toISOString()}\n`));
}

export async function unmarkPending(storage: Storage, id: string): Promise<void> {
	await storage.delete(pendingKey(id));
}

/** The ids of all pictures accepted and not finished. */
export async function* pendingIds(storage: Storage): AsyncIterable<string> {
	for await (const key of storage.list(pendingFolder)) yield key.slice(pendingFolder.length);
}

/**
 * Deletes everything of a picture. It is marked first, so that the sweep ends what a killed process has begun. Then the manifest
 * goes, then the original: a worker that writes the manifest at that moment looks for the original afterwards (see `replaceManifest`
 * in worker/record.ts), so one of the two always sees the other and the picture can't come back.
 */
export async function purgePicture(storage: Storage, id: string): Promise<void> {
	const folder = folderOf(id);
	// On a full disk there is no place for a marker, and deleting is what helps.
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

/** The next version of a picture: a higher revision, now. */
export function revise(picture: Picture, change: Partial<Picture>): Picture {
	return { ...picture, ...change, revision: picture.revision + 1, updatedAt: new Date().toISOString() };
}
