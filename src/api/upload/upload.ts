import type { Response } from 'express';
import type { Caller } from '../../access/caller.ts';
import { confinedTo } from '../../access/ownership.ts';
import type { Picture } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { type AdmitFields, admitUrl } from '../../intake/admit.ts';
import { type Admitted, admitUnlessThere, type DuplicatePolicy } from '../../intake/duplicates.ts';
import { type Fingerprint, pictureDeleted } from '../../intake/idempotency.ts';
import { discardUnlessShared, type Received } from '../../intake/receive.ts';
import type { Reservation } from '../../intake/reservation.ts';
import type { Logger } from '../../observe/log.ts';
import { type ApiContext, callerOf } from '../context.ts';

/** The uploading caller, for limits and logs. */
export interface Uploader {
	readonly caller: Caller;
	readonly requestId: string;
	readonly log: Logger;
}

/** The uploader of a request behind a guard. */
export function uploaderOf(response: Response): Uploader {
	const { requestId, log } = response.locals;
	return { caller: callerOf(response), requestId, log };
}

/** A file of an upload: its original in storage, or its refusal. */
export interface UploadedFile {
	readonly filename: string | undefined;
	readonly received?: Received;
	readonly refused?: PicpipeError;
}

/** A URL of an upload: checked, with the id of the picture that will be fetched from it, or its refusal. */
export interface UploadedUrl {
	/** As sent by the client. */
	readonly url: string;
	readonly remote?: { readonly id: string; readonly url: URL };
	readonly refused?: PicpipeError;
}

/** The content of a request: checked, with its files in storage, and no picture created yet. */
export interface ReceivedUpload {
	/** Whether the response is a list. If absent, the number of items decides. */
	readonly isList?: boolean;
	readonly fingerprint: Fingerprint;
	/** In the order of the request. */
	readonly items: readonly (UploadedFile | UploadedUrl)[];
	readonly fields: Omit<AdmitFields, 'requestId' | 'owner'> & {
		/** Of the pictures; the caller's if absent. */
		readonly owner?: string | undefined;
		readonly duplicates?: DuplicatePolicy;
		/** The owner whose pictures count as duplicates; if absent, those that the caller sees. */
		readonly among?: string | undefined;
	};
}

/** The outcome of one file or URL. */
export interface UploadResult {
	readonly filename?: string | undefined;
	readonly url?: string | undefined;
	readonly picture?: Picture | undefined;
	/** False for a picture that already existed. */
	readonly isNew?: boolean | undefined;
	readonly refused?: PicpipeError;
}

/** The reservation for an item of this request; undefined for a refused item. */
export function reservationOf(item: UploadedFile | UploadedUrl): Reservation | undefined {
	if (!('url' in item)) return item.received;
	return item.remote && { id: item.remote.id };
}

/**
 * Creates the pictures of an upload, one after the other, each under its reserved id.
 *
 * @param reservations one for each item; undefined for a refused item
 */
export async function createPictures(
	context: ApiContext,
	by: Uploader,
	{ items, fields }: ReceivedUpload,
	reservations: readonly (Reservation | undefined)[],
): Promise<UploadResult[]> {
	const results: UploadResult[] = [];
	try {
		for (const [at, item] of items.entries()) {
			const name = 'url' in item ? { url: item.url } : { filename: item.filename };
			results.push({ ...name, ...(await createPicture(context, by, { item, fields, reservation: reservations[at] })) });
		}
		return results;
	} catch (error) {
		// The item that failed has discarded its own original.
		for (const reservation of reservations.slice(results.length + 1)) {
			if (reservation?.source && !reservation.picture) await discardUnlessShared(context.storage, reservation);
		}
		throw error;
	}
}

interface Creation {
	readonly item: UploadedFile | UploadedUrl;
	readonly reservation: Reservation | undefined;
	readonly fields: ReceivedUpload['fields'];
}

async function createPicture(
	context: ApiContext,
	by: Uploader,
	{ item, reservation, fields }: Creation,
): Promise<UploadResult> {
	if (!reservation || ('url' in item && !item.remote)) return item.refused ? { refused: item.refused } : {};
	const { id, source, isShared, picture, deleted } = reservation;
	if (deleted) return { refused: pictureDeleted(id) };
	if (picture) return { picture };
	try {
		if ('url' in item) return await createFromUrl(context, by, fields, { reservation, url: item.remote?.url });
		if (!source) throw new PicpipeError('internal', 'An accepted file has no original.');
		return await createFromFile(context, by, fields, { id, source, ...(isShared && { isShared }) });
	} catch (error) {
		if (error instanceof PicpipeError && refusesOneItem.test(error.code)) return { refused: error };
		throw error;
	}
}

/** Errors that refuse one item and do not affect the rest of the upload. */
const refusesOneItem = /^(duplicate-picture|picture-deleted|quota-exceeded|batch-closed)$/;

async function createFromFile(
	context: ApiContext,
	{ caller, requestId, log }: Uploader,
	fields: Creation['fields'],
	received: Received,
): Promise<Admitted> {
	const refund = await context.limiter.chargePicture(caller).catch(async (error) => {
		await discardUnlessShared(context.storage, received);
		throw error;
	});
	try {
		const admitted = await admitUnlessThere(
			context,
			received,
			{
				owner: caller.owner,
				among: confinedTo(caller),
				...fields,
				duplicates: fields.duplicates ?? 'accept',
				requestId,
			},
			log,
		);
		if (!admitted.isNew) await refund();
		return admitted;
	} catch (error) {
		await discardUnlessShared(context.storage, received);
		await refund();
		throw error;
	}
}

async function createFromUrl(
	context: ApiContext,
	{ caller, requestId, log }: Uploader,
	fields: Creation['fields'],
	{ reservation, url }: { readonly reservation: Reservation; readonly url: URL | undefined },
): Promise<Pick<UploadResult, 'picture'>> {
	if (!url) throw new PicpipeError('internal', 'A refused URL cannot become a picture.');
	const refund = await context.limiter.chargePicture(caller);
	try {
		const described = { owner: caller.owner, ...fields, requestId };
		return { picture: await admitUrl(context, url, described, log, reservation) };
	} catch (error) {
		await refund();
		throw error;
	}
}
