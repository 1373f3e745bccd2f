import type { Response } from 'express';
import { readManifest } from '../../catalog/manifest.ts';
import { isFinished, type Picture } from '../../domain/picture.ts';
import type { ApiContext } from '../context.ts';

/** An event may be missed, while Redis is away or its connection is new; so a waiting picture is looked at this often, milliseconds. */
const lookAgain = 2_000;

/** Why nobody waits any more. Made once: an `abort()` without a reason makes an error, with the stack that led there, for each request. */
const closed = 'closed';

/** The pictures as they are when all have ended, the time is up, or the client has left. */
export async function waitForPictures(
	context: ApiContext,
	response: Response,
	pictures: readonly Picture[],
	milliseconds: number,
): Promise<Picture[]> {
	const { signal } = leavingOf(response);
	return Promise.all(pictures.map((picture) => waitForPicture(context, picture, milliseconds, signal)));
}

/** Aborts when the client has left, or was answered. */
export function leavingOf(response: Response): AbortController {
	const left = new AbortController();
	response.once('close', () => left.abort(closed));
	return left;
}

/** The same for one. */
export async function waitForPicture(
	context: ApiContext,
	picture: Picture,
	milliseconds: number,
	signal: AbortSignal,
): Promise<Picture> {
	const end = performance.now() + milliseconds;
	for (;;) {
		// Listening begins before looking, so that an end between the two is not missed.
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
