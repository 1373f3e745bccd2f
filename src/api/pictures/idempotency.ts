import type { Request, Response } from 'express';
import { digest } from '../../domain/digest.ts';
import type { Picture } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { type Candidate, findCandidate } from '../../intake/candidate.ts';
import {
	type Fingerprint,
	type IdempotencyRecord,
	isSameRequest,
	type RecordedResult,
} from '../../intake/idempotency.ts';
import { discard } from '../../intake/receive.ts';
import { openNowhere } from '../../storage/nowhere.ts';
import type { Storage } from '../../storage/storage.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { parseIdempotencyKey } from './idempotency-key.ts';
import type { Result } from './response.ts';

/** What may become a picture when the request is accepted. */
export interface Berth extends Candidate {
	/** Other attempts at the same request go by the same id. */
	readonly isShared?: boolean;
	/** What an earlier attempt at the same request has made of it already. */
	readonly picture?: Picture | undefined;
}

/** What a request has brought: in storage, checked, and not accepted yet. */
export interface Submission {
	/** Asked for as a list, so that the answer is one however many there are; by their number when undefined. */
	readonly isList?: boolean;
	readonly fingerprint: Fingerprint;
	/** One for each file or address, in order; undefined for one that was refused. */
	readonly berths: readonly (Berth | undefined)[];
	/** Makes pictures. @param berths as above, perhaps those of an earlier attempt */
	admit(berths: readonly (Berth | undefined)[]): Promise<Result[]>;
}

/** Takes in what a request brings. @param storage where files go */
export type Take = (storage: Storage) => Submission | Promise<Submission>;

/** What became of what it brought. */
export interface Outcome extends Pick<Submission, 'isList'> {
	readonly results: readonly Result[];
}

/** Seconds after which a client may try again whose request is still under way. */
const retryAfter = 1;

/**
 * Does what a request asks for, once for each `Idempotency-Key`: whoever sends it again gets the first answer, or finishes what a killed api
 * has left. Two at the same time are told apart by a lease, in Redis for all apis, in memory while Redis is away; what makes sure that there
 * is one picture is the record in the storage alone (see `intake/idempotency.ts`).
 *
 * Only answers that accepted something are kept. Whoever was refused may try again with the same key.
 *
 * @throws PicpipeError `invalid-idempotency-key`, `idempotency-key-in-use`, `idempotency-key-reused`; what `take` throws
 */
export async function once(context: ApiContext, request: Request, response: Response, take: Take): Promise<Outcome> {
	const header = request.get('idempotency-key');
	if (header === undefined) {
		const submission = await take(context.storage);
		return { ...submission, results: await submission.admit(submission.berths) };
	}
	const { id, grant } = callerOf(response);
	const name = digest(id, grant?.id, request.method, request.path, parseIdempotencyKey(header));
	const { release } = await context.underWay.take(name, 1);
	if (!release) {
		throw new PicpipeError(
			'idempotency-key-in-use',
			'Expected no other request with this Idempotency-Key at the same time but one is under way.',
			{ retryAfter },
		);
	}
	try {
		const { isReplayed, ...outcome } = await attempt(context, name, take);
		if (isReplayed) response.set('Idempotency-Replayed', 'true');
		return outcome;
	} finally {
		release();
	}
}

/**
 * The same for whatever has a name of its own. Whoever calls sees to it that it is not done twice at the same time where that can be helped.
 *
 * @param name digest of what is done once
 */
