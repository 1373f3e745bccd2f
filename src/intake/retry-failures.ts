import { readManifest } from '../catalog/manifest.ts';
import { maximumPriority, type Picture } from '../domain/picture.ts';
import { type ErrorCode, type FailureClass, PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { type Admission, admitAgain } from './admit.ts';

export interface RetryFailures {
	/** Only pictures whose failure has this class, this code. */
	readonly class?: FailureClass | undefined;
	readonly code?: ErrorCode | undefined;
	/** Most pictures that are queued. */
	readonly limit: number;
}

/** Pictures by what became of them. */
export interface RetryCounts {
	queued: number;
	/** Deleted, or queued by somebody else, meanwhile. */
	passed: number;
	/** Their job is running, or their manifest can't be read. Each is told in the log. */
	left: number;
	/** There may be others. */
	more: boolean;
}

/** Pictures looked at side by side, and read from the index at a time. */
const parallel = 8;
const pageLength = 100;

/**
 * Queues failed pictures again, the newest first, behind all other work.
 *
 * @throws PicpipeError `queue-unavailable`
 */
export async function retryFailures(to: Admission, wanted: RetryFailures, log: Logger): Promise<RetryCounts> {
	const { limit, ...group } = wanted;
	const counts: RetryCounts = { queued: 0, passed: 0, left: 0, more: false };
	for (let before: string | undefined; ; ) {
		const query = { state: 'failed', ...group, before, limit: Math.min(pageLength, limit - counts.queued) } as const;
		const { pictures, next } = await to.catalog.list(query);
		for (let at = 0; at < pictures.length; at += parallel) {
			const outcomes = await Promise.all(pictures.slice(at, at + parallel).map((one) => retryOne(to, one, log)));
			for (const outcome of outcomes) counts[outcome]++;
		}
		if (next === undefined) return counts;
		if (counts.queued >= limit) return { ...counts, more: true };
		before = next;
	}
}

async function retryOne(to: Admission, { id }: Picture, log: Logger): Promise<'queued' | 'passed' | 'left'> {
	try {
		// The index may lag behind.
		const picture = await readManifest(to.storage, id);
		if (picture?.state !== 'failed') return 'passed';
		await admitAgain(to, picture, 'retry', log, { priority: maximumPriority });
		return 'queued';
	} catch (error) {
		if (error instanceof PicpipeError && error.code === 'queue-unavailable') throw error;
		if (error instanceof PicpipeError && error.code === 'picture-not-found') return 'passed';
		log.warn({ err: error, pictureId: id }, 'a failed picture was not queued');
		return 'left';
	}
}
