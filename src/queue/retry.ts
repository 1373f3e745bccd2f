import { type JobsOptions, UnrecoverableError } from 'bullmq';
import type { PicpipeError } from '../errors.ts';

/** Share of each delay that is left to chance, so that pictures which failed together don't come back together. */
const jitter = 0.5;

/** Exponential backoff with jitter: about 1, 2, 4, 8 times the first delay. */
export function retryOptions(attempts: number, firstDelay: number): Pick<JobsOptions, 'attempts' | 'backoff'> {
	return { attempts, backoff: { type: 'exponential', delay: firstDelay, jitter } };
}

/** Will BullMQ try again after this error? @param attempt counted from 1 */
export function willRetry(error: PicpipeError, attempt: number, attempts: number): boolean {
	return error.retryable && attempt < attempts;
}

/** The error to throw to BullMQ, whose message Arena shows: a failure not worth another attempt ends the job at once. */
export function jobError(error: PicpipeError): Error {
	const message = `${error.class} (${error.code})${error.step ? ` at ${error.step}` : ''}: ${error.message}`;
	return error.retryable ? new Error(message, { cause: error }) : new UnrecoverableError(message);
}