export async function attempt(
	context: Pick<ApiContext, 'idempotency' | 'storage' | 'config' | 'log'>,
	name: string,
	take: Take,
): Promise<Outcome & { readonly isReplayed: boolean }> {
	const { idempotency: records, log } = context;
	const before = await records.read(name);
	if (before?.results) {
		// What comes is only compared, not kept.
		const again = await take(openNowhere());
		requireSame(before, again.fingerprint);
		return { ...again, results: before.results.map(fromRecord), isReplayed: true };
	}
	const submission = await take(context.storage);
	const { fingerprint, berths: own } = submission;
	// Refused as a whole: the key is free again.
	if (!before && !own.some(Boolean)) return { ...submission, results: await submission.admit(own), isReplayed: false };
	const commit = () => records.commit(name, { fingerprint, candidates: own.map(candidateOf) });
	const record =
		before ??
		(await commit().catch(async (error) => {
			await discardAll(context.storage, own);
			throw error;
		}));
	if (!isSameRequest(record.fingerprint, fingerprint) || record.results) {
		await discardAll(context.storage, own);
		requireSame(record, fingerprint);
		if (record.results) return { ...submission, results: record.results.map(fromRecord), isReplayed: true };
	}
	const berths = await settleBerths(context, name, record, submission);
	const results = await submission.admit(berths);
	if (results.some(({ picture }) => picture)) {
		// Without it the next attempt finds the pictures by their manifests.
		await records
			.replace(name, { ...record, candidates: berths.map(candidateIn(record)), results: results.map(toRecord) })
			.catch((err) => log.warn({ err }, 'an answer was not kept for its idempotency key'));
	}
	return { ...submission, results, isReplayed: false };
}

/** @throws PicpipeError `idempotency-key-reused` */
function requireSame(record: IdempotencyRecord, fingerprint: Fingerprint): void {
	if (isSameRequest(record.fingerprint, fingerprint)) return;
	throw new PicpipeError(
		'idempotency-key-reused',
		`Expected the request that first came with this Idempotency-Key, at ${record.createdAt}, but received another one.`,
	);
}

/**
 * Which ids the pictures will have: those of the record, so that no attempt makes others. Only where nothing is left of an earlier attempt
 * what has come now takes its place, after the record was told.
 */
async function settleBerths(
	context: Pick<ApiContext, 'idempotency' | 'storage' | 'config'>,
	name: string,
	record: IdempotencyRecord,
	{ berths: own }: Submission,
): Promise<(Berth | undefined)[]> {
	const settled = await Promise.all(
		own.map(async (berth, at) => {
			const candidate = record.candidates[at];
			if (!candidate || candidate.id === berth?.id) return berth && { ...berth, isShared: true };
			const found = await findCandidate(context.storage, candidate, context.config.abandonedSeconds);
			return found ?? (berth && { ...berth, isShared: true });
		}),
	);
	const unused = own.filter((berth, at) => berth && settled[at]?.id !== berth.id);
	await discardAll(context.storage, unused);
	const isChanged = settled.some((berth, at) => berth?.id !== record.candidates[at]?.id);
	if (isChanged) await context.idempotency.replace(name, { ...record, candidates: settled.map(candidateIn(record)) });
	return settled;
}

function candidateOf(berth: Berth | undefined): Candidate | null {
	return berth ? { id: berth.id, ...(berth.source && { source: berth.source }) } : null;
}

/** The same, with whatever a newer version has written about a candidate that stays. */
function candidateIn({ candidates }: IdempotencyRecord) {
	return (berth: Berth | undefined, at: number): Candidate | null => {
		const before = candidates[at];
		const candidate = candidateOf(berth);
		return candidate && before?.id === candidate.id ? { ...before, ...candidate } : candidate;
	};
}

async function discardAll(storage: Storage, berths: readonly (Berth | undefined)[]): Promise<void> {
	// An address has brought nothing into the storage yet.
	for (const berth of berths) if (berth?.source) await discard(storage, berth.id);
}

function toRecord({ refused, ...result }: Result): RecordedResult {
	if (!refused) return result;
	const { code, message, pictureId, violatedPolicies } = refused;
	return {
		...result,
		refused: { code, message, pictureId, violatedPolicies: violatedPolicies && [...violatedPolicies] },
	};
}

function fromRecord({ refused, ...result }: RecordedResult): Result {
	if (!refused) return result;
	const { code, message, pictureId, violatedPolicies } = refused;
	return { ...result, refused: new PicpipeError(code, message, { pictureId, violatedPolicies }) };
}
