import { setTimeout as sleep } from 'node:timers/promises';
import { isPassing, Refusal } from './answer.ts';

/** Delay before the second attempt, milliseconds; it doubles with each further one, with jitter, up to the longest. */
const firstDelay = 500;
const longestDelay = 30_000;
/** Attempts without any progress before a file is given up: about two minutes. */
const maximumAttempts = 9;
/** Longest `Retry-After` that is waited for, seconds. A day's quota is not. */
const longestRetryAfter = 900;

export interface RetryOptions {
	/** Ends the waiting too. */
	readonly signal: AbortSignal;
	/** Told before each wait. @param seconds until the next attempt */
	onWait(refusal: Refusal, seconds: number): void;
}

/**
 * Does something until it works or there is no hope any more. Waits as long as `Retry-After` asks, else longer each time.
 *
 * @param attempt is given a function to call when something was achieved: then the count begins anew
 * @throws Refusal the last one; whatever else the attempt throws
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
