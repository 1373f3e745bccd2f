import { Backoffs, type Job, UnrecoverableError } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, PicpipeError } from '../../src/errors.ts';
import { jobError, patientDelay, patientRetries, retryOptions, willRetry } from '../../src/queue/retry.ts';

/** One error of each class. */
const errors: readonly (readonly [string, ErrorCode, boolean])[] = [
	['corrupt', 'corrupt-picture', false],
	['unsupported', 'unsupported-type', false],
	['limit', 'picture-timeout', false],
	['transient', 'storage-unavailable', true],
	['internal', 'imaging-process-died', true],
	['request', 'invalid-id', false],
];

describe('willRetry', () => {
	it.each(errors)('after an error of class %s (%s): %s', (errorClass, code, isRetried) => {
		const error = new PicpipeError(code);
		expect(error.class).toBe(errorClass);
		const decisions = [1, 2, 3, 4, 5, 6].map((attempt) => willRetry(error, attempt, 5));
		expect(decisions).toEqual(isRetried ? [true, true, true, true, false, false] : decisions.map(() => false));
		expect(willRetry(error, 1, 1)).toBe(false);
	});
});

describe('jobError', () => {
	it.each(errors)('of class %s (%s) ends the job at once unless it is retried', (errorClass, code, isRetried) => {
		const error = new PicpipeError(code, 'What happened.', { step: 'decode' });
		const thrown = jobError(error);
		expect(thrown instanceof UnrecoverableError).toBe(!isRetried);
		expect(thrown.message).toBe(`${errorClass} (${code}) at decode: What happened.`);
	});

	it('names no step if there is none', () => {
		expect(jobError(new PicpipeError('internal')).message).toBe('internal (internal): An internal error occurred.');
	});
});

describe('retryOptions', () => {
	it('doubles the delay each time, half of it random', () => {
		const { attempts, backoff } = retryOptions(5, 1_000);
		expect(attempts).toBe(5);
		const delays = [1, 2, 3, 4].map((attemptsMade) =>
			Array.from({ length: 200 }, () => {
				const options = Backoffs.normalize(backoff ?? 0);
				return Number(Backoffs.calculate(options as never, attemptsMade, new Error(), {} as never));
			}),
		);
		for (const [index, sample] of delays.entries()) {
			const full = 1_000 * 2 ** index;
			expect(Math.min(...sample)).toBeGreaterThanOrEqual(full / 2);
			expect(Math.max(...sample)).toBeLessThanOrEqual(full);
			// Not all alike: they would come back together.
			expect(Math.max(...sample) - Math.min(...sample)).toBeGreaterThan(full / 4);
		}
	});
});

describe('the delay of a job that waits for another server', () => {
	const job = { opts: patientRetries(5, 1_000) } as Job;
	const delays = (error: Error, attemptsMade = 1) =>
		Array.from({ length: 200 }, () => Number(patientDelay(60)(attemptsMade, 'patient', error, job)));
	const asked = (retryAfter: number) => jobError(new PicpipeError('remote-unavailable', undefined, { retryAfter }));

	it('is the usual delay without Retry-After', () => {
		expect(job.opts.attempts).toBe(5);
		for (const attemptsMade of [1, 2, 3, 4]) {
			const sample = delays(jobError(new PicpipeError('remote-timeout')), attemptsMade);
			const full = 1_000 * 2 ** (attemptsMade - 1);
			expect(Math.min(...sample)).toBeGreaterThanOrEqual(full / 2);
			expect(Math.max(...sample)).toBeLessThanOrEqual(full);
			expect(Math.max(...sample) - Math.min(...sample)).toBeGreaterThan(full / 4);
		}
	});

	it('is no shorter than Retry-After, and no longer than allowed', () => {
		expect(new Set(delays(asked(30)))).toEqual(new Set([30_000]));
		expect(new Set(delays(asked(61)))).toEqual(new Set([60_000]));
		expect(Math.min(...delays(asked(1), 4))).toBeGreaterThanOrEqual(4_000);
	});

	it('works without an error and without a job', () => {
		expect(patientDelay(60)(1, 'patient', undefined, undefined)).toBe(0);
	});
});
