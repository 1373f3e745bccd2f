import type { Job } from 'bullmq';
import { sweepBatches } from '../catalog/finish-batch.ts';
import { pendingIds, purgePicture, readManifest } from '../catalog/manifest.ts';
import { reindex } from '../catalog/reindex.ts';
import type { RenderUse } from '../catalog/render-use.ts';
import { isFinished, type Picture, parsePictureId } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { type ForgetUploadsOptions, forgetUploads } from '../intake/forget-uploads.ts';
import { type ForgetOptions, forgetIdempotencyKeys } from '../intake/idempotency.ts';
import type { Logger } from '../observe/log.ts';
import type { Attempts } from '../queue/attempts.ts';
import { jobOf } from '../queue/jobs.ts';
import type { Queues } from '../queue/queues.ts';
import { keysFolder, openBatchesFolder, pendingFolder, pendingKey, webhooksFolder } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import { forgetFailed, restoreLog, sweepOutbox } from '../webhooks/sweep.ts';
import type { Webhooks } from '../webhooks/webhooks.ts';
import type { FirstSeen } from './first-seen.ts';
import { type Records, recordFailure, settle } from './record.ts';

export interface SweepContext extends Records, ForgetOptions, ForgetUploadsOptions {
	readonly queues: Queues;
	/** How long an original without a manifest has to be seen before it counts as abandoned, seconds. */
	readonly abandonedSeconds: number;
	readonly firstSeen: FirstSeen;
	/** How long a batch may be open, seconds. */
	readonly batchSeconds: number;
	/** The webhook services; webhooks are not swept if absent. */
	readonly webhooks?: Webhooks | undefined;
	/** Keeps renders within their space; they are not trimmed if absent. */
	readonly renderUse?: RenderUse | undefined;
	/** Counts pictures that were given up; not counted if absent. */
	readonly attemptCounts?: Attempts | undefined;
	readonly log: Logger;
}

/** The numbers of a sweep. */
export interface SweepResult {
	pending: number;
	queued: number;
	settled: number;
	abandoned: number;
	lost: number;
	reindexed: number;
	/** Unfinished writes of killed processes. */
	torn: number;
	/** Jobs that were overdue because the clock was set back. */
	broughtForward: number;
	/** Expired idempotency keys. */
	forgotten: number;
	/** Resumable uploads that expired. */
	expired: number;
	/** Batches that ended. */
	batches: number;
	/** Webhooks whose jobs were lost. */
	webhooks: number;
	/** Webhooks that were given up and kept long enough. */
	webhooksForgotten: number;
	/** Renders that were deleted for space. */
	rendersTrimmed: number;
}

/** Pictures to check at the same time. */
const parallel = 8;

/**
 * Checks every accepted but unfinished picture, and ensures that it will be finished. Everything else may crash at any time, because the
 * sweep runs again and again.
 */
export async function sweep(context: SweepContext, job?: Job): Promise<SweepResult> {
	const result: SweepResult = {
		pending: 0,
		queued: 0,
		settled: 0,
		abandoned: 0,
		lost: 0,
		reindexed: 0,
		torn: 0,
		broughtForward: 0,
		forgotten: 0,
		expired: 0,
		batches: 0,
		webhooks: 0,
		webhooksForgotten: 0,
		rendersTrimmed: 0,
	};
	const batch: Promise<void>[] = [];
	const look = async (id: string) => {
		try {
			const found = await sweepPicture(context, id);
			if (found) result[found]++;
		} catch (error) {
			if (error instanceof PicpipeError && error.code === 'queue-unavailable') throw error;
			context.log.error({ err: error, pictureId: id }, 'could not check a picture; the next sweep tries again');
		}
	};
	for await (const id of pendingIds(context.storage)) {
		result.pending++;
		batch.push(look(id));
		if (batch.length === parallel) await Promise.all(batch.splice(0));
	}
	await Promise.all(batch);
	result.torn = await removeTornWrites(context.storage, context);
	context.firstSeen.endPass();
	result.broughtForward = await context.queues.promoteOverdueJobs();
	result.forgotten = await forgetIdempotencyKeys(context.storage, context);
	result.expired = await forgetUploads(context.storage, context);
	result.batches = await sweepBatches(context);
	if (context.webhooks) {
		result.webhooks = await sweepOutbox(context.webhooks);
		result.webhooksForgotten = await forgetFailed({ ...context.webhooks, ...context });
	}
	if (context.renderUse) result.rendersTrimmed = await context.renderUse.trim();
	if (!(await context.catalog.isComplete())) result.reindexed = await rebuildIndex(context);
	const { queued, abandoned, lost, reindexed, torn, broughtForward, expired, webhooks } = result;
	if (queued + abandoned + lost + reindexed + torn + broughtForward + expired + webhooks > 0)
		context.log.info(result, 'sweep');
	await job?.log(JSON.stringify(result));
	return result;
}

