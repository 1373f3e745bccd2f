import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import type { KeyLimits } from '../../src/access/key-rights.ts';
import { type Entered, type Limiter, openLimiter, type PolicyState } from '../../src/access/limiter.ts';
import { readUploadToken, signUploadToken } from '../../src/access/upload-token.ts';
import { connected } from '../helpers/connection.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';
import { thrownBy } from '../helpers/thrown.ts';

const secret = Buffer.alloc(32, 7);

function caller(limits: KeyLimits, id = 'key_1'): Caller {
	return { id, owner: id, scopes: ['upload'], limits, signingSecret: secret };
}

async function withToken(one: Caller, maxPictures: number): Promise<Caller> {
	const expires = Math.floor(Date.now() / 1_000) + 60;
	const token = signUploadToken(
		{ caller: one.id, recipe: 'web', tags: [], priority: 0, maxBytes: 10, maxPictures, expires },
		secret,
	);
	const { grant } = await readUploadToken(token, async () => one);
	return { ...one, grant };
}

function limiterOn(redis: Redis, prefix: string): Limiter {
	const limiter = openLimiter(redis, prefix);
	onTestFinished(() => limiter.close());
	return limiter;
}

/** Limiters of two apis that share a Redis. */
async function two(url = inject('redisUrl')): Promise<[Limiter, Limiter]> {
	const prefix = freshPrefix();
	return [limiterOn(await connected('producer', url), prefix), limiterOn(await connected('producer', url), prefix)];
}

const stateOf = (policies: readonly PolicyState[], name: PolicyState['name']) =>
	policies.find((one) => one.name === name);

/** The middle of a minute, so that no test sees a day end. */
async function awayFromMidnight(): Promise<void> {
	const left = 86_400_000 - (Date.now() % 86_400_000);
	if (left < 20_000) await sleep(left + 100);
}

describe('a rate limit', () => {
	it('is counted over all APIs, separately for each key, and resets when its window ends', async () => {
		const [one, other] = await two();
		const key = caller({ rate: { requests: 4, seconds: 2 } });
		const entered: Entered[] = [];
		for (const limiter of [one, other, one, other, one, other]) entered.push(await limiter.enter(key, false));
		expect(entered.map(({ policies }) => stateOf(policies, 'rate')?.remaining)).toEqual([3, 2, 1, 0, 0, 0]);
		expect(entered.map(({ refusal }) => refusal?.code)).toEqual([
			...Array(4).fill(undefined),
			'rate-exceeded',
			'rate-exceeded',
		]);
		const { refusal, policies } = entered[5] ?? { policies: [] };
		const rate = stateOf(policies, 'rate');
		expect(rate).toMatchObject({ quota: 4, window: 2 });
		expect(rate?.resetsIn).toBeGreaterThanOrEqual(1);
		expect(rate?.resetsIn).toBeLessThanOrEqual(2);
		expect(refusal).toMatchObject({ status: 429, retryAfter: rate?.resetsIn, violatedPolicies: ['rate'] });
		expect((await one.enter(caller({ rate: { requests: 4, seconds: 2 } }, 'key_2'), false)).refusal).toBeUndefined();
		await sleep((refusal?.retryAfter ?? 0) * 1_000 + 50);
		expect((await other.enter(key, false)).refusal, 'after Retry-After').toBeUndefined();
	});
});

describe('a concurrency limit', () => {
	it('is counted over all APIs and releases its places', async () => {
		const [one, other] = await two();
		const key = caller({ concurrency: 2 });
		const first = await one.enter(key, false);
		const second = await other.enter(key, false);
		const third = await one.enter(key, false);
		expect([first, second, third].map(({ policies }) => stateOf(policies, 'concurrency')?.remaining)).toEqual([
			1, 0, 0,
		]);
		expect(third.refusal).toMatchObject({
			code: 'concurrency-exceeded',
			status: 429,
			retryAfter: 1,
			violatedPolicies: ['concurrency'],
		});
		expect(first.refusal ?? second.refusal).toBeUndefined();
		first.leave();
		await expect.poll(async () => (await other.enter(key, false)).refusal).toBeUndefined();
	});

	it('admits exactly the allowed number of simultaneous requests', async () => {
		const [one, other] = await two();
		const key = caller({ concurrency: 7 });
		const entered = await Promise.all(Array.from({ length: 40 }, (_, at) => (at % 2 ? one : other).enter(key, false)));
		expect(entered.filter(({ refusal }) => refusal === undefined)).toHaveLength(7);
	});
});

