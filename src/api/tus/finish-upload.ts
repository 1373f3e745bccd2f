import type { Response } from 'express';
import { mention } from '../../catalog/deletion.ts';
import { folderOf } from '../../catalog/manifest.ts';
import { digest } from '../../domain/digest.ts';
import { priorityOf } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { receive } from '../../intake/receive.ts';
import { bytesOf, dropParts, type Part } from '../../intake/upload-parts.ts';
import {
	ownerOfUpload,
	removeUpload,
	type Upload,
	type UploadOutcome,
	type UploadWishes,
	writeUpload,
} from '../../intake/upload-record.ts';
import { manifestKey, uploadRecordKey } from '../../storage/keys.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ApiContext } from '../context.ts';
import { createOnce } from '../upload/idempotency.ts';
import { uploaderOf } from '../upload/upload.ts';
import { limitsOf } from '../upload/upload-policy.ts';

/**
 * Creates the picture of a complete resumable upload. After a crash, the next request about the upload repeats this and finds the same
 * picture. The outcome is durable before the bytes are deleted.
 *
 * @returns the upload with its outcome: a picture, or a permanent refusal
 * @throws PicpipeError for temporary errors, such as `quota-exceeded` and `storage-full`; the bytes are kept
 */
export async function finishUpload(
	context: ApiContext,
	response: Response,
	upload: Upload & { readonly wishes: UploadWishes },
	parts: readonly Part[],
): Promise<Upload> {
	const { storage } = context;
	const outcome = await becomePicture(context, response, upload, parts).catch(lastingRefusal);
	const ended = { ...upload, outcome, endedAt: new Date().toISOString() };
	if ('picture' in outcome && !outcome.isNew) await mention(storage, outcome.picture, uploadRecordKey(upload.id));
	await writeUpload(storage, ended);
	await requirePicture(storage, ended);
	const drop = async () => {
		await dropParts(storage, upload.id);
		for (const id of upload.parts ?? []) await removeUpload(storage, id);
		await context.uploads.unfinished.end(ended);
	};
	await drop().catch((err) => response.locals.log.warn({ err, uploadId: upload.id }, 'bytes not deleted; they expire'));
	return ended;
}

/**
 * An upload whose picture was deleted is gone, so that tus clients send the file anew. The deletion removes its record; this also removes
 * one that was written at the same moment, or whose picture an earlier version deleted.
 *
 * @throws PicpipeError `upload-not-found`
 */
export async function requirePicture(storage: Storage, upload: Upload): Promise<void> {
	const { outcome } = upload;
	if (!outcome) return;
	const isDeleted =
		'picture' in outcome
			? (await storage.stat(manifestKey(folderOf(outcome.picture)))) === undefined
			: outcome.refused.code === 'picture-deleted';
	if (!isDeleted) return;
	await removeUpload(storage, upload.id);
	for (const id of upload.parts ?? []) await removeUpload(storage, id);
	throw new PicpipeError('upload-not-found', 'The picture of this upload was deleted, and the upload with it.');
}

async function becomePicture(
	context: ApiContext,
	response: Response,
	{ id, wishes, owner }: Upload & { readonly wishes: UploadWishes },
	parts: readonly Part[],
): Promise<UploadOutcome> {
	const { filename, ...wished } = wishes;
	const fields = { ...wished, records: [uploadRecordKey(id)] };
	const by = uploaderOf(response);
	const name = digest('upload', id);
	const { results } = await createOnce(
		context,
		by,
		{ records: context.uploads.outcomes, digest: name },
		async (storage) => {
			const received = await receive(storage, bytesOf(context.storage, parts), filename, limitsOf(context, by.caller));
			return {
				fingerprint: { request: name, files: [received.source.sha256] },
				items: [{ filename, received }],
				// Not the caller's: whoever sends the last byte, the picture belongs to the upload's owner.
				fields: { ...fields, priority: priorityOf(wishes), owner: ownerOfUpload({ owner }) },
			};
		},
	);
	const [result] = results;
	if (result?.refused) throw result.refused;
	if (!result?.picture) throw new PicpipeError('internal', 'An upload ended without a picture and without an error.');
	return { picture: result.picture.id, isNew: result.isNew !== false };
}

/** A permanent refusal becomes the outcome; a temporary error is thrown. */
function lastingRefusal(error: unknown): UploadOutcome {
	const isLasting = error instanceof PicpipeError && error.status < 500 && error.status !== 429;
	if (!isLasting) throw error;
	const { code, message, pictureId } = error;
	return { refused: { code, message, ...(pictureId !== undefined && { pictureId }) } };
}
