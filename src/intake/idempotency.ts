import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { folderOf } from '../catalog/manifest.ts';
import { pictureSchema } from '../domain/picture.ts';
import { stored, storedWord } from '../domain/stored.ts';
import { type ErrorCode, errorTable, PicpipeError } from '../errors.ts';
import { earliestNow } from '../observe/clock.ts';
import { idempotencyFolders, idempotencyKey, manifestKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { reservationSchema } from './reservation.ts';

/**
 * Stored outcome of a request with an idempotency key. It lives in storage because it has to outlive the API process and Redis. The record
 * is created when the whole request has been received and nothing is accepted yet. Of any number of equal requests at the same time, in any
 * number of API processes, one creates it, and all of them accept the pictures that it reserves. The results are added once the pictures
 * are accepted, so that the response can be repeated.
 */

/** Identifies a request, to detect a different request with the same key. */
const fingerprintSchema = stored({
	/** Digest of the request without the contents of its files. */
	request: z.string(),
	/** SHA-256 of each file; null if the file was refused before its end. */
	files: z.array(z.string().nullable()),
});
export type Fingerprint = z.infer<typeof fingerprintSchema>;

/** Outcome of one file or URL. */
const resultSchema = stored({
	filename: z.string().optional(),
	url: z.string().optional(),
	/** The picture at the time it was accepted. */
	picture: pictureSchema.optional(),
	isNew: z.boolean().optional(),
	refused: stored({
		code: storedWord(Object.keys(errorTable) as ErrorCode[]),
		message: z.string(),
		pictureId: z.string().optional(),
		violatedPolicies: z.array(z.string()).optional(),
	}).optional(),
});
export type RecordedResult = z.infer<typeof resultSchema>;

const recordSchema = stored({
	version: z.literal(1),
	createdAt: z.iso.datetime(),
	fingerprint: fingerprintSchema,
	/** One for each file or URL; null if it was refused. */
	candidates: z.array(reservationSchema.nullable()),
	/** Set once the request is answered. */
	results: z.array(resultSchema).optional(),
});
export type IdempotencyRecord = z.infer<typeof recordSchema>;

export interface IdempotencyRecords {
	/** Undefined if there is no record, or only an expired one. */
	read(digest: string): Promise<IdempotencyRecord | undefined>;
	/** Reserves these candidates for the key unless it already has others. @returns the record that now exists */
	commit(digest: string, wanted: Pick<IdempotencyRecord, 'fingerprint' | 'candidates'>): Promise<IdempotencyRecord>;
	/** Replaces a record, with different candidates or with results. */
	replace(digest: string, record: IdempotencyRecord): Promise<void>;
}

/** Replacing an expired record takes one try, and creating one that the sweep has just deleted takes another. More are never needed. */
const maximumTries = 5;

/** @param seconds how long a record is valid */
export function openIdempotencyRecords(storage: Storage, seconds: number): IdempotencyRecords {
	const read = async (digest: string) => {
		const bytes = await readObject(storage, idempotencyKey(digest));
		const record = bytes && recordSchema.parse(JSON.parse(bytes.toString()));
		return record && earliestNow() - Date.parse(record.createdAt) < seconds * 1_000 ? record : undefined;
	};
	const replace = async (digest: string, record: IdempotencyRecord) => {
		await storage.put(idempotencyKey(digest), toBytes(record));
	};
	return {
		read,
		replace,
		async commit(digest, { fingerprint, candidates }) {
			for (let tries = 1; tries <= maximumTries; tries++) {
				const record = { version: 1 as const, createdAt: new Date().toISOString(), fingerprint, candidates };
				if (await storage.create(idempotencyKey(digest), toBytes(record))) return record;
				const there = await read(digest);
				if (there) return there;
				await storage.delete(idempotencyKey(digest));
				await sleep(tries);
			}
			throw new Error('An idempotency record could neither be created nor read.');
		},
	};
}

function toBytes(record: IdempotencyRecord): Buffer {
	return Buffer.from(JSON.stringify(record));
}

/** The refusal of a repeated request whose picture was deleted. */
export function pictureDeleted(id: string): PicpipeError {
	return new PicpipeError('picture-deleted', `This request created the picture ${id}, which was deleted since.`, {
		pictureId: id,
	});
}

/** The refusal of a repeated request; undefined unless all of its pictures were deleted. */
export function refusalOfDeleted({ candidates }: IdempotencyRecord): PicpipeError | undefined {
	const [first] = candidates;
	return first?.deleted && candidates.every((one) => one?.deleted) ? pictureDeleted(first.id) : undefined;
}

/**
 * Deletes everything about a deleted picture from a record. Its id stays, so that the repeated request is told. A record whose pictures are
 * all deleted keeps their ids alone, not even the digest of its request.
 *
 * @param sha256 of the picture's bytes; items that were refused as its duplicates have them too
 */
export async function emptyIdempotencyRecord(
	storage: Storage,
	key: string,
	id: string,
	sha256?: string,
): Promise<void> {
	const bytes = await readObject(storage, key);
	if (!bytes) return;
	const record = recordSchema.parse(JSON.parse(bytes.toString()));
	const { candidates, results, fingerprint } = record;
	const isOf = (at: number) =>
		candidates[at]?.id === id || results?.[at]?.picture?.id === id || results?.[at]?.refused?.pictureId === id;
	// Another picture of the same request may have the same bytes, and keeps them.
	const exists = await Promise.all(
		candidates.map(async (one) => one && (await storage.stat(manifestKey(folderOf(one.id)))) !== undefined),
	);
	const hasBytes = (at: number) => sha256 !== undefined && fingerprint.files[at] === sha256 && !exists[at];
	const gone = candidates.map((_, at) => isOf(at));
	if (!candidates.some((_, at) => gone[at] || hasBytes(at))) return;
	const emptied: IdempotencyRecord = {
		...record,
		fingerprint: {
			...fingerprint,
			files: fingerprint.files.map((file, at) => (gone[at] || hasBytes(at) ? null : file)),
		},
		candidates: candidates.map((one, at) => (gone[at] ? { id, deleted: true as const } : hasBytes(at) ? null : one)),
		...(results && { results: results.map((one, at) => (gone[at] ? { refused: refusalToStore(id) } : one)) }),
	};
	const isLast = emptied.candidates.every((one) => one === null || one.deleted);
	await storage.put(key, toBytes(isLast && gone.includes(true) ? idsOf(emptied) : emptied));
}

function idsOf({ version, createdAt, candidates }: IdempotencyRecord): IdempotencyRecord {
	return { version, createdAt, fingerprint: { request: '', files: [] }, candidates: candidates.filter(Boolean) };
}

function refusalToStore(id: string) {
	const { code, message } = pictureDeleted(id);
	return { code, message, pictureId: id };
}

/** Are the two the same request? A file that was refused before its end has no digest to compare. */
export function isSameRequest(one: Fingerprint, other: Fingerprint): boolean {
	return (
		one.request === other.request &&
		one.files.length === other.files.length &&
		one.files.every((sha256, at) => sha256 === null || other.files[at] === null || sha256 === other.files[at])
	);
}

export interface ForgetOptions {
	/** How long a record is valid, seconds. */
	readonly idempotencySeconds: number;
	/** How often this is called, seconds. */
	readonly sweepSeconds: number;
}

/**
 * Deletes expired records. Each call checks some of the folders, so that every folder is checked once per lifetime of a record. A record
 * therefore lives at most three times as long as it is valid.
 *
 * @param now milliseconds since 1970
 * @returns how many it deleted
 */
export async function forgetIdempotencyKeys(
	storage: Storage,
	options: ForgetOptions,
	now = earliestNow(),
): Promise<number> {
	const { idempotencySeconds, sweepSeconds } = options;
	const folders = idempotencyFolders.length;
	const perCall = Math.min(folders, Math.ceil((folders * sweepSeconds) / idempotencySeconds));
	const first = (Math.floor(now / 1_000 / sweepSeconds) * perCall) % folders;
	// Twice the lifetime: by now, no request is still answering from the record or replacing it.
	const tooOld = now - 2 * idempotencySeconds * 1_000;
	let forgotten = 0;
	for (let step = 0; step < perCall; step++) {
		for await (const key of storage.list(idempotencyFolders[(first + step) % folders] ?? '', {
			temporary: true,
		})) {
			const stat = await storage.stat(key);
			if (!stat || stat.modifiedAt.getTime() > tooOld) continue;
			await storage.delete(key);
			forgotten++;
		}
	}
	return forgotten;
}
