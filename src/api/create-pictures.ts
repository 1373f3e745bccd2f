import type { Request, Response } from 'express';
import { PicpipeError } from '../errors.ts';
import { discard } from '../intake/receive.ts';
import { admitFor, fieldsOf, limitsOf } from './caller-upload.ts';
import { type ApiContext, callerOf } from './context.ts';
import { rawUploadFieldsSchema, uploadFieldsSchema } from './contract.ts';
import { createFromUrls } from './create-from-urls.ts';
import { answer, asRefusal, type Result } from './created.ts';
import { discardAll, receiveForm, receiveRaw, type UploadedFile } from './upload.ts';

/** `POST /v1/pictures` */
export function createPictures(context: ApiContext) {
	return async (request: Request, response: Response): Promise<void> => {
		if (request.is('multipart/form-data')) return createFromForm(context, request, response);
		if (request.is('image/*') || request.is('application/octet-stream'))
			return createFromBody(context, request, response);
		if (request.is('application/json')) return createFromUrls(context, request, response);
		throw new PicpipeError(
			'unsupported-media-type',
			`Expected multipart/form-data, a picture as the body (image/*) or JSON with a url but received ${request.get('content-type') ?? 'no content type'}.`,
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
