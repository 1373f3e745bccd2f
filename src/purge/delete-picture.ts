import { setTimeout as sleep } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.ts';
import {
	closeDeletion,
	forgetDeletion,
	listDeletions,
	mentionedRecords,
	type OpenDeletion,
	openDeletion,
	type Remains,
	readDoneDeletion,
	readOpenDeletion,
} from '../catalog/deletion.ts';
import { finishBatch } from '../catalog/finish-batch.ts';
import { purgePicture, readManifest } from '../catalog/manifest.ts';
import type { RenderUse } from '../catalog/render-use.ts';
import { digest } from '../domain/digest.ts';
import { isReceived, type Picture } from '../domain/picture.ts';
import { isQueueUnavailable, toPicpipeError } from '../errors.ts';
import { emptyIdempotencyRecord } from '../intake/idempotency.ts';
import { readUpload, removeUpload } from '../intake/upload-record.ts';
import type { Logger } from '../observe/log.ts';
import { isDiskTrouble } from '../queue/redis.ts';
import {
	deletionFolders,
	isIdempotencyKey,
	isWatchedKey,
	mentionsOf,
	sourceRecordKey,
	uploadOf,
	uploadsFolder,
} from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { emptyLedgerEntry } from '../watch/ledger.ts';
import { deletedEvent } from '../webhooks/event.ts';
import { type Webhooks, withdrawMessages } from '../webhooks/publish.ts';

/** How often a deletion is tried again after space was freed, and the pauses, milliseconds. Redis looks for space once a second. */
const spaceAttempts = 10;
const spacePause = 400;

/** The dependencies of a deletion. */
interface DeletionDeps {
	readonly storage: Storage;
	readonly catalog: Catalog;
	readonly webhooks: Webhooks;
	readonly renderUse: Pick<RenderUse, 'forget'>;
	readonly log: Logger;
}

/**
 * Deletes a picture and everything known about it: files, index, jobs, records of requests, messages of webhooks. Then `picture.deleted` is
 * published, with the id alone.
 *
 * An open deletion in storage comes first. From then on the deletion happens, whatever crashes: the sweep carries it out, and so does a
 * repeated call. Without Redis nothing is begun.
 *
 * @param found the picture as the index or the storage has it
 * @param requestId of the request to delete it
 * @throws PicpipeError `queue-unavailable`; the deletion has begun only if Redis was lost in the middle of it
 */
export async function deleteEverything(deps: DeletionDeps, found: Picture, requestId: string): Promise<void> {
	const { storage, catalog } = deps;
	// Fails while Redis is away.
	await catalog.get(found.id);
	const begun = await readOpenDeletion(storage, found.id);
	// The index may lag behind the manifest.
	const last = (await readManifest(storage, found.id).catch(() => undefined)) ?? begun?.picture ?? found;
	const picture = { ...last, requestId };
	const deletion = begun ?? (await openDeletion(storage, picture).catch((error) => asUnrecorded(error, picture)));
	await carryOut(deps, { ...deletion, picture }).catch((error) =>
		freeSpaceFirst(error, deps, { ...deletion, picture }),
	);
}

/**
 * A Redis whose disk is full accepts no deletion, and without one the disk stays full. So the files go first, in case they are on the same disk,
 * and then Redis gets the time to notice.
 */
async function freeSpaceFirst(error: unknown, deps: DeletionDeps, deletion: OpenDeletion): Promise<void> {
	if (!isDiskTrouble(error)) throw error;
	const { storage } = deps;
	const { picture } = deletion;
	await purgePicture(storage, picture.id);
	// There may be space for it now. Without it, the entry in the index still allows to repeat the deletion.
	await openDeletion(storage, picture).catch((reason) => asUnrecorded(reason, picture));
	for (let attempt = 1; ; attempt++) {
		await sleep(spacePause);
		try {
			return await carryOut(deps, deletion);
		} catch (reason) {
			if (attempt === spaceAttempts || !isDiskTrouble(reason)) throw reason;
		}
	}
}

/** A full disk has no space for an open deletion. But deleting frees space, so the deletion continues without one. */
function asUnrecorded(error: unknown, picture: Picture): OpenDeletion {
	if (toPicpipeError(error).code !== 'storage-full') throw error;
	return { at: new Date().toISOString(), picture };
}

