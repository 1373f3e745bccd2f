import type { Response } from 'express';
import { readManifest } from '../../catalog/manifest.ts';
import { isFinished, type Picture } from '../../domain/picture.ts';
import type { ApiContext } from '../context.ts';

/** An event may be missed while Redis is away or its connection is new, so a waiting picture is also checked this often, milliseconds. */
const lookAgain = 2_000;

/** The reason of the abort. Created once: `abort()` without a reason creates an error with a stack trace for each request. */
const closed = 'closed';

/** Resolves with the pictures when all have ended, the time is up, or the client has left. */
export async function waitForPictures(
	context: ApiContext,
	response: Response,
	pictures: readonly Picture[],
	milliseconds: number,
): Promise<Picture[]> {
	const { signal } = leavingOf(response);
	return Promise.all(pictures.map((picture) => waitForPicture(context, picture, milliseconds, signal)));
}

/** Aborts when the client has left or got its response. */
export function leavingOf(response: Response): AbortController {
	const left = new AbortController();
	response.once('close', () => left.abort(closed));
	return left;
}

/** As `waitForPictures`, for one picture. */
export async function waitForPicture(
	context: ApiContext,
	picture: Picture,
	milliseconds: number,
	signal: AbortSignal,
): Promise<Picture> {
	const end = performance.now() + milliseconds;
	for (;;) {
		// Subscribe before reading, so that an end in between is not missed.
		const looked = new AbortController();
		const patience = Math.min(end - performance.now(), lookAgain);
		const ended = context.events.ended(picture.id, patience, AbortSignal.any([signal, looked.signal]));
		const now = (await readManifest(context.storage, picture.id)) ?? picture;
		const isOver = isFinished(now.state) || signal.aborted || patience <= 0;
		if (isOver) looked.abort(closed);
		await ended;
		if (isOver) return now;
	}
}
