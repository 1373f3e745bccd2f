import type { Request, Response } from 'express';
import { requireOpenBatch } from '../../catalog/batch.ts';
import { digest } from '../../domain/digest.ts';
import { PicpipeError } from '../../errors.ts';
import { discardUnlessShared } from '../../intake/receive.ts';
import type { Storage } from '../../storage/storage.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { rawUploadFieldsSchema, uploadFieldsSchema } from '../contract.ts';
import { takeUrls } from './from-url.ts';
import { type Berth, once, type Submission } from './idempotency.ts';
import { discardAll, receiveForm, receiveRaw, type UploadedFile } from './multipart.ts';
import { answer, asRefusal, type Result } from './response.ts';
import { admitFor, fieldsOf, limitsOf } from './upload-policy.ts';

/** `POST /v1/pictures` */
export function createPictures(context: ApiContext) {
	return async (request: Request, response: Response): Promise<void> => {
		const take = takerOf(request);
		const { results, isList } = await once(context, request, response, (storage) =>
			take(context, request, response, storage),
		);
		await answer(context, request, response, results, isList);
	};
}

type TakeFrom = (
	context: ApiContext,
	request: Request,
	response: Response,
	storage: Storage,
) => Submission | Promise<Submission>;

function takerOf(request: Request): TakeFrom {
	if (request.is('multipart/form-data')) return takeForm;
	if (request.is('image/*') || request.is('application/octet-stream')) return takeBody;
	if (request.is('application/json')) return takeUrls;
	throw new PicpipeError(
		'unsupported-media-type',
		`Expected multipart/form-data, a picture as the body (image/*) or JSON with a url but received ${request.get('content-type') ?? 'no content type'}.`,
	);
}

async function takeBody(
	context: ApiContext,
	request: Request,
	response: Response,
	storage: Storage,
): Promise<Submission> {
	// Checked before the body is read: nobody should send a hundred megabytes to hear that a tag is too long.
	const caller = callerOf(response);
	const { filename, ...fields } = fieldsOf(context, caller, rawUploadFieldsSchema, request.query);
	if (fields.batch !== undefined) await requireOpenBatch(context.storage, fields.batch);
	const received = await receiveRaw(storage, request, filename, limitsOf(context, caller));
	return {
		fingerprint: { request: digest('body', withoutToken(request.query)), files: [received.source.sha256] },
		berths: [received],
		async admit([berth = received]) {
			const result = await admitBerth(context, response, berth, fields);
			return [{ filename, ...result }];
		},
	};
}

/** All fields are known only at the end of a form, so the files wait in storage for them. */
async function takeForm(
	context: ApiContext,
	request: Request,
	response: Response,
	storage: Storage,
): Promise<Submission> {
	const caller = callerOf(response);
	const { files, fields: formFields } = await receiveForm(storage, request, limitsOf(context, caller));
	const input = { ...request.query, ...formFields };
	try {
		const fields = fieldsOf(context, caller, uploadFieldsSchema, input);
		if (fields.batch !== undefined) await requireOpenBatch(context.storage, fields.batch);
		return {
			fingerprint: {
				request: digest('form', withoutToken(input), namesOf(files)),
				files: files.map(({ received }) => received?.source.sha256 ?? null),
			},
			berths: files.map(({ received }) => received),
			admit: (berths) => admitAll(context, response, files, berths, fields),
		};
	} catch (error) {
		await discardAll(storage, files);
		throw error;
	}
}

function withoutToken({ token: _token, ...input }: Record<string, unknown>): Record<string, unknown> {
	return input;
}

function namesOf(files: readonly UploadedFile[]): (string | undefined)[] {
	return files.map(({ filename }) => filename);
}

type AdmissionFields = Omit<Parameters<typeof admitFor>[3], 'requestId'>;

async function admitAll(
	context: ApiContext,
	response: Response,
	files: readonly UploadedFile[],
	berths: readonly (Berth | undefined)[],
	fields: AdmissionFields,
): Promise<Result[]> {
	const results: Result[] = [];
	try {
		for (const [at, { filename, refused }] of files.entries()) {
			const berth = berths[at];
			if (!berth) results.push({ filename, ...(refused && { refused }) });
			else results.push({ filename, ...(await admitBerth(context, response, berth, fields).catch(asRefusal)) });
		}
		return results;
	} catch (error) {
		// The one that failed has seen to itself.
		for (const berth of berths.slice(results.length + 1)) {
			if (berth && !berth.picture) await discardUnlessShared(context.storage, berth);
		}
		throw error;
	}
}

/** Makes a picture of what a request has brought, or finds the one that an earlier attempt has made. */
export async function admitBerth(
	context: ApiContext,
	response: Response,
	{ id, source, isShared, picture }: Berth,
	fields: AdmissionFields,
): Promise<Pick<Result, 'picture' | 'isNew'>> {
	if (picture) return { picture };
	if (!source) throw new PicpipeError('internal', 'A file without an original was to be admitted.');
	const { requestId, log } = response.locals;
	const received = { id, source, ...(isShared && { isShared }) };
	return admitFor(context, callerOf(response), received, { ...fields, requestId }, log);
}
