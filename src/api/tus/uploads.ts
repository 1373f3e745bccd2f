import type { Request, RequestHandler, Response } from 'express';
import { PicpipeError } from '../../errors.ts';
import { tooLarge } from '../../intake/receive.ts';
import { removeUpload, type Upload, writeUpload } from '../../intake/upload-record.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { limitsOf } from '../upload/upload-policy.ts';
import { appendBytes } from './append-bytes.ts';
import { currentProgress, finishIfComplete, pictureOf, withAnyUpload, withUpload } from './find-upload.ts';
import { checksumAlgorithms, lengthOf, offsetOf, offsetType, tusExtensions, tusVersion } from './tus-headers.ts';
import { reserveUpload } from './upload-bounds.ts';
import { showUpload, uploadHeaders } from './upload-view.ts';

/** `PATCH /v1/uploads/{id}`: appends bytes; the last byte creates the picture. */
export function appendToUpload(context: ApiContext): RequestHandler {
	const { storage } = context;
	return withUpload(context, async ({ upload: before, progress, hold }, request, response) => {
		if (request.get('content-type') !== offsetType) {
			throw new PicpipeError(
				'unsupported-media-type',
				`Expected ${offsetType} but received ${request.get('content-type') ?? 'no content type'}.`,
			);
		}
		if (before.parts) throw new PicpipeError('upload-concatenated');
		const offset = offsetOf(request);
		const { maxBytes } = limitsOf(context, callerOf(response));
		pictureOf(before);
		if (offset !== progress.offset) {
			throw new PicpipeError(
				'wrong-offset',
				`Expected ${progress.offset} for Upload-Offset, the current offset, but received ${offset}.`,
			);
		}
		const upload = withLength(before, request, { offset, maxBytes });
		if (upload !== before) {
			await reserveUpload(context, callerOf(response), upload);
			await writeUpload(storage, upload);
		}
		if (!upload.outcome)
			await appendBytes(request, { storage, upload, progress, maxBytes, hold, onBytes: context.metrics.received });
		const after = await currentProgress(storage, upload);
		const finished = await finishIfComplete(context, response, upload, after);
		pictureOf(finished);
		response
			.status(204)
			.set({ ...uploadHeaders(finished, after, context.config), 'Upload-Offset': String(after.offset) })
			.end();
	});
}

/** A deferred length is set once, with bytes or without. */
function withLength(
	upload: Upload,
	request: Request,
	{ offset, maxBytes }: { readonly offset: number; readonly maxBytes: number },
): Upload {
	const length = lengthOf(request);
	if (length === undefined || length === upload.length) return upload;
	if (upload.length !== undefined || length < offset) {
		const expected = upload.length === undefined ? `at least ${offset}` : `${upload.length}, which it was before,`;
		throw new PicpipeError('invalid-upload-header', `Expected ${expected} for Upload-Length but received ${length}.`);
	}
	if (length > maxBytes) throw tooLarge(maxBytes);
	return { ...upload, length };
}

/** `HEAD /v1/uploads/{id}`: the offset. A refused upload responds with its problem. */
export function headUpload(context: ApiContext): RequestHandler {
	return withUpload(context, async ({ upload, progress }, _request, response) => {
		pictureOf(upload);
		response
			.status(200)
			.set({
				...uploadHeaders(upload, progress, context.config),
				'Upload-Offset': String(progress.offset),
				...(upload.length === undefined ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(upload.length) }),
				...(upload.metadata !== undefined && { 'Upload-Metadata': upload.metadata }),
				...(upload.concat !== undefined && { 'Upload-Concat': upload.concat }),
			})
			.end();
	});
}

/** `GET /v1/uploads/{id}`: the progress as JSON, with the picture or the problem. */
export function getUpload(context: ApiContext): RequestHandler {
	return withUpload(context, async ({ upload, progress }, _request, response) => {
		response.set(uploadHeaders(upload, progress, context.config));
		response.json(showUpload(upload, progress, context.config, response));
	});
}

/** `DELETE /v1/uploads/{id}` */
export function deleteUpload(context: ApiContext): RequestHandler {
	return withAnyUpload(context, async ({ upload }, _request, response) => {
		await removeUpload(context.storage, upload.id);
		await context.uploads.unfinished.release(upload.id);
		response.status(204).end();
	});
}

/** `OPTIONS /v1/uploads`: the supported extensions of tus. */
export function tusOptions({ config }: ApiContext): RequestHandler {
	return (_request, response) => {
		response
			.status(204)
			.set({
				'Tus-Version': tusVersion,
				'Tus-Extension': tusExtensions.join(','),
				'Tus-Max-Size': String(config.maxBytes),
				'Tus-Checksum-Algorithm': checksumAlgorithms.join(','),
			})
			.end();
	};
}

/** A client that sent a POST waits for the body that the response announces, which one to a HEAD does not have. */
function endWithoutBody(response: Response): void {
	const end = response.end.bind(response) as () => Response;
	response.end = () => {
		if (!response.headersSent) response.removeHeader('Content-Length');
		return end();
	};
}

/** Methods that a POST may stand for, behind proxies that block other methods. */
const overridable = ['PATCH', 'DELETE', 'HEAD'];

/** Middleware before the upload routes: `X-HTTP-Method-Override`, and the tus version in every response. */
export function speakTus(): RequestHandler {
	return (request, response, next) => {
		const override = request.get('x-http-method-override')?.toUpperCase();
		if (request.method === 'POST' && override !== undefined && overridable.includes(override)) {
			request.method = override;
			if (override === 'HEAD') endWithoutBody(response);
		}
		response.set({ 'Tus-Resumable': tusVersion, 'Cache-Control': 'no-store' });
		next();
	};
}
