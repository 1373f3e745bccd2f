import type { Request, Response } from 'express';
import { mention } from '../../catalog/deletion.ts';
import { folderOf } from '../../catalog/manifest.ts';
import { digest } from '../../domain/digest.ts';
import { PicpipeError } from '../../errors.ts';
import {
	emptyIdempotencyRecord,
	type Fingerprint,
	type IdempotencyRecord,
	type IdempotencyRecords,
	isSameRequest,
	type RecordedResult,
	refusalOfDeleted,
} from '../../intake/idempotency.ts';
import { discard } from '../../intake/receive.ts';
import { findReservation, type Reservation } from '../../intake/reservation.ts';
import { idempotencyKey, manifestKey } from '../../storage/keys.ts';
import { openNullStorage, type Storage } from '../../storage/storage.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { parseIdempotencyKey } from './idempotency-key.ts';
import {
	createPictures,
	type ReceivedUpload,
	reservationOf,
	type Uploader,
	type UploadResult,
	uploaderOf,
} from './upload.ts';

/** Receives the files of a request. @param storage stores the files */
export type Receive = (storage: Storage) => ReceivedUpload | Promise<ReceivedUpload>;

/** The outcome of an upload, item by item. */
export interface IdempotentOutcome extends Pick<ReceivedUpload, 'isList'> {
	readonly results: readonly UploadResult[];
	/** The results are those of an earlier attempt. */
	readonly isReplayed: boolean;
}

/** Where the outcome of an upload is recorded. */
export interface RecordPlace {
	readonly records: IdempotencyRecords;
	readonly digest: string;
}

/** Seconds after which a client may retry a request that is still in progress. */
const retryAfter = 1;

/**
 * Runs an upload once for each `Idempotency-Key`: a repeated request gets the first response, or finishes the work of a killed API process.
 * A lease keeps two requests with the same key apart: in Redis for all processes, or in memory while Redis is away. The record in storage
 * alone guarantees that there is one picture (see `intake/idempotency.ts`).
 *
 * Only responses that accepted a picture are recorded. A refused request can be repeated with the same key.
 *
 * @throws PicpipeError `invalid-idempotency-key`, `idempotency-key-in-use`, `idempotency-key-reused`, `picture-deleted`; as `receive`
 */
export async function runIdempotent(
	context: ApiContext,
	request: Request,
	response: Response,
	receive: Receive,
): Promise<IdempotentOutcome> {
	const by = uploaderOf(response);
	const header = request.get('idempotency-key');
	if (header === undefined) return createOnce(context, by, undefined, receive);
	const { id, grant } = callerOf(response);
	const name = digest(id, grant?.id, request.method, request.path, parseIdempotencyKey(header));
	const { release } = await context.underWay.take(name, 1);
	if (!release) {
		throw new PicpipeError(
			'idempotency-key-in-use',
			'Expected no other request with this Idempotency-Key at the same time but one is in progress.',
			{ retryAfter },
		);
	}
	try {
		const outcome = await createOnce(context, by, { records: context.idempotency, digest: name }, receive);
		if (outcome.isReplayed) response.set('Idempotency-Replayed', 'true');
		return outcome;
	} finally {
		release();
	}
}

/**
 * The path of every upload, whether its bytes come as a body, a form or a resumable upload, or are fetched from URLs: receive, reserve ids,
 * create the pictures, record the outcome. After a crash, the next attempt with the same record finds the same pictures.
 *
 * @param place of the record; undefined for an upload that cannot be repeated
 */
export async function createOnce(
	context: ApiContext,
	by: Uploader,
	place: RecordPlace | undefined,
	receive: Receive,
): Promise<IdempotentOutcome> {
	const earlier = place && (await readCurrent(context, place));
	const gone = earlier && refusalOfDeleted(earlier);
	if (gone) throw gone;
	if (earlier?.results) {
		// The repeated files are compared, not stored.
		const { isList, fingerprint } = await receive(openNullStorage());
		requireSame(earlier, fingerprint);
		return replay(earlier.results, isList);
	}

	const upload = await receive(context.storage);
	const { isList, items } = upload;

	const { record, reservations } = place
		? await reserve(context, place, earlier, upload)
		: { record: undefined, reservations: items.map(reservationOf) };
	if (record?.results) return replay(record.results, isList);

	const results = await createPictures(context, by, place ? withRecord(upload, place) : upload, reservations);

	if (place && record) await mentionOthers(context, place, results);
	if (place && record && results.some(({ picture }) => picture)) {
		// If it fails, the next attempt finds the pictures by their manifests.
		await place.records
			.replace(place.digest, {
				...record,
				candidates: toRecords(reservations, record),
				results: results.map(toRecord),
			})
			.catch((err) => context.log.warn({ err }, 'response not recorded for its idempotency key'));
		// A picture that was deleted before the record was written: the deletion may not have seen the record.
		await readCurrent(context, place);
	}
	return { ...(isList !== undefined && { isList }), results, isReplayed: false };
}

/** The record, without the pictures that no longer exist: their deletion may have missed it, or an earlier version deleted them. */
async function readCurrent(
	{ storage }: ApiContext,
	{ records, digest: name }: RecordPlace,
): Promise<IdempotencyRecord | undefined> {
	const record = await records.read(name);
	const ids = new Set((record?.results ?? []).flatMap(({ picture }) => picture?.id ?? []));
	const exist = await Promise.all([...ids].map((id) => storage.stat(manifestKey(folderOf(id)))));
	const gone = [...ids].filter((_, at) => exist[at] === undefined);
	for (const id of gone) await emptyIdempotencyRecord(storage, idempotencyKey(name), id);
	return gone.length > 0 ? records.read(name) : record;
}

