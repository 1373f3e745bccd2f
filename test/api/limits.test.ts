import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { form, json, startTestApi } from '../helpers/api.ts';
import { bearer, startKeyedApi } from '../helpers/keys.ts';
import { photograph } from '../helpers/pictures.ts';
import { startRedis } from '../helpers/redis.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

const upload = () => ({ method: 'POST', body: form([['a.jpg', bytes]]) });

/** Starts an upload whose body does not end before it is told to. */
function hold(url: string, key: string) {
	const headers = { ...bearer(key), 'content-type': 'image/jpeg', 'content-length': String(bytes.length) };
	const sent = request(`${url}/v1/pictures`, { method: 'POST', headers });
	const status = new Promise<number>((resolve, reject) => {
		sent.once('response', (response) => {
			response.resume();
			resolve(response.statusCode ?? 0);
		});
		sent.once('error', reject);
	});
	sent.write(bytes.subarray(0, -10));
	return { status, end: () => sent.end(bytes.subarray(-10)) };
}

/** The structured field (RFC 9651) as what it means: a list of strings with integer or string parameters. */
function parseField(field: string | null): Record<string, Record<string, number | string>> {
	const entries = (field ?? '').split(', ').map((item) => {
		expect(item).toMatch(/^"[a-z]+"(;[a-z]+=(\d+|"[a-z-]+"))+$/);
		const [name = '', ...parameters] = item.split(';');
		const pairs = parameters
			.map((one) => one.split('='))
			.map(([key, value = '']) => [key, value.startsWith('"') ? value.slice(1, -1) : Number(value)]);
		return [name.slice(1, -1), Object.fromEntries(pairs)];
	});
	return Object.fromEntries(entries);
}

describe('the limits of a key', () => {
	it('are in RateLimit-Policy, the remaining amounts in RateLimit, and a refusal is 429 with Retry-After', async () => {
		const { ask } = await startKeyedApi({
			some: { limits: { rate: { requests: 3, seconds: 600 }, concurrency: 5, perDay: 100 } },
			free: {},
		});
		const first = await ask('some', '/v1/recipes');
		expect(first.status).toBe(200);
		expect(parseField(first.headers.get('ratelimit-policy'))).toEqual({
			rate: { q: 3, w: 600 },
			concurrency: { q: 5, qu: 'concurrent-requests' },
			day: { q: 100, w: 86_400, qu: 'pictures' },
		});
		const left = parseField(first.headers.get('ratelimit'));
		expect(left).toEqual({ rate: { r: 2, t: expect.any(Number) }, concurrency: { r: 4 } });
		expect(left.rate?.t).toBeGreaterThan(590);
		expect(left.rate?.t).toBeLessThanOrEqual(600);

		// A refusal for another reason counts, and tells as well.
		const notFound = await ask('some', '/v1/recipes/nothing');
		expect([notFound.status, parseField(notFound.headers.get('ratelimit')).rate?.r]).toEqual([404, 1]);
		const uploaded = await ask('some', '/v1/pictures', upload());
		expect(uploaded.status).toBe(202);
		expect(parseField(uploaded.headers.get('ratelimit'))).toMatchObject({ rate: { r: 0 }, day: { r: 100 } });

		for (const refused of [await ask('some', '/v1/recipes'), await ask('some', '/v1/pictures', upload())]) {
			expect(refused.status).toBe(429);
			const { rate } = parseField(refused.headers.get('ratelimit'));
			expect(rate?.r).toBe(0);
			expect(refused.headers.get('retry-after')).toBe(String(rate?.t));
			expect(await json(refused)).toMatchObject({
				code: 'rate-exceeded',
				class: 'request',
				'violated-policies': ['rate'],
				detail: 'Expected at most 3 requests in 10 minutes but received more.',
			});
		}
		const free = await ask('free', '/v1/recipes');
		expect([free.status, free.headers.get('ratelimit'), free.headers.get('ratelimit-policy')]).toEqual([
			200,
			null,
			null,
		]);
		const stranger = await ask(undefined, '/v1/recipes');
		expect([stranger.status, stranger.headers.get('ratelimit-policy')]).toEqual([401, null]);
	});

	it('on concurrency count only requests in progress', async () => {
		const { api, ask, keys } = await startKeyedApi({ two: { limits: { concurrency: 2 } }, other: {} });
		const held = [hold(api.url, keys.two), hold(api.url, keys.two)];
		await expect.poll(async () => (await api.keys()).filter((key) => key.startsWith('pending/')).length).toBe(2);
		const refused = await ask('two', '/v1/recipes');
		expect(refused.status).toBe(429);
		expect(refused.headers.get('retry-after')).toBe('1');
		expect(await json(refused)).toMatchObject({ code: 'concurrency-exceeded', 'violated-policies': ['concurrency'] });
		expect((await ask('other', '/v1/recipes')).status).toBe(200);
		for (const one of held) one.end();
		expect(await Promise.all(held.map(({ status }) => status))).toEqual([202, 202]);
		await expect.poll(async () => (await ask('two', '/v1/recipes')).status).toBe(200);
		// Answered, aborted and refused ones all gave their place back.
		for (let round = 0; round < 5; round++) {
			const control = new AbortController();
			const waiting = ask('two', '/v1/pictures', {
				...upload(),
				headers: { prefer: 'wait=60' },
				signal: control.signal,
			});
			await sleep(50);
			control.abort();
			await expect(waiting).rejects.toThrow();
			await ask('two', '/v1/nothing');
			await ask('two', '/v1/recipes/nothing');
		}
		await expect
			.poll(async () => parseField((await ask('two', '/v1/recipes')).headers.get('ratelimit')).concurrency?.r)
			.toBe(1);
	});

	it('on pictures count each picture, refuse the excess individually, and store nothing of it', async () => {
		const { api, ask } = await startKeyedApi({ three: { limits: { perDay: 3 } } });
		const send = (...names: string[]) => {
			const files = names.map((name) => [name, name === 'broken' ? Buffer.from('no picture') : bytes] as const);
			return ask('three', '/v1/pictures', { method: 'POST', body: form(files) });
		};
		expect((await send('a')).status).toBe(202);
		// What is refused for another reason is not counted.
		expect((await send('broken')).status).toBe(415);
		const several = await send('b', 'broken', 'c', 'd', 'e');
		expect(several.status).toBe(202);
		const { pictures, refused } = await json(several);
		expect(pictures).toHaveLength(2);
		expect(
			refused.map((one: { filename: string; problem: { code: string } }) => [one.filename, one.problem.code]),
		).toEqual([
			['broken', 'unsupported-type'],
			['d', 'quota-exceeded'],
			['e', 'quota-exceeded'],
		]);
		const full = await send('f');
		expect(full.status).toBe(429);
		expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0);
		expect(Number(full.headers.get('retry-after'))).toBeLessThanOrEqual(86_400);
		expect(await json(full)).toMatchObject({ code: 'quota-exceeded', 'violated-policies': ['day'] });
		expect(parseField(full.headers.get('ratelimit')).day?.r).toBe(0);
		expect((await api.keys()).filter((key) => key.includes('/original'))).toHaveLength(3);
		expect((await ask('three', '/v1/pictures')).status).toBe(200);
	});

	it('on pictures do not count uploads that are linked to an existing picture', async () => {
		const { api, ask } = await startKeyedApi({ two: { limits: { perDay: 2 } } });
		await api.reindex();
		const link = async () => (await ask('two', '/v1/pictures?duplicates=link', upload())).status;
		expect([await link(), await link(), await link(), await link()]).toEqual([202, 200, 200, 200]);
	});
});

