import { type BackoffStrategy, type JobsOptions, UnrecoverableError } from 'bullmq';
import { type ErrorCode, errorTable, PicpipeError } from '../errors.ts';

/** Random share of each delay, so that pictures that failed together are not retried together. */
const jitter = 0.5;

/** Exponential backoff with jitter: about 1, 2, 4, 8 times the first delay. */
export function retryOptions(attempts: number, firstDelay: number): Pick<JobsOptions, 'attempts' | 'backoff'> {
	return { attempts, backoff: { type: 'exponential', delay: firstDelay, jitter } };
}

/** Name of the backoff that calls `patientDelay`. The worker has to provide it. */
const patient = 'patient';

/** As `retryOptions`, but no sooner than the remote server asked for. */
export function patientRetries(attempts: number, firstDelay: number): Pick<JobsOptions, 'attempts' | 'backoff'> {
	return { attempts, backoff: { type: patient, delay: firstDelay, jitter } };
}

/**
 * For a worker whose jobs have `patientRetries`: the delay before the next attempt, milliseconds.
 *
 * @param longest longest delay that a remote server may ask for, seconds
 */
export function patientDelay(longest: number): BackoffStrategy {
	return (attemptsMade, _type, error, job) => {
		const { backoff } = job?.opts ?? {};
		const first = typeof backoff === 'object' ? (backoff.delay ?? 0) : 0;
		const delay = first * 2 ** (attemptsMade - 1) * (1 - jitter * Math.random());
		const cause = error?.cause;
		const asked = cause instanceof PicpipeError ? (cause.retryAfter ?? 0) : 0;
		return Math.round(Math.max(delay, Math.min(asked, longest) * 1_000));
	};
}

/** Name of the backoff that calls `scheduledDelay`. The worker has to provide it. */
export const scheduled = 'scheduled';

/** Random share of a scheduled delay, so that deliveries that failed together are not retried together. */
const scheduleJitter = 0.1;

/**
 * For a worker whose jobs follow a list of delays: the delay before the next attempt, milliseconds. Attempts made before the job was lost
 * count (`attemptsBefore` in its data).
 *
 * @param schedule delays before the second and each further attempt, seconds
 * @param longest longest delay that the receiver may ask for, seconds
 */
export function scheduledDelay(schedule: readonly number[], longest: number): BackoffStrategy {
	return (attemptsMade, _type, error, job) => {
		const before = Number((job?.data as { attemptsBefore?: number } | undefined)?.attemptsBefore ?? 0);
		const delay = (schedule[before + attemptsMade - 1] ?? schedule.at(-1) ?? 0) * 1_000;
		const cause = error?.cause;
		const asked = cause instanceof PicpipeError ? (cause.retryAfter ?? 0) : 0;
		const jittered = delay * (1 + scheduleJitter * (2 * Math.random() - 1));
		return Math.round(Math.max(jittered, Math.min(asked, longest) * 1_000));
	};
}

/** Will the work be done again after this error? A stopped process made no attempt of its own. @param attempt starts at 1 */
export function willRetry(error: PicpipeError, attempt: number, attempts: number): boolean {
	return error.code === 'stopping' || (error.retryable && attempt < attempts);
}

/** The error to throw to BullMQ; Arena shows its message. A failure that is not worth another attempt ends the job at once. */
export function jobError(error: PicpipeError): Error {
	const message = `${error.class} (${error.code})${error.step ? ` at ${error.step}` : ''}: ${error.message}`;
	return error.retryable ? new Error(message, { cause: error }) : new UnrecoverableError(message);
}

/** Reads an error that `jobError` wrote into a failed job. Any other reason, such as stalling too often, is `internal`. */
export function errorOfJob(reason: string): PicpipeError {
	const [, code = '', step, message] = /^[a-z]+ \(([a-z-]+)\)(?: at ([^:]{1,200}))?: (.*)$/s.exec(reason) ?? [];
	if (!Object.hasOwn(errorTable, code)) return new PicpipeError('internal', reason);
	return new PicpipeError(code as ErrorCode, message, { step });
}