/** The upload, whose pictures name the record in their manifests. */
function withRecord(upload: ReceivedUpload, { digest: name }: RecordPlace): ReceivedUpload {
	const records = [...(upload.fields.records ?? []), idempotencyKey(name)];
	return { ...upload, fields: { ...upload.fields, records } };
}

/** The record repeats facts about pictures that other requests made: those with the same bytes. */
async function mentionOthers(
	{ storage }: ApiContext,
	{ digest: name }: RecordPlace,
	results: readonly UploadResult[],
): Promise<void> {
	const ids = results.flatMap(({ picture, isNew, refused }) => {
		if (refused?.code === 'duplicate-picture') return refused.pictureId ?? [];
		return picture && isNew === false ? picture.id : [];
	});
	for (const id of new Set(ids)) await mention(storage, id, idempotencyKey(name));
}

function replay(results: readonly RecordedResult[], isList: boolean | undefined): IdempotentOutcome {
	return { ...(isList !== undefined && { isList }), results: results.map(fromRecord), isReplayed: true };
}

/** @throws PicpipeError `idempotency-key-reused` */
function requireSame(record: IdempotencyRecord, fingerprint: Fingerprint): void {
	if (isSameRequest(record.fingerprint, fingerprint)) return;
	throw new PicpipeError(
		'idempotency-key-reused',
		`Expected the request that first used this Idempotency-Key, at ${record.createdAt}, but received another one.`,
	);
}

interface Reserved {
	/** Undefined if the whole upload was refused: its key can be used again. */
	readonly record: IdempotencyRecord | undefined;
	readonly reservations: readonly (Reservation | undefined)[];
}

/**
 * Reserves the ids of the pictures in the record, or finds those that an earlier attempt reserved. The record has results if another
 * attempt was answered in the meantime.
 */
async function reserve(
	context: ApiContext,
	{ records, digest: name }: RecordPlace,
	earlier: IdempotencyRecord | undefined,
	{ fingerprint, items }: ReceivedUpload,
): Promise<Reserved> {
	const own = items.map(reservationOf);
	if (!earlier && !own.some(Boolean)) return { record: undefined, reservations: own };
	const commit = () => records.commit(name, { fingerprint, candidates: own.map(toReservationRecord) });
	const record =
		earlier ??
		(await commit().catch(async (error) => {
			await discardAll(context.storage, own);
			throw error;
		}));
	if (!isSameRequest(record.fingerprint, fingerprint) || record.results) {
		await discardAll(context.storage, own);
		requireSame(record, fingerprint);
		return { record, reservations: [] };
	}
	const reservations = await settle(context, record, own);
	const isChanged = reservations.some((one, at) => one?.id !== record.candidates[at]?.id);
	if (isChanged) await records.replace(name, { ...record, candidates: toRecords(reservations, record) });
	return { record, reservations };
}

/**
 * The ids of the record win, so that no attempt creates other pictures. Only if nothing is left of an earlier attempt does the new file
 * take its place, after the record was updated.
 */
async function settle(
	{ storage, config }: ApiContext,
	record: IdempotencyRecord,
	own: readonly (Reservation | undefined)[],
): Promise<(Reservation | undefined)[]> {
	const settled = await Promise.all(
		own.map(async (reservation, at) => {
			const recorded = record.candidates[at];
			if (recorded?.deleted) return recorded;
			if (!recorded || recorded.id === reservation?.id) return reservation && { ...reservation, isShared: true };
			const found = await findReservation(storage, recorded, config.abandonedSeconds);
			return found ?? (reservation && { ...reservation, isShared: true });
		}),
	);
	const unused = own.filter((reservation, at) => reservation && settled[at]?.id !== reservation.id);
	await discardAll(storage, unused);
	return settled;
}

type ReservationRecord = IdempotencyRecord['candidates'][number];

function toReservationRecord(reservation: Reservation | undefined): ReservationRecord {
	return reservation ? { id: reservation.id, ...(reservation.source && { source: reservation.source }) } : null;
}

/** Reservations as recorded. Kept reservations retain the fields that a newer version wrote. */
function toRecords(
	reservations: readonly (Reservation | undefined)[],
	{ candidates }: IdempotencyRecord,
): ReservationRecord[] {
	return reservations.map((reservation, at) => {
		const before = candidates[at];
		const after = toReservationRecord(reservation);
		return after && before?.id === after.id ? { ...before, ...after } : after;
	});
}

async function discardAll(storage: Storage, reservations: readonly (Reservation | undefined)[]): Promise<void> {
	// The reservation of a URL has nothing in storage yet.
	for (const reservation of reservations) if (reservation?.source) await discard(storage, reservation.id);
}

function toRecord({ refused, ...result }: UploadResult): RecordedResult {
	if (!refused) return result;
	const { code, message, pictureId, violatedPolicies } = refused;
	return {
		...result,
		refused: { code, message, pictureId, violatedPolicies: violatedPolicies && [...violatedPolicies] },
	};
}

function fromRecord({ refused, ...result }: RecordedResult): UploadResult {
	if (!refused) return result;
	const { code, message, pictureId, violatedPolicies } = refused;
	return { ...result, refused: new PicpipeError(code, message, { pictureId, violatedPolicies }) };
}