describe('while Redis is away', () => {
	it.each(['killed', 'stopped'])(
		'(%s) uploads with a limited key are accepted, and limited',
		{ timeout: 60_000 },
		async (how) => {
			const redis = await startRedis();
			onTestFinished(() => redis.stop());
			const { api, ask } = await startKeyedApi(
				{ some: { limits: { rate: { requests: 3, seconds: 600 }, concurrency: 5, perDay: 100 } } },
				{ REDIS_URL: redis.url },
			);
			await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status).toBe(200);
			if (how === 'killed') await redis.kill9();
			else process.kill(redis.pid, 'SIGSTOP');
			try {
				for (let picture = 0; picture < 3; picture++)
					expect((await ask('some', '/v1/pictures', upload())).status).toBe(202);
				expect((await ask('some', '/v1/pictures', upload())).status).toBe(429);
				expect((await api.keys()).filter((key) => key.includes('/original'))).toHaveLength(3);
			} finally {
				if (how === 'stopped') process.kill(redis.pid, 'SIGCONT');
			}
		},
	);

	it('makes no difference to keys, whether it is away from the start or later', async () => {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		await redis.kill9();
		const { ask } = await startKeyedApi({ one: {} }, { REDIS_URL: redis.url });
		expect((await ask('one', '/v1/recipes')).status).toBe(200);
		expect((await ask(undefined, '/v1/recipes')).status).toBe(401);
		expect((await ask('one', '/v1/pictures', upload())).status).toBe(202);
	});
});

describe('two APIs', () => {
	it('share their counts', async () => {
		const one = await startKeyedApi({ some: { limits: { rate: { requests: 4, seconds: 600 }, perDay: 100 } } });
		const { storage, redisPrefix } = one.api.config;
		const other = await startTestApi({ PICPIPE_STORAGE: storage, PICPIPE_REDIS_PREFIX: redisPrefix });
		await expect.poll(async () => (await fetch(`${other.url}/readyz`)).status).toBe(200);
		const left: unknown[] = [];
		for (const url of [one.api.url, other.url, one.api.url, other.url, one.api.url]) {
			const response = await fetch(`${url}/v1/recipes`, { headers: bearer(one.keys.some) });
			left.push(response.status, parseField(response.headers.get('ratelimit')).rate?.r);
		}
		expect(left).toEqual([200, 3, 200, 2, 200, 1, 200, 0, 429, 0]);
	});
});
