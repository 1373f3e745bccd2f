import type { Request, Response } from 'express';
import { readManifest } from '../catalog/manifest.ts';
import { isFinished, type Picture } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import type { ApiContext } from './context.ts';
import { preferredWait } from './contract.ts';
import { problemOf, sendProblem } from './middleware/problem.ts';
import { viewOf } from './resolve.ts';

/** What became of one file or address of a request. */
export interface Result {
	readonly filename?: string | undefined;
	readonly url?: string | undefined;
	readonly picture?: Picture | undefined;
	/** False for one that was there already. */
	readonly isNew?: boolean | undefined;
	readonly refused?: PicpipeError;
}

/** What is there already, one too many for a day, or too late for its batch, is refused by itself, like a file that is no picture. */
export function asRefusal(error: unknown): { refused: PicpipeError } {
	if (error instanceof PicpipeError && /^(duplicate-picture|quota-exceeded|batch-closed)$/.test(error.code))
		return { refused: error };
	throw error;
}

/**
 * One file or address: the picture or the problem. Several: what became of each, in order; 202 when at least one was accepted.
 * With `Prefer: wait`, 201 once everything accepted is finished. 200 when nothing is new: all that came was there already.
 */
export async function answer(
	context: ApiContext,
	request: Request,
	response: Response,
	results: readonly Result[],
	isList = results.length > 1,
): Promise<void> {
	const seconds = preferredWait(request.get('prefer'));
	const accepted = results.flatMap(({ picture }) => picture ?? []);
	const refused = results.flatMap((result) => result.refused ?? []);
	const view = viewOf(context, request);
	const refusals = refusalsOf(results, response);
	if (accepted.length === 0 && refused[0]) {
		return sendProblem(response, refused[0], isList ? { refused: refusals } : {});
	}
	const latest = seconds > 0 ? await waitForEnd(context, response, accepted, seconds * 1_000) : accepted;
	if (response.destroyed) return;
	if (seconds > 0) response.set('Preference-Applied', `wait=${seconds}`);
	const linked = results.flatMap(({ picture, isNew }) => (picture && isNew === false ? picture.id : []));
	if (linked.length === accepted.length) response.status(200);
	else response.status(latest.every(({ state }) => isFinished(state)) ? 201 : 202);
	if (latest.length === 1 && latest[0]) response.location(view(latest[0]).links.self);
	if (!isList && latest[0]) response.json(view(latest[0]));
	else response.json({ pictures: latest.map(view), refused: refusals, ...(linked.length > 0 && { linked }) });
}

/** What was refused, with its problem. It is counted with the answer. */
export function refusalsOf(results: readonly Result[], { locals }: Response) {
	const codes = results.flatMap(({ refused }) => refused?.code ?? []);
	if (codes.length > 0) locals.refused = codes;
	return results.flatMap(({ filename, url, refused }) =>
		refused ? { filename, url, problem: problemOf(refused, locals.requestId) } : [],
	);
}

/** An event may be missed, while Redis is away or its connection is new; so a waiting picture is looked at this often, milliseconds. */
const lookAgain = 2_000;

/** The pictures as they are when all have ended, the time is up, or the client has left. */
async function waitForEnd(
	context: ApiContext,
	response: Response,
	pictures: readonly Picture[],
	milliseconds: number,
): Promise<Picture[]> {
	const left = new AbortController();
	response.once('close', () => left.abort());
	return Promise.all(
		pictures.map(async (picture) => {
			const end = performance.now() + milliseconds;
			for (;;) {
				// Listening begins before looking, so that an end between the two is not missed.
				const looked = new AbortController();
				const patience = Math.min(end - performance.now(), lookAgain);
				const ended = context.events.ended(picture.id, patience, AbortSignal.any([left.signal, looked.signal]));
				const now = (await readManifest(context.storage, picture.id)) ?? picture;
				const isOver = isFinished(now.state) || left.signal.aborted || patience <= 0;
				if (isOver) looked.abort();
				await ended;
				if (isOver) return now;
			}
		}),
	);
}
