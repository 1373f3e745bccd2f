import { setTimeout as sleep } from 'node:timers/promises';
import { isPassing, Refusal } from './answer.ts';

/** Delay before the second attempt, milliseconds. It doubles with each further attempt, with jitter, up to the longest. */
const firstDelay = 500;
const longestDelay = 30_000;
/** Attempts without any progress before a file is given up, about two minutes. */
const maximumAttempts = 9;
/** Longest `Retry-After` to wait for, seconds. A daily quota takes longer. */
const longestRetryAfter = 900;

export interface RetryOptions {
	/** Also ends the waiting. */
	readonly signal: AbortSignal;
	/** Called before each wait. @param seconds until the next attempt */
	onWait(refusal: Refusal, seconds: number): void;
}

/**
 * Repeats an attempt until it succeeds or a retry is pointless. Waits as long as `Retry-After` says, otherwise longer each time.
 *
 * @param attempt receives a function to report progress, which resets the number of attempts
 * @throws Refusal the last one; any other error of the attempt
 */
export async function withRetries<T>(attempt: (achieved: () => void) => Promise<T>, options: RetryOptions): Promise<T> {
	let attempts = 0;
	const achieved = () => {
		attempts = 0;
	};
	for (;;) {
		try {
			options.signal.throwIfAborted();
			return await attempt(achieved);
		} catch (error) {
			attempts++;
			options.signal.throwIfAborted();
			if (!(error instanceof Refusal) || !isPassing(error)) throw error;
			const { retryAfter } = error;
			if (attempts >= maximumAttempts || (retryAfter ?? 0) > longestRetryAfter) throw error;
			const delay = retryAfter === undefined ? backoff(attempts) : retryAfter * 1_000 + Math.random() * firstDelay;
			options.onWait(error, delay / 1_000);
			await sleep(delay, undefined, { signal: options.signal });
		}
	}
}

function backoff(attempts: number): number {
	return Math.min(longestDelay, firstDelay * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2);
}
