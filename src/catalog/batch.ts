import {
	type Batch,
	batchSchema,
	type ClosedBatch,
	closedBatchSchema,
	type FinishedBatch,
	finishedBatchSchema,
	isBatchId,
} from '../domain/batch.ts';
import { PicpipeError } from '../errors.ts';
import { batchKeys, manifestKey, openBatchesFolder, openBatchKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { folderOf } from './manifest.ts';

/**
 * Batches in storage. Each fact is an object that is created once, so that concurrent writers never overwrite each other: the batch exists,
 * a picture belongs to it, it is closed, it is finished. A marker means that its end has not been published yet.
 */

/** Creates a batch unless one with this id exists. @returns whether this call created it */
export async function createBatch(storage: Storage, batch: Batch): Promise<boolean> {
	// The marker first: a crash in between leaves a marker without a batch, which the sweep removes.
	await storage.put(openBatchKey(batch.id), Buffer.from(`${batch.createdAt}\n`));
	return storage.create(batchKeys(batch.id).batch, toBytes(batch));
}

export async function readBatch(storage: Storage, id: string): Promise<Batch | undefined> {
	return isBatchId(id) ? read(storage, batchKeys(id).batch, batchSchema) : undefined;
}

/** @throws PicpipeError `unknown-batch` */
async function requireBatch(storage: Storage, id: string): Promise<Batch> {
	const batch = await readBatch(storage, id);
	if (batch) return batch;
	throw unknownBatch(id);
}

/** The error for a batch that does not exist. */
export function unknownBatch(id: string): PicpipeError {
	const shown = JSON.stringify(id.slice(0, 80));
	return new PicpipeError('unknown-batch', `Expected an existing batch id for batch but received ${shown}.`);
}

/** Undefined while the batch accepts pictures. */
export function readClosed(storage: Storage, id: string): Promise<ClosedBatch | undefined> {
	return read(storage, batchKeys(id).closed, closedBatchSchema);
}

/** Closes a batch to further pictures. A closed batch is left unchanged. */
export async function closeBatch(storage: Storage, id: string, reason: ClosedBatch['reason']): Promise<void> {
	const closed: ClosedBatch = { version: 1, at: new Date().toISOString(), reason };
	await storage.create(batchKeys(id).closed, toBytes(closed));
}

export function readFinished(storage: Storage, id: string): Promise<FinishedBatch | undefined> {
	return read(storage, batchKeys(id).finished, finishedBatchSchema);
}

/** @returns whether this call recorded it first */
export function createFinished(storage: Storage, id: string, finished: FinishedBatch): Promise<boolean> {
	return storage.create(batchKeys(id).finished, toBytes(finished));
}

/** @throws PicpipeError `unknown-batch`, `batch-closed` */
export async function requireOpenBatch(storage: Storage, id: string): Promise<Batch> {
	const batch = await requireBatch(storage, id);
	const closed = await readClosed(storage, id);
	if (closed) throw new PicpipeError('batch-closed', `Expected an open batch but this one was closed at ${closed.at}.`);
	return batch;
}

/**
 * Adds a picture to a batch, before its manifest is written. It checks twice that the batch is open: closing lists the pictures afterwards,
 * so one side always sees the other. A picture that was added stays in the batch, even if the batch was closed since.
 *
 * @throws PicpipeError `unknown-batch`, `batch-closed`; the picture is then not in the batch
 */
export async function joinBatch(storage: Storage, id: string, pictureId: string): Promise<void> {
	await requireBatch(storage, id);
	const key = batchKeys(id).picture(pictureId);
	if (await storage.stat(key)) return;
	await requireOpenBatch(storage, id);
	await storage.put(key, Buffer.from('\n'));
	await requireOpenBatch(storage, id).catch(async (error) => {
		await storage.delete(key);
		throw error;
	});
}

/** Removes a picture from a batch, because it could not be accepted. */
export async function leaveBatch(storage: Storage, id: string, pictureId: string): Promise<void> {
	await storage.delete(batchKeys(id).picture(pictureId));
}

/**
 * Closes a batch that has as many pictures as it expects.
 *
 * @param accepted how many pictures the index has; fewer than expected, and nothing is listed. Storage decides alone if undefined
 * @returns whether it is closed
 */
export async function closeIfComplete(storage: Storage, id: string, accepted?: number): Promise<boolean> {
	const { expect } = await requireBatch(storage, id);
	if (expect === undefined || (accepted !== undefined && accepted < expect)) return false;
	const members = await membersOf(storage, id);
	if (members.length < expect) return false;
	// Some members may still be uploading, or were lost on the way; only accepted pictures count. Checked only near the end.
	let stored = 0;
	for (const member of members) {
		if (await storage.stat(manifestKey(folderOf(member)))) stored++;
		if (stored === expect) break;
	}
	if (stored < expect) return false;
	await closeBatch(storage, id, 'expected');
	return true;
}

/** The ids of a batch's pictures, newest first. Some may have been deleted or never accepted. */
export async function membersOf(storage: Storage, id: string): Promise<string[]> {
	const { pictures } = batchKeys(id);
	const ids: string[] = [];
	for await (const key of storage.list(pictures)) ids.push(key.slice(pictures.length));
	return ids.sort().reverse();
}

/** Deletes the list of members. The manifests also name their batch. */
export async function forgetMembers(storage: Storage, id: string): Promise<void> {
	await storage.deleteFolder(batchKeys(id).pictures);
}

/** The ids of all batches whose end has not been published yet. */
export async function* openBatches(storage: Storage): AsyncIterable<string> {
	for await (const key of storage.list(openBatchesFolder)) yield key.slice(openBatchesFolder.length);
}

async function read<T>(storage: Storage, key: string, schema: { parse(value: unknown): T }): Promise<T | undefined> {
	const bytes = await readObject(storage, key);
	return bytes && schema.parse(JSON.parse(bytes.toString()));
}

function toBytes(value: object): Buffer {
	return Buffer.from(`${JSON.stringify(value, null, '\t')}\n`);
}
