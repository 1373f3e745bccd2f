import type { Batch, FinishedBatch } from '../domain/batch.ts';
import { digest12 } from '../domain/digest.ts';
import { isFailing, isFinished } from '../domain/picture.ts';
import { earliestNow } from '../observe/clock.ts';
import type { Logger } from '../observe/log.ts';
import { openBatchKey, pendingKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import {
	closeBatch,
	closeIfComplete,
	createFinished,
	forgetMembers,
	membersOf,
	openBatches,
	readBatch,
	readClosed,
	readFinished,
} from './batch.ts';
import type { Catalog } from './catalog.ts';
import { readManifest } from './manifest.ts';

/** Notifies the subscribers of a batch. */
export interface BatchPublisher {
	/** When this returns, delivery is guaranteed, whatever crashes. */
	publishBatchEnd(batch: Batch, finished: FinishedBatch): Promise<void>;
}

/** The dependencies for finishing a batch. */
export interface BatchEnds {
	readonly storage: Storage;
	/** Tells at a constant cost that a batch cannot have ended yet. */
	readonly catalog: Pick<Catalog, 'countBatch' | 'isComplete'>;
	readonly publisher?: BatchPublisher | undefined;
	readonly log?: Logger | undefined;
}

/** Manifests to read at the same time. */
const parallel = 8;

/**
 * Finishes a closed batch once the manifests of all its pictures say that they have ended, and notifies its subscribers. Of any number of
 * concurrent callers, one does it. If that one dies before it has notified the subscribers, the next sweep does.
 *
 * @param options.isThorough ask storage alone, which takes longer the more pictures the batch has
 * @returns whether it is finished
 */
export async function finishBatch(deps: BatchEnds, id: string, { isThorough = false } = {}): Promise<boolean> {
	const { storage } = deps;
	const batch = await readBatch(storage, id);
	if (!batch) return false;
	if (await readFinished(storage, id)) return true;
	const indexed = isThorough ? undefined : await countIndexed(deps, id);
	if (indexed && indexed.unfinished > 0) return false;
	if (!(await readClosed(storage, id)) && !(await closeIfComplete(storage, id, indexed?.accepted))) return false;
	const counts = await countEnds(storage, id);
	if (!counts) return false;
	const finished: FinishedBatch = { version: 1, at: new Date().toISOString(), ...counts };
	if (await createFinished(storage, id, finished)) await publishEnd(deps, batch, finished);
	return true;
}

/** Closes a batch that has as many pictures as it expects, after one of them was indexed. */
export async function closeIfExpected(deps: Pick<BatchEnds, 'storage' | 'catalog' | 'log'>, id: string): Promise<void> {
	await closeIfComplete(deps.storage, id, (await countIndexed(deps, id))?.accepted);
}

/** The index's numbers of a batch; undefined while it may lack pictures. */
async function countIndexed(
	{ catalog, log }: Pick<BatchEnds, 'catalog' | 'log'>,
	id: string,
): Promise<{ readonly accepted: number; readonly unfinished: number } | undefined> {
	try {
		if (!(await catalog.isComplete())) return undefined;
		const { queued, processing, ready, failed } = await catalog.countBatch(id);
		return { accepted: queued + processing + ready + failed, unfinished: queued + processing };
	} catch (err) {
		log?.debug({ err, batchId: id }, 'the index cannot be asked about a batch; its pictures are listed');
		return undefined;
	}
}

/** Undefined while a picture has not ended, or may still be accepted. */
async function countEnds(
	storage: Storage,
	id: string,
): Promise<Pick<FinishedBatch, 'ready' | 'failed' | 'withFailures'> | undefined> {
	const counts = { ready: 0, failed: 0, withFailures: 0 };
	// The newest pictures are the most likely to be unfinished, so they come first.
	const members = await membersOf(storage, id);
	for (let at = 0; at < members.length; at += parallel) {
		const states = await Promise.all(members.slice(at, at + parallel).map((member) => stateOf(storage, member)));
		for (const state of states) {
			if (state === 'open') return undefined;
			if (state === 'gone') continue;
			counts[state === 'failed' ? 'failed' : 'ready']++;
			if (state === 'with failures') counts.withFailures++;
		}
	}
	return counts;
}

/** A picture with neither manifest nor marker was deleted or never accepted. */
async function stateOf(
	storage: Storage,
	pictureId: string,
): Promise<'ready' | 'with failures' | 'failed' | 'open' | 'gone'> {
	// In this order: the marker of a picture is written before its manifest.
	const isPending = (await storage.stat(pendingKey(pictureId))) !== undefined;
	const picture = await readManifest(storage, pictureId);
	if (!picture) return isPending ? 'open' : 'gone';
	if (!isFinished(picture.state)) return 'open';
	if (picture.state === 'failed') return 'failed';
	return isFailing(picture) ? 'with failures' : 'ready';
}

/** The marker is deleted last: while it exists, the subscribers may not have been notified. */
async function publishEnd(
	{ storage, publisher, log }: BatchEnds,
	batch: Batch,
	finished: FinishedBatch,
): Promise<void> {
	await publisher?.publishBatchEnd(batch, finished);
	await forgetMembers(storage, batch.id);
	await storage.delete(openBatchKey(batch.id));
	const { ready, failed, withFailures } = finished;
	log?.info({ batchId: batch.id, ready, failed, withFailures }, 'batch finished');
}

export interface SweepBatches extends BatchEnds {
	/** How long a batch may be open, seconds. */
	readonly batchSeconds: number;
	/** Age at which a marker without a batch counts as abandoned, seconds. */
	readonly abandonedSeconds: number;
}

/**
 * Checks every batch whose subscribers have not been notified: completes the work of dead processes, and closes batches that were open for
 * too long.
 *
 * @param now milliseconds since 1970
 * @returns how many ended
 */
export async function sweepBatches(context: SweepBatches, now = earliestNow()): Promise<number> {
	let ended = 0;
	for await (const id of openBatches(context.storage)) {
		try {
			if (await sweepBatch(context, id, now)) ended++;
		} catch (err) {
			context.log?.error({ err, batchId: id }, 'batch not finished; the next sweep retries it');
		}
	}
	return ended;
}

async function sweepBatch(context: SweepBatches, id: string, now: number): Promise<boolean> {
	const { storage, batchSeconds, abandonedSeconds } = context;
	const batch = await readBatch(storage, id);
	if (!batch) {
		const stat = await storage.stat(openBatchKey(id));
		const isLeft = stat && stat.modifiedAt.getTime() < now - abandonedSeconds * 1_000;
		if (isLeft) await storage.delete(openBatchKey(id));
		return false;
	}
	const finished = await readFinished(storage, id);
	if (finished) {
		await publishEnd(context, batch, finished);
		return true;
	}
	if (Date.parse(batch.createdAt) < now - batchSeconds * 1_000) await closeBatch(storage, id, 'age');
	return finishBatch(context, id, { isThorough: isTurnOf(id, now) });
}

/** Sweeps between two that ask storage alone: the index may have missed a picture, and a batch may have a hundred thousand. */
const sweepsBetween = 30;

/** Spreads the batches over the sweeps. */
function isTurnOf(id: string, now: number): boolean {
	const minute = Math.floor(now / 60_000);
	return (minute + Number.parseInt(digest12(id), 16)) % sweepsBetween === 0;
}
