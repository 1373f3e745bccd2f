import { createHash } from 'node:crypto';
import { fromUUID, typeidUnboxed } from 'typeid-js';
import * as z from 'zod';
import { stored, storedWord } from './stored.ts';

/** A TypeID like a picture's: `batch_` and a UUIDv7 in base32. */
const batchIdPattern = /^batch_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/;

/** Longest name, in characters; it must fit on one line. */
export const maximumBatchName = 100;
/** Largest number of pictures that a batch can expect. */
export const maximumExpected = 1_000_000;

export const batchSchema = stored({
	version: z.literal(1),
	id: z.string().regex(batchIdPattern),
	/** A label for people. */
	name: z.string().max(maximumBatchName).optional(),
	createdAt: z.iso.datetime(),
	/** Who created it, as for pictures; absent if it is older than owners. */
	owner: z.string().optional(),
	/** The batch closes when it has this many pictures. */
	expect: z.int().min(1).max(maximumExpected).optional(),
	/** URL to notify when the batch ends, as the client gave it. It may contain a secret, so show it with `shownUrl`. */
	webhook: z.string().optional(),
	/** The request that created the batch, for its log lines. */
	requestId: z.string().optional(),
});
/** A group of pictures, as it was created. Written once and never changed. */
export type Batch = z.infer<typeof batchSchema>;

/** Why a batch accepts no more pictures: a client closed it, it has the expected number of pictures, or it was open for too long. */
const closedReasons = ['asked', 'expected', 'age'] as const;

export const closedBatchSchema = stored({
	version: z.literal(1),
	at: z.iso.datetime(),
	reason: storedWord(closedReasons),
});
export type ClosedBatch = z.infer<typeof closedBatchSchema>;

export const finishedBatchSchema = stored({
	version: z.literal(1),
	at: z.iso.datetime(),
	/** Number of pictures by final state at that moment. */
	ready: z.int().min(0),
	failed: z.int().min(0),
	/** Of those that are ready, the ones that lack variants. */
	withFailures: z.int().min(0).optional(),
});
/** All pictures of a closed batch have ended. Written once, because these are the numbers that subscribers receive. */
export type FinishedBatch = z.infer<typeof finishedBatchSchema>;

export function newBatchId(): string {
	return typeidUnboxed('batch');
}

/**
 * The batch id for a request. A client that lost the response and repeats the request gets the same batch. @param name digest of the
 * request
 */
export function batchIdOf(name: string): string {
	const hash = createHash('sha256').update(name).digest('hex');
	// Version 8 (custom) and the variant bits of RFC 9562: the id has no time.
	const hex = `${hash.slice(0, 12)}8${hash.slice(12, 15)}8${hash.slice(15, 30)}`;
	return fromUUID(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), 'batch');
}

export function isBatchId(text: string): boolean {
	return batchIdPattern.test(text);
}
