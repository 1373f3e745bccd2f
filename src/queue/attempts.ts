import type { Redis } from 'ioredis';
import { type ErrorCode, errorTable, type FailureClass, failureClassOf } from '../errors.ts';
import { type QueueName, queueNames } from './jobs.ts';
import { askRedis } from './redis.ts';

/**
 * Outcome of an attempt at a job. `unneeded`: nothing was left to do. `retried`: it failed, and another attempt follows. `failed`: it
 * failed for good.
 */
const attemptOutcomes = ['succeeded', 'unneeded', 'retried', 'failed'] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];

/** Number of attempts with the same outcome. */
interface AttemptCount {
	readonly queue: QueueName;
	readonly outcome: AttemptOutcome;
	/** Why they failed; undefined for other outcomes. */
	readonly failure: { readonly class: FailureClass; readonly code: ErrorCode } | undefined;
	readonly count: number;
}

/**
 * Attempt counters of all workers. Workers have no HTTP server for metrics, so the counters are in Redis and an API process exports them.
 * They start at zero after Redis has lost its data, as Prometheus counters may.
 */
export interface Attempts {
	/** Returns at once. While Redis is away, the count arrives later or is lost. @param code of the failure */
	count(queue: QueueName, outcome: AttemptOutcome, code?: ErrorCode): void;
	/** @throws PicpipeError `queue-unavailable` */
	read(): Promise<AttemptCount[]>;
}

/** @param prefix of every key, so that installations can share a Redis */
export function openAttempts(redis: Redis, prefix: string): Attempts {
	// One hash suffices: the numbers of queues, outcomes and codes are small.
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

/** @returns undefined for a field of another version that this version does not know */
function parseField(field: string, count: number): AttemptCount | undefined {
	const [queue, outcome, code] = field.split(' ') as [QueueName, AttemptOutcome, ErrorCode | undefined];
	const isKnown = queueNames.includes(queue) && attemptOutcomes.includes(outcome) && Number.isSafeInteger(count);
	if (!isKnown || (code !== undefined && !Object.hasOwn(errorTable, code))) return undefined;
	return { queue, outcome, failure: code && { class: failureClassOf(code), code }, count };
}
