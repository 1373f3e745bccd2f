import type { Request, RequestHandler, Response } from 'express';
import { digest } from '../../domain/digest.ts';
import { PicpipeError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { rawUploadFieldsSchema, uploadFieldsSchema } from '../contract.ts';
import { requireJoinableBatch } from '../resolve.ts';
import { sortForm, sortQuery } from '../upload/form-fields.ts';
import { receiveUrlBody } from '../upload/from-url.ts';
import { runIdempotent } from '../upload/idempotency.ts';
import { discardAll, receiveForm, receiveRaw } from '../upload/multipart.ts';
import { answer } from '../upload/response.ts';
import type { ReceivedUpload } from '../upload/upload.ts';
import { fieldsOf, limitsOf } from '../upload/upload-policy.ts';

/** `POST /v1/pictures` */
export function createPicturesHandler(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const receive = receiverOf(request);
		const outcome = await runIdempotent(context, request, response, (storage) =>
			receive(context, request, response, storage),
		);
		// With `Prefer: wait`, the response may take minutes.
		response.locals.leavePlace?.();
		await answer(context, request, response, outcome);
	};
}

type Receiver = (
	context: ApiContext,
	request: Request,
	response: Response,
	storage: Storage,
) => Promise<ReceivedUpload>;

/** @throws PicpipeError `unsupported-media-type` */
function receiverOf(request: Request): Receiver {
	if (request.is('multipart/form-data')) return receiveFormUpload;
	if (request.is('image/*') || request.is('application/octet-stream')) return receiveBodyUpload;
	if (request.is('application/json')) return receiveUrlBody;
	throw new PicpipeError(
		'unsupported-media-type',
		`Expected multipart/form-data, a picture as the body (image/*) or JSON with a url but received ${request.get('content-type') ?? 'no content type'}.`,
	);
}

async function receiveBodyUpload(
	context: ApiContext,
	request: Request,
	response: Response,
	storage: Storage,
): Promise<ReceivedUpload> {
	// Checked before the body is read: a client should not send a hundred megabytes to learn that a tag is too long.
	const caller = callerOf(response);
	const { filename, ...fields } = await fieldsOf(context, caller, rawUploadFieldsSchema, sortQuery(request.query));
	if (fields.batch !== undefined) await requireJoinableBatch(context, caller, fields.batch);
	const received = await receiveRaw(storage, request, filename, limitsOf(context, caller));
	return {
		fingerprint: { request: digest('body', withoutToken(request.query)), files: [received.source.sha256] },
		items: [{ filename, received }],
		fields,
	};
}

/** The fields of a form are complete only at its end, so its files are stored before the fields are checked. */
async function receiveFormUpload(
	context: ApiContext,
	request: Request,
	response: Response,
	storage: Storage,
): Promise<ReceivedUpload> {
	const caller = callerOf(response);
	const { files, fields: formFields, fileFields } = await receiveForm(storage, request, limitsOf(context, caller));
	try {
		const input = sortForm(request.query, formFields, fileFields);
		const fields = await fieldsOf(context, caller, uploadFieldsSchema, input);
		if (fields.batch !== undefined) await requireJoinableBatch(context, caller, fields.batch);
		const names = files.map(({ filename }) => filename);
		return {
			fingerprint: {
				request: digest('form', withoutToken(input), names),
				files: files.map(({ received }) => received?.source.sha256 ?? null),
			},
			items: files,
			fields,
		};
	} catch (error) {
		await discardAll(storage, files);
		throw error;
	}
}

function withoutToken({ token: _token, ...input }: Record<string, unknown>): Record<string, unknown> {
	return input;
}
