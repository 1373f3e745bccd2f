import type { Request, Response } from 'express';
import { isFinished } from '../../domain/picture.ts';
import type { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';
import { preferredWait } from '../contract.ts';
import { problemOf, sendProblem } from '../middleware/problem.ts';
import { viewOf } from '../picture-view.ts';
import type { IdempotentOutcome } from './idempotency.ts';
import type { UploadResult } from './upload.ts';
import { type AwaitedOutcome, waitForPictures } from './wait-for-pictures.ts';

/**
 * Responds to one file or URL with its picture or problem, and to several with a list, in order: 202 if at least one was accepted. With
 * `Prefer: wait`, 201 once every accepted picture has ended. 200 if every picture already existed. A picture whose remote server failed is
 * not waited for; its view tells the reason as `retrying`.
 */
export async function answer(
	context: ApiContext,
	request: Request,
	response: Response,
	{ results, isList = results.length > 1 }: Pick<IdempotentOutcome, 'results' | 'isList'>,
): Promise<void> {
	const seconds = preferredWait(request.get('prefer'));
	const accepted = results.flatMap(({ picture }) => picture ?? []);
	const refused = results.flatMap((result) => result.refused ?? []);
	const viewPicture = viewOf(context, request);
	const view = ({ picture, retrying }: AwaitedOutcome) => ({
		...viewPicture(picture),
		...(retrying && { retrying: retryingOf(retrying) }),
	});
	const refusals = refusalsOf(results, response);
	if (accepted.length === 0 && refused[0]) {
		return sendProblem(response, refused[0], isList ? { refused: refusals } : {});
	}
	const latest: AwaitedOutcome[] =
		seconds > 0
			? await waitForPictures(context, response, accepted, seconds * 1_000)
			: accepted.map((picture) => ({ picture }));
	if (response.destroyed) return;
	if (seconds > 0) response.set('Preference-Applied', `wait=${seconds}`);
	const linked = results.flatMap(({ picture, isNew }) => (picture && isNew === false ? picture.id : []));
	if (linked.length === accepted.length) response.status(200);
	else response.status(latest.every(({ picture }) => isFinished(picture.state)) ? 201 : 202);
	if (latest.length === 1 && latest[0]) response.location(view(latest[0]).links.self);
	if (!isList && latest[0]) response.json(view(latest[0]));
	else response.json({ pictures: latest.map(view), refused: refusals, ...(linked.length > 0 && { linked }) });
}

function retryingOf({ class: errorClass, code, message, step, retryAfter = 0 }: PicpipeError) {
	return { class: errorClass, code, message, step, at: new Date(Date.now() + retryAfter * 1_000).toISOString() };
}

/** The refused items with their problems. They are counted with the response. */
export function refusalsOf(results: readonly UploadResult[], { locals }: Response) {
	const codes = results.flatMap(({ refused }) => refused?.code ?? []);
	if (codes.length > 0) locals.refused = codes;
	return results.flatMap(({ filename, url, refused }) =>
		refused ? { filename, url, problem: problemOf(refused, locals.requestId) } : [],
	);
}
