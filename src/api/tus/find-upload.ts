import type { Request, RequestHandler, Response } from 'express';
import type { Caller } from '../../access/caller.ts';
import { type Deed, isOwn, type Owned, requireReach } from '../../access/ownership.ts';
import { isUploadId } from '../../domain/upload.ts';
import { PicpipeError } from '../../errors.ts';
import { expiryOf } from '../../intake/forget-uploads.ts';
import { type PartsProgress, progressOf } from '../../intake/upload-parts.ts';
import {
	ownerOfUpload,
	readUpload,
	storedRefusal,
	type Upload,
	type UploadWishes,
} from '../../intake/upload-record.ts';
import { earliestNow } from '../../observe/clock.ts';
import type { Storage } from '../../storage/storage.ts';
import { type ApiContext, callerOf, deedOf } from '../context.ts';
import { finishUpload, requirePicture } from './finish-upload.ts';
import { requireTus } from './tus-headers.ts';
import type { Hold } from './upload-locks.ts';

/** An upload that the caller may see, locked for this request unless it only looks at the upload of another one. */
interface HeldUpload {
	readonly upload: Upload;
	readonly progress: PartsProgress;
	readonly hold: Hold;
}

/** The hold of a caller who looks at the upload of another one, and so neither interrupts it nor finishes it. */
const looking: Hold = { interruptible: (work) => work() };

type Handler = (held: HeldUpload, request: Request, response: Response) => Promise<void>;

/**
 * Finds the upload of the URL, and locks it for the handler. A complete upload without an outcome is finished first: its last request was
 * not answered, or failed for a temporary reason.
 *
 * @throws PicpipeError `upload-not-found`, also for an upload that the caller may not see or whose picture was deleted; `upload-expired`, `upload-locked`; as `finishUpload`
 */
export function withUpload(context: ApiContext, handler: Handler): RequestHandler {
	return withAnyUpload(context, async ({ upload, progress, hold }, request, response) => {
		const { storage, config } = context;
		if (earliestNow() > expiryOf(upload, progress, config.resumableSeconds)) throw new PicpipeError('upload-expired');
		const finished = hold === looking ? upload : await finishIfComplete(context, response, upload, progress);
		if (upload.outcome) await requirePicture(storage, upload);
		await handler({ upload: finished, progress: await currentProgress(storage, finished), hold }, request, response);
	});
}

/** As `withUpload`, for an upload that may have expired or must not be finished. */
export function withAnyUpload(context: ApiContext, handler: Handler): RequestHandler {
	return async (request, response) => {
		requireTus(request, response);
		const { storage } = context;
		const caller = callerOf(response);
		const id = String(request.params.id);
		const find = () => findUpload(storage, caller, deedOf(response), id);
		// Checked before the lock: another caller must not interrupt the upload.
		const found = await find();
		if (deedOf(response) === 'see' && !isOwn(caller, ownedUpload(found))) {
			const progress = await currentProgress(storage, found);
			return handler({ upload: found, progress, hold: looking }, request, response);
		}
		await context.uploads.locks.hold(id, request, async (hold) => {
			const upload = await find();
			await handler({ upload, progress: await currentProgress(context.storage, upload), hold }, request, response);
		});
	};
}

/** @throws PicpipeError `upload-not-found`, also for an upload that the caller may not see; `insufficient-scope` */
export async function findUpload(storage: Storage, caller: Caller, deed: Deed, id: string): Promise<Upload> {
	const upload = isUploadId(id) ? await readUpload(storage, id) : undefined;
	const missing = () => new PicpipeError('upload-not-found');
	if (!upload) throw missing();
	requireReach(caller, deed, ownedUpload(upload), missing);
	return upload;
}

function ownedUpload(upload: Upload): Owned {
	return { owner: ownerOfUpload(upload), grant: upload.owner.grant };
}

/** The offset and the parts. A finished upload has no bytes; the bytes of a joined upload belong to its parts. */
export async function currentProgress(storage: Storage, upload: Upload): Promise<PartsProgress> {
	if (upload.outcome) return { offset: upload.length ?? 0, parts: [], lastAt: undefined };
	if (!upload.parts) return progressOf(storage, upload.id);
	const each = await Promise.all(upload.parts.map((id) => progressOf(storage, id)));
	const offset = each.reduce((sum, one) => sum + one.offset, 0);
	return { offset, parts: each.flatMap(({ parts }) => parts), lastAt: undefined };
}

/** @returns the upload; with its outcome if it is complete */
export async function finishIfComplete(
	context: ApiContext,
	response: Response,
	upload: Upload,
	{ offset, parts }: Pick<PartsProgress, 'offset' | 'parts'>,
): Promise<Upload> {
	if (upload.outcome || !hasWishes(upload) || upload.length !== offset) return upload;
	return finishUpload(context, response, upload, parts);
}

function hasWishes(upload: Upload): upload is Upload & { readonly wishes: UploadWishes } {
	return upload.wishes !== undefined;
}

/** @returns the id of the upload's picture, if it has one. @throws PicpipeError the refusal of a refused upload */
export function pictureOf(upload: Upload): string | undefined {
	const refusal = storedRefusal(upload);
	if (refusal) throw refusal;
	return upload.outcome && 'picture' in upload.outcome ? upload.outcome.picture : undefined;
}
