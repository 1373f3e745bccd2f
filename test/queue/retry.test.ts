import { Backoffs, UnrecoverableError } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, PicpipeError } from '../../src/errors.ts';
import { jobError, retryOptions, willRetry } from '../../src/queue/retry.ts';

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

	it('names no step where there is none', () => {
		expect(jobError(new PicpipeError('internal')).message).toBe(
			'internal (internal): Something went wrong on our side.',
		);
	});
});

describe('retryOptions', () => {
	it('doubles the delay each time and leaves half of it to chance', () => {
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
