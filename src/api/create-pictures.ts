import type { Request, Response } from 'express';
import { readManifest } from '../catalog/manifest.ts';
import { isFinished, type Picture } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { discard } from '../intake/receive.ts';
import { admitFor, fieldsOf, limitsOf } from './caller-upload.ts';
import { type ApiContext, callerOf } from './context.ts';
import { preferredWait, rawUploadFieldsSchema, uploadFieldsSchema } from './contract.ts';
import { problemOf, sendProblem } from './middleware/problem.ts';
import { viewOf } from './resolve.ts';
import { discardAll, receiveForm, receiveRaw, type UploadedFile } from './upload.ts';

/** `POST /v1/pictures` */
export function createPictures(context: ApiContext) {
	return async (request: Request, response: Response): Promise<void> => {
		if (request.is('multipart/form-data')) return createFromForm(context, request, response);
		if (request.is('image/*') || request.is('application/octet-stream'))
			return createFromBody(context, request, response);
		throw new PicpipeError(
			'unsupported-media-type',
			`Expected multipart/form-data or a picture as the body (image/*) but received ${request.get('content-type') ?? 'no content type'}.`,
		);
	};
}

async function createFromBody(context: ApiContext, request: Request, response: Response): Promise<void> {
	// Checked before the body is read: nobody should send a hundred megabytes to hear that a tag is too long.
	const caller = callerOf(response);
	const { filename, ...fields } = fieldsOf(context, caller, rawUploadFieldsSchema, request.query);
	const received = await receiveRaw(context.storage, request, filename, limitsOf(context, caller));
	const { requestId, log } = response.locals;
	const admitted = await admitFor(context, caller, received, { ...fields, requestId }, log).catch(async (error) => {
		await discard(context.storage, received.id);
		throw error;
	});
	await answer(context, request, response, [{ filename, ...admitted }]);
}

async function createFromForm(context: ApiContext, request: Request, response: Response): Promise<void> {
	const limits = limitsOf(context, callerOf(response));
	const { files, fields: formFields } = await receiveForm(context.storage, request, limits);
	const results = await admitAll(context, response, files, { ...request.query, ...formFields });
	await answer(context, request, response, results);
}

interface Result {
	readonly filename: string | undefined;
	readonly picture?: Picture;
	/** False for one that was there already. */
	readonly isNew?: boolean;
	readonly refused?: PicpipeError;
}

/** All fields are known only at the end of a form, so the files wait in storage for them. */
async function admitAll(
	context: ApiContext,
	response: Response,
	files: readonly UploadedFile[],
	input: Record<string, unknown>,
): Promise<Result[]> {
	const admitted: string[] = [];
	try {
		const caller = callerOf(response);
		const fields = fieldsOf(context, caller, uploadFieldsSchema, input);
		const { requestId, log } = response.locals;
		const results: Result[] = [];
		for (const { received, ...file } of files) {
			if (!received) results.push(file);
			else {
				const result = await admitFor(context, caller, received, { ...fields, requestId }, log).catch(asRefusal);
				admitted.push(received.id);
				results.push({ ...file, ...result });
			}
		}
		return results;
	} catch (error) {
		await discardAll(
			context.storage,
			files.filter(({ received }) => received && !admitted.includes(received.id)),
		);
		throw error;
	}
}

/** A file whose bytes are there already, or one too many for a day, is refused by itself, like one that is no picture. */
function asRefusal(error: unknown): { refused: PicpipeError } {
	if (error instanceof PicpipeError && /^(duplicate-picture|quota-exceeded)$/.test(error.code))
		return { refused: error };
	throw error;
}

/**
 * One file: the picture or the problem. Several: what became of each, in order; 202 when at least one was accepted.
 * With `Prefer: wait`, 201 once everything accepted is finished. 200 when nothing is new: all that came was there already.
 */
async function answer(context: ApiContext, request: Request, response: Response, results: Result[]): Promise<void> {
	const seconds = preferredWait(request.get('prefer'));
	const accepted = results.flatMap(({ picture }) => picture ?? []);
	const refused = results.flatMap((result) => result.refused ?? []);
	const view = viewOf(context, request);
	const { requestId } = response.locals;
	const refusals = results.flatMap(({ filename, refused }) =>
		refused ? { filename, problem: problemOf(refused, requestId) } : [],
	);
	if (accepted.length === 0 && refused[0]) {
		return sendProblem(response, refused[0], results.length > 1 ? { refused: refusals } : {});
	}
	const latest = seconds > 0 ? await waitForEnd(context, response, accepted, seconds * 1_000) : accepted;
	if (response.destroyed) return;
	if (seconds > 0) response.set('Preference-Applied', `wait=${seconds}`);
	const linked = results.flatMap(({ picture, isNew }) => (picture && isNew === false ? picture.id : []));
	if (linked.length === accepted.length) response.status(200);
	else response.status(latest.every(({ state }) => isFinished(state)) ? 201 : 202);
	if (latest.length === 1 && latest[0]) response.location(view(latest[0]).links.self);
	if (results.length === 1 && latest[0]) response.json(view(latest[0]));
	else response.json({ pictures: latest.map(view), refused: refusals, ...(linked.length > 0 && { linked }) });
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
