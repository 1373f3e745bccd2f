import type { Redis } from 'ioredis';
import { type ErrorCode, errorTable, type FailureClass, failureClassOf } from '../errors.ts';
import { type QueueName, queueNames } from './jobs.ts';
import { askRedis } from './redis.ts';

/**
 * How an attempt at a job may end: done; nothing was to be done any more, or somebody else had done it; failed, and another follows; failed for
 * good.
 */
const attemptOutcomes = ['succeeded', 'unneeded', 'retried', 'failed'] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];

/** How many attempts have ended alike. */
interface AttemptCount {
	readonly queue: QueueName;
	readonly outcome: AttemptOutcome;
	/** Why they failed; undefined for those that have not. */
	readonly failure: { readonly class: FailureClass; readonly code: ErrorCode } | undefined;
	readonly count: number;
}

/**
 * Counters over all workers, which no HTTP server of theirs could tell. They lie in Redis and begin anew when that has burned, as a counter of
 * Prometheus may.
 */
export interface Attempts {
	/** Returns at once; while Redis is away it is told later, or never. @param code why it failed */
	count(queue: QueueName, outcome: AttemptOutcome, code?: ErrorCode): void;
	/** @throws PicpipeError `queue-unavailable` */
	read(): Promise<AttemptCount[]>;
}

/** @param prefix first part of every key, so that installations can share a Redis */
export function openAttempts(redis: Redis, prefix: string): Attempts {
	// One hash: there are only so many queues, outcomes and codes.
	const key = `${prefix}:attempts`;
	return {
		count(queue, outcome, code) {
			redis.hincrby(key, [queue, outcome, ...(code ? [code] : [])].join(' '), 1).catch(() => {});
		},
		async read() {
			const counts = await askRedis(redis, () => redis.hgetall(key));
			return Object.entries(counts).flatMap(([field, count]) => parseField(field, Number(count)) ?? []);
		},
	};
}

/** @returns undefined for what another version has counted, and this one doesn't know */
function parseField(field: string, count: number): AttemptCount | undefined {
	const [queue, outcome, code] = field.split(' ') as [QueueName, AttemptOutcome, ErrorCode | undefined];
	const isKnown = queueNames.includes(queue) && attemptOutcomes.includes(outcome) && Number.isSafeInteger(count);
	if (!isKnown || (code !== undefined && !Object.hasOwn(errorTable, code))) return undefined;
	return { queue, outcome, failure: code && { class: failureClassOf(code), code }, count };
}
