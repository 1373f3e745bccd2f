import type { Response } from 'express';
import { readManifest } from '../../catalog/manifest.ts';
import { isFinished, type Picture } from '../../domain/picture.ts';
import type { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';

/** An event may be missed while Redis is away or its connection is new, so a waiting picture is also checked this often, milliseconds. */
const lookAgain = 2_000;

/** The reason of the abort. Created once: `abort()` without a reason creates an error with a stack trace for each request. */
const closed = 'closed';

/** A picture at the end of a wait. */
export interface AwaitedOutcome {
	readonly picture: Picture;
	/** Its fetch has failed, and picpipe tries again after `retryAfter`. */
	readonly retrying?: PicpipeError | undefined;
}

/** Resolves when all pictures have ended or wait for another fetch, the time is up, or the client has left. */
export async function waitForPictures(
	context: ApiContext,
	response: Response,
	pictures: readonly Picture[],
	milliseconds: number,
): Promise<AwaitedOutcome[]> {
	const { signal } = leavingOf(response);
	return Promise.all(pictures.map((picture) => waitForPicture(context, picture, milliseconds, signal)));
}

/** Aborts when the client has left or got its response. */
export function leavingOf(response: Response): AbortController {
	const left = new AbortController();
	response.once('close', () => left.abort(closed));
	return left;
}

/** As `waitForPictures`, for one picture. A remote server that is down may stay so for hours: a wait is for one attempt at a fetch. */
export async function waitForPicture(
	context: ApiContext,
	picture: Picture,
	milliseconds: number,
	signal: AbortSignal,
): Promise<AwaitedOutcome> {
	const end = performance.now() + milliseconds;
	for (;;) {
		// Subscribe before reading, so that an end in between is not missed.
		const looked = new AbortController();
		const patience = Math.min(end - performance.now(), lookAgain);
		const ended = context.events.ended(picture.id, patience, AbortSignal.any([signal, looked.signal]));
		const now = (await readManifest(context.storage, picture.id)) ?? picture;
		const isOver = isFinished(now.state) || signal.aborted || patience <= 0;
		// While Redis is away, nothing is known about the fetch.
		const retrying = isOver ? undefined : await context.queues.failedFetch(now).catch(() => undefined);
		if (isOver || retrying) looked.abort(closed);
		await ended;
		if (isOver || retrying) return { picture: now, retrying };
	}
}
