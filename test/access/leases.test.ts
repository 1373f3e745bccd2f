import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Leases, openLeases } from '../../src/access/leases.ts';
import { connected } from '../helpers/connection.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';

const leaseTime = 600;

async function leasesOn(prefix: string, url?: string): Promise<Leases> {
	const leases = openLeases(await connected('producer', url), prefix, leaseTime);
	onTestFinished(() => leases.close());
	return leases;
}

describe('leases', () => {
	it('last while they are held, longer than their lifetime, and end without renewal', async () => {
		const prefix = freshPrefix();
		const alive = await leasesOn(prefix);
		const killed = await leasesOn(prefix);
		const held = await alive.take('key', 2);
		await killed.take('key', 2);
		// As a kill would: no renewals, and nothing is given back.
		killed.close();
		expect(await alive.take('key', 2)).toEqual({ held: 2, release: undefined });
		await sleep(2 * leaseTime);
		const next = await alive.take('key', 2);
		expect(next).toMatchObject({ held: 2, release: expect.any(Function) });
		expect((await alive.take('key', 2)).release).toBeUndefined();
		held.release?.();
		next.release?.();
	});

	it('leave nothing in Redis after their release', async () => {
		const prefix = freshPrefix();
		const redis = await connected();
		const leases = await leasesOn(prefix);
		const taken = await Promise.all(Array.from({ length: 5 }, () => leases.take('key', 5)));
		expect(await redis.keys(`${prefix}:*`)).toEqual([`${prefix}:key`]);
		expect(await redis.pttl(`${prefix}:key`)).toBeGreaterThan(0);
		for (const { release } of taken) release?.();
		await expect.poll(() => redis.keys(`${prefix}:*`)).toEqual([]);
	});

	it('that were granted without Redis count everywhere once it is back', async () => {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		const prefix = freshPrefix();
		const [one, other] = [await leasesOn(prefix, redis.url), await leasesOn(prefix, redis.url)];
		await redis.kill9();
		expect((await one.take('key', 1)).release).toBeDefined();
		expect((await one.take('key', 1)).release).toBeUndefined();
		await redis.restart();
		await expect
			.poll(
				async () => {
					const { release } = await other.take('key', 1);
					release?.();
					return release;
				},
				{ timeout: 10_000, interval: 100 },
			)
			.toBeUndefined();
	});
});
