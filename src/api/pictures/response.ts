import type { Request, Response } from 'express';
import { isFinished, type Picture } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';
import { preferredWait } from '../contract.ts';
import { problemOf, sendProblem } from '../middleware/problem.ts';
import { viewOf } from '../resolve.ts';
import { waitForEnds } from './wait-for-end.ts';

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
	const latest = seconds > 0 ? await waitForEnds(context, response, accepted, seconds * 1_000) : accepted;
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
