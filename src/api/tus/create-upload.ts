import type { Request, RequestHandler, Response } from 'express';
import type { Caller } from '../../access/caller.ts';
import { confinedTo } from '../../access/ownership.ts';
import { storedPriority } from '../../domain/picture.ts';
import { concatenatedId, isUploadId, newUploadId } from '../../domain/upload.ts';
import { PicpipeError } from '../../errors.ts';
import { tooLarge } from '../../intake/receive.ts';
import { progressOf } from '../../intake/upload-parts.ts';
import { createUpload, readUpload, removeUpload, type Upload, type UploadWishes } from '../../intake/upload-record.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { uploadMetadataSchema } from '../contract.ts';
import { requireJoinableBatch } from '../resolve.ts';
import { sortMetadata } from '../upload/form-fields.ts';
import { fieldsOf, limitsOf } from '../upload/upload-policy.ts';
import { appendBytes } from './append-bytes.ts';
import { currentProgress, findUpload, finishIfComplete, pictureOf } from './find-upload.ts';
import { concatOf, firstLengthOf, metadataOf, offsetType, requireTus } from './tus-headers.ts';
import { reserveUpload } from './upload-bounds.ts';
import { showUpload, uploadHeaders } from './upload-view.ts';

/** `POST /v1/uploads`: creates an upload, or joins partial uploads. */
export function createUploadHandler(context: ApiContext): RequestHandler {
	return async (request, response) => {
		requireTus(request, response);
		const misplaced = Object.keys(request.query).filter((name) => name !== 'token');
		if (misplaced.length > 0) {
			throw new PicpipeError(
				'unknown-field',
				`Expected every field in Upload-Metadata but received ${misplaced.join(', ')} in the query.`,
			);
		}
		const concat = concatOf(request);
		if (typeof concat === 'object') return concatenate(context, request, response, concat.ids);
		const caller = callerOf(response);
		const upload = await newUpload(context, request, caller, concat === 'partial');
		if (upload.wishes?.batch !== undefined) await requireJoinableBatch(context, caller, upload.wishes.batch);
		await reserveUpload(context, caller, upload);
		try {
			await createUpload(context.storage, upload);
			await begin(context, request, response, upload);
		} catch (error) {
			// The client learns the upload's URL from the response, so an error before that deletes the upload.
			await removeUpload(context.storage, upload.id);
			await context.uploads.unfinished.release(upload.id);
			throw error;
		}
	};
}

async function newUpload(context: ApiContext, request: Request, caller: Caller, isPartial: boolean): Promise<Upload> {
	const { maxBytes } = limitsOf(context, caller);
	const length = firstLengthOf(request);
	if (length === 0 && !isPartial) throw new PicpipeError('empty-file');
	if (length !== undefined && length > maxBytes) throw tooLarge(maxBytes);
	return {
		...emptyUpload(newUploadId(), request, caller),
		...(length !== undefined && { length }),
		...(!isPartial && { wishes: await wishesOf(context, caller, request) }),
	};
}

function emptyUpload(id: string, request: Request, caller: Caller): Upload {
	const metadata = request.get('upload-metadata');
	const concat = request.get('upload-concat');
	return {
		version: 1,
		id,
		createdAt: new Date().toISOString(),
		owner: { caller: caller.id, group: caller.owner, ...(caller.grant && { grant: caller.grant.id }) },
		...(metadata !== undefined && { metadata }),
		...(concat !== undefined && { concat }),
	};
}

/** Checked before a byte is sent: a client should not send a hundred megabytes to learn that a recipe does not exist. */
async function wishesOf(context: ApiContext, caller: Caller, request: Request): Promise<UploadWishes> {
	const fields = sortMetadata(metadataOf(request.get('upload-metadata')));
	const { recipe, ...wishes } = await fieldsOf(context, caller, uploadMetadataSchema, fields);
	const { name, digest, definition } = recipe;
	const among = confinedTo(caller);
	return {
		...wishes,
		...storedPriority(wishes.priority),
		recipe: { name, digest, definition },
		...(among !== undefined && { among }),
	};
}

