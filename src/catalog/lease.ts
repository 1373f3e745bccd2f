import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { askRedis } from '../queue/redis.ts';

/** Work that only one process of the installation does at a time. */
export interface WorkLease {
	/** Aborted when the lease was lost: Redis forgot it, or could not be reached for too long. Another process may then hold it. */
	readonly lost: AbortSignal;
	/** Renews it now. @returns whether it is still held */
	renew(): Promise<boolean>;
	release(): Promise<void>;
}

/** KEYS: lease. ARGV: holder, milliseconds. Redis expires the lease by its own clock, so no process's clock matters. */
const renewScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** KEYS: lease. ARGV: holder. */
const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
`;

/**
 * Takes a lease unless another process holds it. It is renewed until it is released; if its holder dies, it ends by itself.
 *
 * @param milliseconds lifetime without renewal
 * @returns undefined if another process holds it
 * @throws PicpipeError `queue-unavailable`
 */
export async function takeWorkLease(redis: Redis, key: string, milliseconds: number): Promise<WorkLease | undefined> {
	redis.defineCommand('workLeaseRenew', { numberOfKeys: 1, lua: renewScript });
	redis.defineCommand('workLeaseRelease', { numberOfKeys: 1, lua: releaseScript });
	const commands = redis as Redis & {
		workLeaseRenew(key: string, holder: string, milliseconds: number): Promise<0 | 1>;
		workLeaseRelease(key: string, holder: string): Promise<null>;
	};
	const holder = randomUUID();
	if (!(await askRedis(redis, () => redis.set(key, holder, 'PX', milliseconds, 'NX')))) return undefined;
	const lost = new AbortController();
	let renewedAt = performance.now();
	const renew = async () => {
		const askedAt = performance.now();
		const isHeld = await askRedis(redis, () => commands.workLeaseRenew(key, holder, milliseconds)).catch(
			() => undefined,
		);
		if (isHeld === 1) renewedAt = askedAt;
		if (isHeld === 0 || performance.now() - renewedAt > milliseconds) {
			clearInterval(timer);
			lost.abort();
		}
		return !lost.signal.aborted;
	};
	const timer = setInterval(() => void renew(), milliseconds / 3).unref();
	return {
		lost: lost.signal,
		renew,
		async release() {
			clearInterval(timer);
			// If Redis does not answer, the lease expires.
			await askRedis(redis, () => commands.workLeaseRelease(key, holder)).catch(() => {});
		},
	};
}
