import { type Picture, parsePicture, pictureIdTime } from '../domain/picture.ts';
import { manifestKey, pendingFolder, pendingKey, pictureFolder } from '../storage/keys.ts';
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

export async function writeManifest(storage: Storage, picture: Picture): Promise<void> {
	await storage.put(manifestKey(folderOf(picture.id)), Buffer.from(`${JSON.stringify(picture, null, '\t')}\n`));
}

/** Marks the picture as accepted and not finished; the sweep reads these markers. */
export async function markPending(storage: Storage, id: string): Promise<void> {
	await storage.put(pendingKey(id), Buffer.from(`${new Date().toISOString()}\n`));
}

export async function isPending(storage: Storage, id: string): Promise<boolean> {
	return (await storage.stat(pendingKey(id))) !== undefined;
}

export async function unmarkPending(storage: Storage, id: string): Promise<void> {
	await storage.delete(pendingKey(id));
}

/** The ids of all pictures accepted and not finished. */
export async function* pendingIds(storage: Storage): AsyncIterable<string> {
	for await (const key of storage.list(pendingFolder)) yield key.slice(pendingFolder.length);
}

/**
 * Deletes everything of a picture. The manifest goes first and the marker second: a worker that is just finishing looks for
 * both (see `record` in worker/record.ts), and so can't bring the picture back.
 */
export async function purgePicture(storage: Storage, id: string): Promise<void> {
	const folder = folderOf(id);
	await storage.delete(manifestKey(folder));
	await unmarkPending(storage, id);
	await storage.deleteFolder(folder);
}

/** The next version of a picture: a higher revision, now. */
export function revise(picture: Picture, change: Partial<Picture>): Picture {
	return { ...picture, ...change, revision: picture.revision + 1, updatedAt: new Date().toISOString() };
}
