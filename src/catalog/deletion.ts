import * as z from 'zod';
import { digest12 } from '../domain/digest.ts';
import { type Picture, parsePicture } from '../domain/picture.ts';
import { stored } from '../domain/stored.ts';
import { deletionFolders, mentionsOf } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';

/**
 * Deletions in storage. While one is open, it holds the last manifest, so that the sweep or a repeated request can carry it out after a
 * crash. Once it is done, only the id and the keys of emptied records stay, until no process can still be writing about the picture.
 */

const openSchema = stored({
	version: z.literal(1),
	/** When the deletion was requested; also the time of its webhook. */
	at: z.iso.datetime(),
	/** The last manifest, as text: any version may have written it. */
	manifest: z.string(),
});

const doneSchema = stored({
	version: z.literal(1),
	at: z.iso.datetime(),
	revision: z.int(),
	records: z.array(z.string()),
});

/** A deletion that has to be carried out. */
export interface OpenDeletion {
	readonly at: string;
	readonly picture: Picture;
}

/** What may be left of a deleted picture: the parts of its manifest that say where. */
export interface Remains {
	readonly id: string;
	readonly revision: number;
	/** Storage keys of the records outside its folder. */
	readonly records: readonly string[];
}

/** Begins a deletion, or finds the one that has begun. */
export async function openDeletion(storage: Storage, picture: Picture): Promise<OpenDeletion> {
	const at = new Date().toISOString();
	const bytes = toBytes({ version: 1, at, manifest: JSON.stringify(picture) } satisfies z.input<typeof openSchema>);
	if (await storage.create(deletionFolders.open + picture.id, bytes)) return { at, picture };
	return (await readOpenDeletion(storage, picture.id)) ?? { at, picture };
}

/** Undefined unless a deletion of the picture is in progress. */
export async function readOpenDeletion(storage: Storage, id: string): Promise<OpenDeletion | undefined> {
	const bytes = await readObject(storage, deletionFolders.open + id);
	if (!bytes) return undefined;
	const { at, manifest } = openSchema.parse(JSON.parse(bytes.toString()));
	return { at, picture: parsePicture(manifest) };
}

/** Replaces the manifest of a deletion by what its second pass needs. */
export async function closeDeletion(storage: Storage, { id, revision, records }: Remains, at: string): Promise<void> {
	const done = { version: 1, at, revision, records: [...records] } satisfies z.input<typeof doneSchema>;
	await storage.put(deletionFolders.done + id, toBytes(done));
	await storage.delete(deletionFolders.open + id);
}

export async function readDoneDeletion(storage: Storage, id: string): Promise<Remains | undefined> {
	const bytes = await readObject(storage, deletionFolders.done + id);
	return bytes && { id, ...doneSchema.parse(JSON.parse(bytes.toString())) };
}

export async function forgetDeletion(storage: Storage, id: string): Promise<void> {
	await storage.delete(deletionFolders.done + id);
}

/** The ids of all deletions in progress, or of those that are done. */
export async function* listDeletions(storage: Storage, which: keyof typeof deletionFolders): AsyncIterable<string> {
	for await (const key of storage.list(deletionFolders[which])) yield key.slice(deletionFolders[which].length);
}

/** Is the picture being deleted, or was it deleted a short while ago? Nothing may be written under its id any more. */
export async function isDeleted(storage: Storage, id: string): Promise<boolean> {
	const [open, done] = await Promise.all([
		storage.stat(deletionFolders.open + id),
		storage.stat(deletionFolders.done + id),
	]);
	return open !== undefined || done !== undefined;
}

/**
 * Notes that a record repeats facts about a picture that another request made. The picture's own request names its records in the manifest.
 * Call it before the record is written.
 */
export async function mention(storage: Storage, id: string, recordKey: string): Promise<void> {
	await storage.put(mentionsOf(id) + digest12(recordKey), Buffer.from(recordKey));
}

/** The keys that were noted with `mention`. */
export async function mentionedRecords(storage: Storage, id: string): Promise<string[]> {
	const keys: string[] = [];
	for await (const key of storage.list(mentionsOf(id))) {
		const record = await readObject(storage, key);
		if (record) keys.push(record.toString());
	}
	return keys;
}

function toBytes(value: object): Buffer {
	return Buffer.from(JSON.stringify(value));
}
