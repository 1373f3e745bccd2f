import type { Job } from 'bullmq';
import { sweepBatches } from '../catalog/finish-batch.ts';
import type { RenderUse } from '../catalog/render-use.ts';
import { type ForgetUploadsOptions, forgetUploads } from '../intake/forget-uploads.ts';
import { type ForgetOptions, forgetIdempotencyKeys } from '../intake/idempotency.ts';
import type { UnfinishedUploads } from '../intake/unfinished-uploads.ts';
import { sweepDeletions } from '../purge/delete-picture.ts';
import {
	deletionsFolder,
	keysFolder,
	mentionsFolder,
	openBatchesFolder,
	pendingFolder,
	webhooksFolder,
} from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import type { Webhooks } from '../webhooks/publish.ts';
import { forgetFailed, sweepOutbox } from '../webhooks/sweep.ts';
import type { FirstSeen } from './first-seen.ts';
import { type PictureSweep, sweepPictures } from './sweep-pictures.ts';

/** What only one process of the installation does at a time. */
type ExclusiveWork = 'sweep';

export interface SweepContext extends PictureSweep, ForgetOptions, ForgetUploadsOptions {
	/** How long a batch may be open, seconds. */
	readonly batchSeconds: number;
	/** The webhook services; webhooks are not swept if absent. */
	readonly webhooks?: Webhooks | undefined;
	/** Keeps renders within their space; they are not trimmed if absent. */
	readonly renderUse?: RenderUse | undefined;
	/** Unfinished uploads; their counts are not verified if absent. */
	readonly unfinished?: UnfinishedUploads | undefined;
	/** Does the work unless another process does it; undefined if so. Without it, the work is always done. */
	readonly exclusively?: (<T>(name: ExclusiveWork, work: () => Promise<T>) => Promise<T | undefined>) | undefined;
}

/** The numbers of a sweep. */
export interface SweepResult {
	pending: number;
	queued: number;
	settled: number;
	abandoned: number;
	lost: number;
	/** Unfinished writes of killed processes. */
	torn: number;
	/** Jobs that lay in a queue from before there was a backlog. */
	takenOver: number;
	/** Jobs that were overdue because the clock was set back. */
	broughtForward: number;
	/** Expired idempotency keys. */
	forgotten: number;
	/** Resumable uploads that expired. */
	expired: number;
	/** Batches that ended. */
	batches: number;
	/** Deletions of killed processes that were carried out. */
	deletions: number;
	/** Webhooks whose jobs were lost. */
	webhooks: number;
	/** Webhooks that were given up and kept long enough. */
	webhooksForgotten: number;
	/** Renders that were deleted for space. */
	rendersTrimmed: number;
	/** Set if another sweep was running, so that this one did nothing. */
	skipped?: true;
	/** Set if there was more to check than there was time; the next sweep continues. */
	more?: true;
}

/**
 * Checks every accepted but unfinished picture, and ensures that it will be finished. Everything else may crash at any time, because the
 * sweep runs again and again.
 */
export async function sweep(context: SweepContext, job?: Job): Promise<SweepResult> {
	const { exclusively = (_, work) => work() } = context;
	const result: SweepResult = {
		pending: 0,
		queued: 0,
		settled: 0,
		abandoned: 0,
		lost: 0,
		torn: 0,
		takenOver: 0,
		broughtForward: 0,
		forgotten: 0,
		expired: 0,
		batches: 0,
		deletions: 0,
		webhooks: 0,
		webhooksForgotten: 0,
		rendersTrimmed: 0,
	};
	const isDone = await exclusively('sweep', async () => {
		await sweepAll(context, result);
		return true;
	});
	if (!isDone) result.skipped = true;
	const { queued, abandoned, lost, torn, broughtForward, expired, webhooks } = result;
	if (queued + abandoned + lost + torn + broughtForward + expired + webhooks > 0) context.log.info(result, 'sweep');
	await job?.log(JSON.stringify(result));
	return result;
}

async function sweepAll(context: SweepContext, result: SweepResult): Promise<void> {
	result.takenOver = await context.queues.tidyBacklogs();
	const isAtEnd = await sweepPictures(context, result);
	if (!isAtEnd) result.more = true;
	result.deletions = await carryOutDeletions(context);
	result.torn = await removeTornWrites(context.storage, context);
	// What this sweep has not reached is not gone.
	if (isAtEnd) context.firstSeen.endPass();
	result.broughtForward = await context.queues.promoteOverdueJobs();
	result.forgotten = await forgetIdempotencyKeys(context.storage, context);
	result.expired = await forgetUploads(context.storage, context);
	result.batches = await sweepBatches(context);
	if (context.webhooks) {
		result.webhooks = await sweepOutbox(context.webhooks);
		result.webhooksForgotten = await forgetFailed({ ...context.webhooks, ...context });
	}
	await context.unfinished?.verify(context.storage);
	if (context.renderUse) result.rendersTrimmed = await context.renderUse.trim();
}

async function carryOutDeletions(context: SweepContext): Promise<number> {
	const { webhooks, renderUse, firstSeen } = context;
	return webhooks && renderUse ? sweepDeletions({ ...context, webhooks, renderUse, age: firstSeen.age }) : 0;
}

/** Folders shared by small objects of many owners. Torn writes in a picture's own folder are deleted with that picture's next record. */
const sharedFolders = [pendingFolder, keysFolder, webhooksFolder, openBatchesFolder, deletionsFolder, mentionsFolder];

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
