import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { digest } from '../domain/digest.ts';
import type { Leases } from './leases.ts';

/** How long a connection that is being made is waited for, milliseconds; without Redis a process knows of itself alone. */
const connectPatience = 2_000;
/** Milliseconds between two looks at a lease that another has. */
const lookAgain = 1_000;

/**
 * Waits until nobody else does what has this name, and keeps others from it until it is left.
 *
 * @param name of any length, such as a folder's path
 * @param options.onWait called once when another is at it
 * @returns to be called when it is over
 */
export async function takeAlone(
	redis: Redis,
	leases: Leases,
	name: string,
	{ stopping, onWait }: { readonly stopping: AbortSignal; onWait(): void },
): Promise<() => void> {
	if (redis.status !== 'ready') {
		const signal = AbortSignal.any([stopping, AbortSignal.timeout(connectPatience)]);
		await once(redis, 'ready', { signal }).catch(() => {});
	}
	for (let isTold = false; !stopping.aborted; isTold = true) {
		const { release } = await leases.take(digest(name), 1);
		if (release) return release;
		if (!isTold) onWait();
		await sleep(lookAgain, undefined, { signal: stopping }).catch(() => {});
	}
	return () => {};
}