describe('a daily limit of pictures', () => {
	it('counts each picture, undoes a count, and then refuses, even before the body is read', async () => {
		await awayFromMidnight();
		const [one, other] = await two();
		const key = caller({ perDay: 3 });
		expect(stateOf((await one.enter(key, true)).policies, 'day')).toMatchObject({
			quota: 3,
			unit: 'pictures',
			window: 86_400,
			remaining: 3,
		});
		const giveBack = await one.chargePicture(key);
		await other.chargePicture(key);
		await one.chargePicture(key);
		const error = await thrownBy(() => other.chargePicture(key));
		expect(error).toMatchObject({ code: 'quota-exceeded', status: 429, violatedPolicies: ['day'] });
		const untilMidnight = 86_400 - ((Date.now() / 1_000) % 86_400);
		expect(Math.abs((error.retryAfter ?? 0) - untilMidnight)).toBeLessThan(5);
		const full = await one.enter(key, true);
		expect(full.refusal).toMatchObject({ code: 'quota-exceeded', violatedPolicies: ['day'] });
		expect(stateOf(full.policies, 'day')?.remaining).toBe(0);
		// Whoever only looks is not held up.
		expect((await one.enter(key, false)).refusal).toBeUndefined();
		await giveBack();
		expect((await other.enter(key, true)).refusal).toBeUndefined();
		await one.chargePicture(key);
		expect((await thrownBy(() => one.chargePicture(key))).code).toBe('quota-exceeded');
	});

	it('admits exactly the allowed number of simultaneous pictures', async () => {
		await awayFromMidnight();
		const [one, other] = await two();
		const key = caller({ perDay: 5 });
		const charged = await Promise.allSettled(
			Array.from({ length: 30 }, (_, at) => (at % 2 ? one : other).chargePicture(key)),
		);
		expect(charged.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
	});
});

describe('an upload token', () => {
	it('is valid for its number of pictures and no more than its key', async () => {
		await awayFromMidnight();
		const [one, other] = await two();
		const key = caller({ perDay: 4 });
		const token = await withToken(key, 2);
		await one.chargePicture(token);
		await other.chargePicture(token);
		const used = await thrownBy(() => one.chargePicture(token));
		expect(used).toMatchObject({ code: 'quota-exceeded', violatedPolicies: ['token'], retryAfter: undefined });
		expect((await one.enter(token, true)).refusal).toMatchObject({
			code: 'quota-exceeded',
			violatedPolicies: ['token'],
		});
		// What the token could not take was not charged to the day.
		await one.chargePicture(key);
		await one.chargePicture(key);
		const another = await withToken(key, 2);
		expect(await thrownBy(() => one.chargePicture(another))).toMatchObject({ violatedPolicies: ['day'] });
	});
});

describe('a key without limits', () => {
	it('causes no Redis commands and no headers', async () => {
		const redis = await connected();
		const limiter = limiterOn(redis, freshPrefix());
		const asked: unknown[] = [];
		redis.sendCommand = ((command: unknown) => asked.push(command)) as never;
		const { policies, refusal } = await limiter.enter(caller({}), true);
		await limiter.chargePicture(caller({}));
		expect([policies, refusal, asked]).toEqual([[], undefined, []]);
	});
});

describe('while Redis is away', () => {
	const key = caller({ rate: { requests: 3, seconds: 60 }, concurrency: 2, perDay: 3 });

	it.each(['killed', 'stopped'])(
		'(%s) each API enforces the limits on its own without delay',
		{ timeout: 60_000 },
		async (how) => {
			await awayFromMidnight();
			const redis = await startRedis();
			onTestFinished(() => redis.stop());
			const [one, other] = await two(redis.url);
			if (how === 'killed') await redis.kill9();
			else process.kill(redis.pid, 'SIGSTOP');
			// What waited for Redis would wait until the test is over: it comes back after all of this.
			for (const limiter of [one, other]) {
				const entered = await Promise.all([
					limiter.enter(key, true),
					limiter.enter(key, true),
					limiter.enter(key, true),
				]);
				expect(entered.filter(({ refusal }) => refusal === undefined)).toHaveLength(2);
				for (const { leave } of entered) leave();
				const fourth = await limiter.enter(key, true);
				expect(fourth.refusal).toMatchObject({ code: 'rate-exceeded' });
				for (let picture = 0; picture < 3; picture++) await limiter.chargePicture(key);
				expect((await thrownBy(() => limiter.chargePicture(key))).code).toBe('quota-exceeded');
			}
			if (how === 'stopped') process.kill(redis.pid, 'SIGCONT');
			else await redis.restart();
			// Back in Redis, where both count together again.
			const fresh = caller({ rate: { requests: 1_000, seconds: 60 } }, 'key_after');
			const count = async (limiter: Limiter) =>
				1_000 - (stateOf((await limiter.enter(fresh, false)).policies, 'rate')?.remaining ?? 0);
			await expect
				.poll(async () => [(await count(one)) + 1, await count(other)], { timeout: 20_000, interval: 200 })
				.toSatisfy(([next, counted]) => next === counted);
		},
	);
});
