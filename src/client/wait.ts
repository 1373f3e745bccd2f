import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from './answer.ts';
import type { Api } from './api.ts';
import { type RetryOptions, withRetries } from './retry.ts';

/** How a picture has ended. */
export interface Ended {
	readonly state: 'ready' | 'failed';
	/** Why it failed. */
	readonly failure?: { readonly code: string; readonly message: string };
}

/** Between two looks at all that are still waited for, milliseconds. */
const lookAgain = 1_000;
/** Looks at the same time. */
const parallel = 4;

export interface WaitOptions extends RetryOptions {
	onEnd(picture: string, ended: Ended): void;
}

/** Waits until all pictures are ready or failed. @throws Refusal such as `insufficient-scope`, for a key that may not read */
export async function waitForEnd(api: Api, pictures: readonly string[], options: WaitOptions): Promise<void> {
	const open = new Set(pictures);
	while (open.size > 0) {
		const round = [...open].values();
		const look = async () => {
			for (const picture of round) {
				const ended = await endOf(api, picture, options);
				if (!ended) continue;
				open.delete(picture);
				options.onEnd(picture, ended);
			}
		};
		await Promise.all(Array.from({ length: parallel }, look));
		if (open.size > 0) await sleep(lookAgain, undefined, { signal: options.signal });
	}
}

async function endOf(api: Api, picture: string, options: RetryOptions): Promise<Ended | undefined> {
	try {
		const { body } = await withRetries(() => api.ask(`/v1/pictures/${picture}`, options.signal), options);
		const { state, failure } = body as { readonly state?: unknown; readonly failure?: Ended['failure'] };
		if (state !== 'ready' && state !== 'failed') return undefined;
		return { state, ...(failure && { failure }) };
	} catch (error) {
		// Deleted meanwhile.
		if (!(error instanceof Refusal) || error.code !== 'picture-not-found') throw error;
		return { state: 'failed', failure: { code: error.code, message: error.message } };
	}
}