/** Appends the bytes of the request, if any, and responds. */
async function begin(context: ApiContext, request: Request, response: Response, upload: Upload): Promise<void> {
	const { storage } = context;
	const { maxBytes } = limitsOf(context, callerOf(response));
	await context.uploads.locks.hold(upload.id, request, async (hold) => {
		const isWithBytes = request.get('content-type') === offsetType;
		if (isWithBytes) {
			const progress = { offset: 0, parts: [] };
			await appendBytes(request, { storage, upload, progress, maxBytes, hold, onBytes: context.metrics.received });
		}
		const progress = await progressOf(storage, upload.id);
		const finished = await finishIfComplete(context, response, upload, progress);
		pictureOf(finished);
		response.set(uploadHeaders(finished, progress, context.config));
		if (isWithBytes) response.set('Upload-Offset', String(progress.offset));
		answerCreated(context, response, finished, progress);
	});
}

function answerCreated(
	{ config }: ApiContext,
	response: Response,
	upload: Upload,
	progress: Parameters<typeof showUpload>[1],
): void {
	response
		.status(201)
		.location(`/v1/uploads/${upload.id}`)
		.json(showUpload(upload, progress, config, response));
}

/**
 * Joins partial uploads into one, and creates its picture. A client that lost the response and repeats the request gets the same upload.
 */
async function concatenate(
	context: ApiContext,
	request: Request,
	response: Response,
	ids: readonly string[],
): Promise<void> {
	const { storage } = context;
	const caller = callerOf(response);
	if (request.get('upload-length') !== undefined || request.get('upload-defer-length') !== undefined) {
		throw new PicpipeError(
			'invalid-upload-header',
			'Expected no Upload-Length for an upload that joins partial uploads, because their lengths decide, but received one.',
		);
	}
	if (!ids.every(isUploadId)) throw new PicpipeError('upload-not-found');
	const wishes = await wishesOf(context, caller, request);
	const id = concatenatedId(ids, JSON.stringify([caller.owner, caller.grant?.id, request.get('upload-metadata')]));
	await context.uploads.locks.hold(id, request, async () => {
		const there = await readUpload(storage, id);
		const length = there ? undefined : await concatenatedLength(context, caller, ids);
		if (!there && wishes.batch !== undefined) await requireJoinableBatch(context, caller, wishes.batch);
		const upload = there ?? { ...emptyUpload(id, request, caller), length, parts: [...ids], wishes };
		if (!there) {
			await reserveUpload(context, caller, upload);
			await createUpload(storage, upload).catch(async (error) => {
				await context.uploads.unfinished.release(id);
				throw error;
			});
		}
		const progress = await currentProgress(storage, upload);
		const finished = await finishIfComplete(context, response, upload, progress);
		pictureOf(finished);
		response.set(uploadHeaders(finished, progress, context.config));
		answerCreated(context, response, finished, progress);
	});
}

/** @throws PicpipeError `upload-not-found`, `upload-unfinished`, `file-too-large`, `invalid-upload-header` */
async function concatenatedLength(context: ApiContext, caller: Caller, ids: readonly string[]): Promise<number> {
	const { maxBytes } = limitsOf(context, caller);
	let length = 0;
	for (const id of ids) {
		const part = await findUpload(context.storage, caller, 'change', id);
		if (part.concat !== 'partial') {
			throw new PicpipeError(
				'invalid-upload-header',
				`Expected partial uploads for Upload-Concat but ${id} is not one.`,
			);
		}
		const { offset } = await progressOf(context.storage, id);
		if (part.length !== offset) {
			const of = part.length === undefined ? 'an unknown number of' : part.length;
			throw new PicpipeError('upload-unfinished', `Expected complete uploads but ${id} has ${offset} of ${of} bytes.`);
		}
		length += offset;
		if (length > maxBytes) throw tooLarge(maxBytes);
	}
	if (length === 0) throw new PicpipeError('empty-file');
	return length;
}
