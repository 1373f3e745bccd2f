import { createHash } from 'node:crypto';
import { fromUUID, typeidUnboxed } from 'typeid-js';
import * as z from 'zod';
import { stored, storedWord } from './stored.ts';

/** A TypeID like a picture's: `batch_` and a UUIDv7 in base32. */
const batchIdPattern = /^batch_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/;

/** Characters of a name that can be shown on one line. */
export const maximumBatchName = 100;
/** Most pictures that a batch may wait for. */
export const maximumExpected = 1_000_000;

export const batchSchema = stored({
	version: z.literal(1),
	id: z.string().regex(batchIdPattern),
	/** For people. */
	name: z.string().max(maximumBatchName).optional(),
	createdAt: z.iso.datetime(),
	/** It is closed when so many pictures are in it. */
	expect: z.int().min(1).max(maximumExpected).optional(),
	/** Address that is told of its end, as it was asked for; it may hold a secret, so show it with `shownUrl`. */
	webhook: z.string().optional(),
	/** The request that made it, to find its log lines. */
	requestId: z.string().optional(),
});
/** Pictures that belong together, as it was made. Written once and never changed. */
export type Batch = z.infer<typeof batchSchema>;

/** Why no further picture is taken: somebody said so, as many are there as were expected, or it was open for too long. */
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
	/** Pictures by how they had ended at that moment. */
	ready: z.int().min(0),
	failed: z.int().min(0),
});
/** That all of a closed batch has ended. Written once: it is what was told. */
export type FinishedBatch = z.infer<typeof finishedBatchSchema>;

export function newBatchId(): string {
	return typeidUnboxed('batch');
}

/** The id that belongs to a request: whoever sends it again, because the answer was lost, gets the same batch. @param name digest of it */
export function batchIdOf(name: string): string {
	const hash = createHash('sha256').update(name).digest('hex');
	// Version 8 and the variant of RFC 9562: of no time.
	const hex = `${hash.slice(0, 12)}8${hash.slice(12, 15)}8${hash.slice(15, 30)}`;
	return fromUUID(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), 'batch');
}

export function isBatchId(text: string): boolean {
	return batchIdPattern.test(text);
}