async function rebuildIndex(context: SweepContext): Promise<number> {
	context.log.info('Redis is new or was restarted; rebuilding the index from the manifests');
	const { pictures, unreadable } = await reindex(context.storage, context.catalog);
	for (const key of unreadable) context.log.error({ key }, 'manifest unreadable; the picture was not changed');
	if (context.webhooks) await restoreLog({ ...context.webhooks, ...context });
	return pictures;
}

/** BullMQ's reason for a job that it gave up because its workers died too often. */
const stalledTooOften = /stalled more than/;

type Found = 'queued' | 'settled' | 'abandoned' | 'lost';

async function sweepPicture(context: SweepContext, id: string): Promise<Found | undefined> {
	try {
		parsePictureId(id);
	} catch {
		context.log.error({ key: pendingKey(id) }, 'marker with an invalid id; ignored');
		return undefined;
	}
	const picture = await readManifest(context.storage, id);
	if (!picture) return purgeIfAbandoned(context, id);
	if (isFinished(picture.state)) {
		await settle(context, picture);
		return 'settled';
	}
	return queueIfNoJob(context, picture);
}

/** An upload writes its marker first and its manifest last. In between it is still in progress, or its process was killed. */
async function purgeIfAbandoned(context: SweepContext, id: string): Promise<Found | undefined> {
	if (context.firstSeen.age(id) < context.abandonedSeconds * 1_000) return undefined;
	await purgePicture(context.storage, id);
	context.log.warn({ pictureId: id }, 'removed the remains of an unfinished upload');
	return 'abandoned';
}

async function queueIfNoJob(context: SweepContext, picture: Picture): Promise<Found | undefined> {
	const { queue, id } = jobOf(picture);
	const job: Job | undefined = await context.queues.byName[queue].getJob(id);
	const state = await job?.getState();
	if (state === 'failed' && stalledTooOften.test(job?.failedReason ?? '')) {
		const error = new PicpipeError('worker-lost', job?.failedReason);
		await recordFailure(context, picture, error, Math.max(1, job?.attemptsMade ?? 1));
		context.attemptCounts?.count(queue, 'failed', error.code);
		return 'lost';
	}
	if (job && state !== 'completed' && state !== 'failed' && state !== 'unknown') return undefined;
	// Its job ended while the manifest could not be written, because the storage was unavailable.
	await context.queues.forgetPicture(picture);
	await context.catalog.put(picture);
	await context.queues.enqueuePicture(picture, 'sweep');
	return 'queued';
}

/** Folders shared by small objects of many owners. Torn writes in a picture's own folder are deleted with that picture's next record. */
const sharedFolders = [pendingFolder, keysFolder, webhooksFolder, openBatchesFolder];

/**
 * Deletes temporary files left behind by processes that were killed while writing.
 *
 * @param options a younger temporary file may belong to a write in progress
 * @returns the number of files deleted
 */
async function removeTornWrites(
	storage: Storage,
	options: { readonly abandonedSeconds: number; readonly firstSeen: FirstSeen },
): Promise<number> {
	let removed = 0;
	for (const folder of sharedFolders) {
		for await (const key of storage.list(folder, { temporary: true })) {
			// No object's name begins with a dot.
			if (!key.includes('/.') || options.firstSeen.age(key) < options.abandonedSeconds * 1_000) continue;
			await storage.delete(key);
			removed++;
		}
	}
	return removed;
}
