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
 * What becomes of a request with an idempotency key, in the storage, because it has to outlive the api and Redis. The record is created
 * when everything has come in and nothing has been accepted yet: of any number of equal requests at once, in any apis, one creates it, and
 * its pictures are the ones that there will be. When they are accepted the results are added, to be given again.
 */

/** What tells two requests apart that have the same key. */
const fingerprintSchema = stored({
	/** Digest of everything but the bytes of files. */
	request: z.string(),
	/** SHA-256 of each file; null where it was refused before its end. */
	files: z.array(z.string().nullable()),
});
export type Fingerprint = z.infer<typeof fingerprintSchema>;

/** What became of one file or address. */
const resultSchema = stored({
	filename: z.string().optional(),
	url: z.string().optional(),
	/** As it was accepted. */
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
	/** One for each file or address; null for one that was refused. */
	candidates: z.array(reservationSchema.nullable()),
	/** There once the request was answered. */
	results: z.array(resultSchema).optional(),
});
export type IdempotencyRecord = z.infer<typeof recordSchema>;

export interface IdempotencyRecords {
	/** Undefined when there is none, or only one that has expired. */
	read(digest: string): Promise<IdempotencyRecord | undefined>;
	/** Makes these the candidates of the key unless it has others. @returns the record that there is now */
	commit(digest: string, wanted: Pick<IdempotencyRecord, 'fingerprint' | 'candidates'>): Promise<IdempotencyRecord>;
	/** Writes a record again, with other candidates or with results. */
	replace(digest: string, record: IdempotencyRecord): Promise<void>;
}

/** One that has expired is replaced, and one that the sweep takes away at this moment is created: more tries than these are never needed. */
const maximumTries = 5;

/** @param seconds how long a record counts */
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
			throw new Error('A record of an idempotency key could neither be created nor read.');
		},
	};
}

function toBytes(record: IdempotencyRecord): Buffer {
	return Buffer.from(JSON.stringify(record));
}

/** Are the two the same request? Of a file that was refused before its end there is nothing to compare. */
export function isSameRequest(one: Fingerprint, other: Fingerprint): boolean {
	return (
		one.request === other.request &&
		one.files.length === other.files.length &&
		one.files.every((sha256, at) => sha256 === null || other.files[at] === null || sha256 === other.files[at])
	);
}

export interface ForgetOptions {
	/** How long a record counts, seconds. */
	readonly idempotencySeconds: number;
	/** How often this is called, seconds. */
	readonly sweepSeconds: number;
}

/**
 * Deletes records that nobody may use any more. Each call looks at some of the folders, so that all have had their turn by the time in
 * which a record expires; so at most a record lives for three times as long as it counts.
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
	// Twice as old as it may be used: nobody is in the middle of giving its answer again, or of replacing it.
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