/** The steps of a deletion. Each can be repeated. */
async function carryOut(deps: DeletionDeps, { at, picture }: OpenDeletion): Promise<void> {
	const { storage, catalog, webhooks, renderUse, log } = deps;
	const { id } = picture;
	const sha256 = isReceived(picture) ? picture.source.sha256 : undefined;
	// The index first: from here on Redis refuses late writes about the picture.
	await catalog.remove(id, sha256);
	// Then the manifest: whoever writes something about the picture looks for it afterwards (decision 0065).
	await purgePicture(storage, id);
	const remains = { id, revision: picture.revision, records: await recordsOf(storage, picture) };
	await purgeRemains(deps, remains, sha256);
	await webhooks.queues.purgePicture(picture);
	await renderUse.forget(id);
	await webhooks.publisher.publish(deletedEvent(picture, at));
	await closeDeletion(storage, remains, at).catch((error) => {
		if (toPicpipeError(error).code !== 'storage-full') throw error;
	});
	const { batch } = picture;
	if (batch !== undefined) {
		// The batch may have been waiting for the picture. If this fails, the sweep finishes the batch.
		await finishBatch({ storage, catalog, publisher: webhooks.publisher, log }, batch).catch((err) =>
			log.warn({ err, batchId: batch }, 'batch not checked; the sweep checks it'),
		);
	}
}

async function recordsOf(storage: Storage, { id, source, records = [] }: Picture): Promise<string[]> {
	const ofUrl = source.url === undefined ? [] : [sourceRecordKey(digest(source.url))];
	return [...new Set([...records, ...ofUrl, ...(await mentionedRecords(storage, id))])];
}

/** What is found without the manifest. */
async function purgeRemains({ storage, webhooks }: DeletionDeps, remains: Remains, sha256?: string): Promise<void> {
	for (const key of remains.records) await purgeRecord(storage, key, remains.id, sha256);
	await storage.deleteFolder(mentionsOf(remains.id));
	await withdrawMessages(webhooks, remains);
}

/**
 * Deletes everything about a deleted picture from a record outside its folder. Does nothing if the record is gone, or about another picture.
 *
 * @param key of the record in storage
 * @param sha256 of the picture's bytes, if known
 */
async function purgeRecord(storage: Storage, key: string, id: string, sha256?: string): Promise<void> {
	if (key.startsWith(uploadsFolder)) return purgeUpload(storage, uploadOf(key));
	if (isIdempotencyKey(key)) return emptyIdempotencyRecord(storage, key, id, sha256);
	if (isWatchedKey(key)) return emptyLedgerEntry(storage, key, id);
	// The picture of a remote URL: the next request for the URL makes a new one.
	if ((await readObject(storage, key))?.toString().trim() === id) await storage.delete(key);
}

/** The record of a resumable upload, with bytes that were not deleted yet. */
async function purgeUpload(storage: Storage, uploadId: string): Promise<void> {
	const upload = await readUpload(storage, uploadId);
	for (const part of upload?.parts ?? []) await removeUpload(storage, part);
	await removeUpload(storage, uploadId);
}

/** How long the sweep sees an open deletion before it carries it out, milliseconds: its process may be at work. */
const patience = 10_000;

interface SweepDeletions extends DeletionDeps {
	/** Milliseconds since this process has first seen an object. */
	readonly age: (key: string) => number;
	/** How long a done deletion is kept, seconds: nothing that began before it is still in progress. */
	readonly abandonedSeconds: number;
}

/**
 * Carries out the deletions of killed processes. Of deletions that are done long enough, it deletes what a killed process may have written
 * after them, and then the last trace.
 *
 * @returns how many it carried out
 */
export async function sweepDeletions(context: SweepDeletions): Promise<number> {
	const { storage, log, age, abandonedSeconds } = context;
	let carriedOut = 0;
	for await (const id of listDeletions(storage, 'open')) {
		if (age(deletionFolders.open + id) < patience) continue;
		await attempt(log, id, async () => {
			const deletion = await readOpenDeletion(storage, id);
			if (!deletion) return;
			await carryOut(context, deletion);
			log.info({ pictureId: id }, 'deletion of a killed process carried out');
			carriedOut++;
		});
	}
	for await (const id of listDeletions(storage, 'done')) {
		if (age(deletionFolders.done + id) < abandonedSeconds * 1_000) continue;
		await attempt(log, id, async () => {
			const remains = await readDoneDeletion(storage, id);
			await purgePicture(storage, id);
			if (remains) await purgeRemains(context, remains);
			await forgetDeletion(storage, id);
		});
	}
	return carriedOut;
}

async function attempt(log: Logger, pictureId: string, work: () => Promise<void>): Promise<void> {
	try {
		await work();
	} catch (err) {
		if (isQueueUnavailable(err)) throw err;
		log.error({ err, pictureId }, 'deletion not carried out; the next sweep tries again');
	}
}
