import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { pictureSchema } from '../domain/picture.ts';
import { stored, storedWord } from '../domain/stored.ts';
import { type ErrorCode, errorTable } from '../errors.ts';
import { earliestNow } from '../observe/clock.ts';
import { idempotencyFolders, idempotencyKey } from '../storage/keys.ts';
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
