import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { json, startTestApi, startTestApiWithWorker, type TestApi, untilFinished } from '../../helpers/api.ts';
import { startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { fetchesFromHere, says, sends, sendsHalf, startRemote } from '../../helpers/remote.ts';
import { shared } from '../../helpers/shared.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

/** For all tests to which other pictures make no difference. */
const working = shared(() => startTestApiWithWorker(fetchesFromHere));

function post(api: Pick<TestApi, 'url'>, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
	return fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		headers: { 'content-type': 'application/json', ...headers },
		body: JSON.stringify(body),
	});
}

/** Of the job that fetches this picture. */
async function fetchCounts(api: TestApi): Promise<Record<string, number>> {
	const { queues } = await json(await fetch(`${api.url}/v1/queues`));
	return queues.find((queue: { name: string }) => queue.name === 'fetches').counts;
}

describe('a picture uploaded by URL', () => {
	it('is accepted, fetched and processed like any other', async () => {
		const api = await startTestApi(fetchesFromHere);
		const remote = await startRemote(sends(bytes));
		const accepted = await post(api, {
			url: `${remote.url}/a/photo.jpg?signature=secret#part`,
			recipe: 'web',
			tags: ['holiday', '2026'],
			priority: 7,
		});
		expect(accepted.status).toBe(202);
		const waiting = await json(accepted);
		expect(accepted.headers.get('location')).toBe(`/v1/pictures/${waiting.id}`);
		expect(waiting).toMatchObject({
			state: 'queued',
			tags: ['holiday', '2026'],
			priority: 7,
			source: { url: `${remote.url}/a/photo.jpg?…`, filename: 'photo.jpg' },
		});
		expect(waiting.source).not.toHaveProperty('sha256');
		expect(waiting.links).not.toHaveProperty('original');
		expect(waiting.links.job).toContain('/picpipe/fetches/');
		expect(remote.requests).toEqual([]);
		const original = await fetch(`${api.url}/v1/pictures/${waiting.id}/original`);
		expect([original.status, (await json(original)).code]).toEqual([409, 'not-fetched']);

		await api.startWorker();
		const picture = await untilFinished(api, waiting.id);
		expect(picture).toMatchObject({
			state: 'ready',
			source: { type: 'image/jpeg', bytes: bytes.length, filename: 'photo.jpg', url: `${remote.url}/a/photo.jpg?…` },
			facts: { width: 320, height: 240 },
		});
		expect(picture.links.job).toContain('/picpipe/pictures/');
		expect(remote.requests.map(({ url }) => url)).toEqual(['/a/photo.jpg?signature=secret']);
		const served = await fetch(api.url + picture.links.original);
		expect(Buffer.from(await served.arrayBuffer()).equals(bytes)).toBe(true);
		await expect.poll(() => api.keys()).not.toContain(`pending/${picture.id}`);
		expect((await api.keys()).filter((key) => /original/.test(key))).toHaveLength(1);
		expect(JSON.stringify(await json(await fetch(`${api.url}/v1/pictures`)))).not.toContain('secret');
	});

	it('is waited for with Prefer: wait', async () => {
		const api = working();
		const remote = await startRemote(sends(bytes));
		const made = await post(api, { url: remote.url }, { prefer: 'wait=30' });
		expect([made.status, made.headers.get('preference-applied')]).toEqual([201, 'wait=30']);
		expect(await json(made)).toMatchObject({ state: 'ready' });

		remote.answer(says(404));
		const failed = await post(api, { url: remote.url }, { prefer: 'wait=30' });
		expect(failed.status).toBe(201);
		expect(await json(failed)).toMatchObject({
			state: 'failed',
			failure: { class: 'unsupported', code: 'remote-missing', step: 'fetch', attempt: 1 },
		});
	});

	it('is returned when its job ends, not at the next check', async () => {
		const api = working();
		const remote = await startRemote(says(404));
		const times: number[] = [];
		for (let time = 0; time < 5; time++) {
			const started = performance.now();
			expect((await post(api, { url: remote.url }, { prefer: 'wait=30' })).status).toBe(201);
			times.push(performance.now() - started);
		}
		// Without its end each of them would wait for the next look, which is two seconds later. A busy machine may well be late, but not five times.
		expect(Math.min(...times)).toBeLessThan(2_000);
	});

	it('can be retried after a failure', async () => {
		const api = working();
		const remote = await startRemote(says(404));
		const { id } = await json(await post(api, { url: remote.url }));
		expect(await untilFinished(api, id)).toMatchObject({ state: 'failed' });
		remote.answer(sends(bytes));
		// The manifest tells of the failure a moment before the job has ended; until then the picture is busy (409).
		const retry = async () => (await fetch(`${api.url}/v1/pictures/${id}/retry`, { method: 'POST' })).status;
		await expect.poll(retry).toBe(202);
		expect(await untilFinished(api, id)).toMatchObject({ state: 'ready', revision: 5 });
	});

	it('is deleted with its job and all objects before it is fetched', async () => {
		const api = await startTestApi(fetchesFromHere);
		const remote = await startRemote(sends(bytes));
		const { id } = await json(await post(api, { url: remote.url }));
		expect(await fetchCounts(api)).toMatchObject({ waiting: 1 });
		expect((await fetch(`${api.url}/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(204);
		expect(await api.keys()).toEqual([]);
		expect(await fetchCounts(api)).toMatchObject({ waiting: 0 });
		expect((await fetch(`${api.url}/v1/pictures/${id}`)).status).toBe(404);
	});

	it('is deleted while it is fetched', async () => {
		const api = working();
		const remote = await startRemote(sendsHalf(bytes));
		const { id } = await json(await post(api, { url: remote.url }));
		await expect.poll(() => remote.open).toBe(1);
		expect((await fetch(`${api.url}/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(204);
		await remote.stop();
		await expect.poll(async () => (await fetchCounts(api)).active).toBe(0);
		expect((await api.keys()).filter((key) => key.includes(id))).toEqual([]);
	});

	it('can get another recipe before it is fetched', async () => {
		const api = await startTestApi(fetchesFromHere);
		const remote = await startRemote(sends(bytes));
		const { id } = await json(await post(api, { url: remote.url }));
		const other = await fetch(`${api.url}/v1/pictures/${id}/process`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: '{"recipe":"avatar"}',
		});
		expect(other.status).toBe(202);
		expect(await fetchCounts(api)).toMatchObject({ waiting: 1 });
		await api.startWorker();
		expect(await untilFinished(api, id)).toMatchObject({ state: 'ready', recipe: { name: 'avatar' } });
		expect(remote.requests).toHaveLength(1);
	});

	it('returns to the index after a loss', async () => {
		const api = await startTestApi(fetchesFromHere);
		const remote = await startRemote(sends(bytes));
		const { id } = await json(await post(api, { url: remote.url, tags: 'lost' }));
		await api.loseIndex();
		expect(await api.sweep()).toMatchObject({ queued: 0 });
		expect(await api.reindex()).toMatchObject({ pictures: 1 });
		const { pictures } = await json(await fetch(`${api.url}/v1/pictures?tag=lost&state=queued`));
		expect(pictures).toMatchObject([{ id, source: { url: `${remote.url}/` } }]);
	});
});

describe('several URLs', () => {
	it('get one result each, in order', async () => {
		const api = working();
		const remote = await startRemote((request, response) =>
			(request.url === '/gone' ? says(410) : sends(bytes))(request, response),
		);
		const urls = [
			`${remote.url}/1`,
			's3://bucket/key',
			`${remote.url}/gone`,
			'http://10.0.0.1/',
			'nonsense',
			`${remote.url}/2`,
		];
		const answer = await post(api, { urls, tags: ['batch'] }, { prefer: 'wait=30' });
		expect(answer.status).toBe(201);
		const { pictures, refused } = await json(answer);
		expect(
			pictures.map((one: { source: { url: string }; state: string; tags: string[] }) => [
				one.source.url,
				one.state,
				one.tags,
			]),
		).toEqual([
			[`${remote.url}/1`, 'ready', ['batch']],
			[`${remote.url}/gone`, 'failed', ['batch']],
			[`${remote.url}/2`, 'ready', ['batch']],
		]);
		expect(refused.map((one: { url: string; problem: { code: string } }) => [one.url, one.problem.code])).toEqual([
			['s3://bucket/key', 'url-unsupported'],
			['http://10.0.0.1/', 'address-not-allowed'],
			['nonsense', 'url-unsupported'],
		]);
	});

	it('are a list even with a single item', async () => {
		const api = working();
		const one = await post(api, { urls: ['http://127.0.0.1/a.jpg'] });
		expect(one.status).toBe(202);
		expect((await json(one)).pictures).toHaveLength(1);
		const none = await post(api, { urls: ['ftp://127.0.0.1/a.jpg'] });
		expect(none.status).toBe(422);
		expect(await json(none)).toMatchObject({
			code: 'url-unsupported',
			refused: [{ url: 'ftp://127.0.0.1/a.jpg', problem: { code: 'url-unsupported' } }],
		});
	});
});

describe('POST /v1/pictures with JSON refuses', () => {
	it('invalid URLs, and keeps nothing', async () => {
		const api = await startTestApi({ PICPIPE_MAX_FILES: '2' });
		for (const [what, body, status, code, detail] of [
			['nothing', {}, 400, 'invalid-field', /either url or urls/],
			['both', { url: 'http://1.1.1.1/', urls: ['http://1.1.1.1/'] }, 400, 'invalid-field', /either url or urls/],
			['no object', [], 400, 'invalid-field', /object/],
			['no text', { url: 7 }, 400, 'invalid-field', /^url: expected a URL, received 7/],
			['an empty list', { urls: [] }, 400, 'invalid-field', /at least one URL/],
			[
				'a long address',
				{ url: `http://1.1.1.1/${'x'.repeat(4_096)}` },
				400,
				'invalid-field',
				/at most 4096 characters/,
			],
			['what it does not know', { url: 'http://1.1.1.1/', link: 'x' }, 400, 'unknown-field', /link/],
			['duplicates', { url: 'http://1.1.1.1/', duplicates: 'link' }, 400, 'unknown-field', /duplicates/],
			['a bad tag', { url: 'http://1.1.1.1/', tags: ['../etc'] }, 400, 'invalid-field', /tag/],
			['a bad priority', { url: 'http://1.1.1.1/', priority: 1_001 }, 400, 'invalid-field', /0 to 1000/],
			['an unknown recipe', { url: 'http://1.1.1.1/', recipe: 'none' }, 400, 'unknown-recipe', /none/],
			['many', { urls: Array(3).fill('http://1.1.1.1/') }, 413, 'too-many-files', /at most 2 URLs/],
			['S3', { url: 's3://bucket/key' }, 422, 'url-unsupported', /storage driver for S3/],
			['credentials', { url: 'http://me:secret@1.1.1.1/' }, 422, 'url-not-allowed', /without user name and password/],
			['a port', { url: 'http://1.1.1.1:22/' }, 422, 'url-not-allowed', /port 80 or 443/],
			['this machine', { url: 'http://127.0.0.1/' }, 422, 'address-not-allowed', /loopback/],
			['it in decimal', { url: 'http://2130706433/' }, 422, 'address-not-allowed', /loopback/],
			['it in octal', { url: 'http://0177.0.0.1/' }, 422, 'address-not-allowed', /loopback/],
			['it in IPv6', { url: 'http://[::ffff:127.0.0.1]/' }, 422, 'address-not-allowed', /loopback/],
			['metadata', { url: 'http://169.254.169.254/' }, 422, 'address-not-allowed', /link local/],
		] as const) {
			const response = await post(api, body);
			const problem = await json(response);
			expect([response.status, problem.code], what).toEqual([status, code]);
			expect(problem.detail, what).toMatch(detail);
			expect(problem.detail, what).not.toContain('secret');
		}
		expect(await api.keys()).toEqual([]);
	});

	it('fields outside the body, and too many items', async () => {
		const api = await startTestApi();
		const beside = await fetch(`${api.url}/v1/pictures?recipe=web`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: '{"url":"http://1.1.1.1/"}',
		});
		expect(await json(beside)).toMatchObject({ status: 400, code: 'unknown-field' });
		expect(await json(await post(api, { url: 'x'.repeat(600_000) }))).toMatchObject({ code: 'body-too-large' });
	});

	it('everything while fetching is turned off', async () => {
		const api = await startTestApi({ PICPIPE_FETCH_SCHEMES: 'none' });
		expect(await json(await post(api, { url: 'https://example.org/' }))).toMatchObject({ code: 'url-not-allowed' });
	});
});

describe('problems that only the worker can detect', () => {
	it('redirects: the picture fails and is not retried', async () => {
		const api = await startTestApi({ PICPIPE_FETCH_PORTS: '*', PICPIPE_FETCH_NETWORKS: '127.0.0.1' });
		await api.startWorker();
		const remote = await startRemote(says(302, { location: 'http://[::ffff:127.0.0.2]/' }));
		const { id } = await json(await post(api, { url: remote.url }));
		expect((await untilFinished(api, id)).failure).toMatchObject({ code: 'address-not-allowed', attempt: 1 });
	});

	it('localhost, unless its network is allowed', async () => {
		const api = await startTestApi({ PICPIPE_FETCH_PORTS: '*' });
		await api.startWorker();
		const inside = await startRemote(sends(bytes));
		const { id } = await json(await post(api, { url: `http://localhost:${inside.port}/` }));
		const picture = await untilFinished(api, id);
		expect(picture).toMatchObject({
			state: 'failed',
			failure: { class: 'unsupported', code: 'address-not-allowed', step: 'fetch', attempt: 1 },
		});
		expect(inside.requests).toEqual([]);
	});
});

describe('a failing server', () => {
	it('is retried no sooner than it asks for, and then the picture is processed', async () => {
		const api = await startTestApi({ ...fetchesFromHere, PICPIPE_RETRY_DELAY: '1' });
		await api.startWorker();
		const times: number[] = [];
		const remote = await startRemote((request, response) => {
			times.push(performance.now());
			const answers = [says(503, { 'retry-after': '2' }), sendsHalf(bytes, (one) => one.destroy()), sends(bytes)];
			answers[Math.min(times.length, answers.length) - 1]?.(request, response);
		});
		const { id } = await json(await post(api, { url: remote.url }));
		expect(await untilFinished(api, id)).toMatchObject({ state: 'ready' });
		expect(remote.requests).toHaveLength(3);
		const [first = 0, second = 0, third = 0] = times;
		expect(second - first).toBeGreaterThanOrEqual(1_950);
		expect(third - second).toBeLessThan(second - first);
	});

	it('is not waited for longer than configured', async () => {
		const api = await startTestApi({
			...fetchesFromHere,
			PICPIPE_FETCH_RETRY_SECONDS: '0',
			PICPIPE_RETRY_DELAY: '1',
			PICPIPE_ATTEMPTS: '2',
		});
		await api.startWorker();
		const remote = await startRemote(says(429, { 'retry-after': '3600' }));
		const { id } = await json(await post(api, { url: remote.url }));
		expect(await untilFinished(api, id)).toMatchObject({
			state: 'failed',
			failure: { class: 'transient', code: 'remote-unavailable', attempt: 2 },
		});
	});

	it('that is too slow is given up in time', async () => {
		const api = await startTestApi({
			...fetchesFromHere,
			PICPIPE_FETCH_SECONDS: '1',
			PICPIPE_ATTEMPTS: '1',
		});
		await api.startWorker();
		const remote = await startRemote(sendsHalf(bytes));
		const { id } = await json(await post(api, { url: remote.url }));
		const picture = await untilFinished(api, id);
		expect(picture).toMatchObject({ state: 'failed', failure: { code: 'remote-timeout', step: 'receive' } });
		expect(picture.failure.message).toContain('PICPIPE_FETCH_SECONDS');
	});
});

describe('a worker that stops during a fetch', () => {
	it('ends at once and returns the job without spending an attempt', async () => {
		// Were the fetch waited for, the test would be over first.
		const api = await startTestApi({
			...fetchesFromHere,
			PICPIPE_ATTEMPTS: '1',
			PICPIPE_FETCH_SECONDS: '600',
			PICPIPE_STOP_SECONDS: '600',
		});
		const worker = await api.startWorker();
		const remote = await startRemote(sendsHalf(bytes));
		const { id } = await json(await post(api, { url: remote.url }));
		await expect.poll(() => remote.open).toBe(1);
		await worker.stop();
		expect(await fetchCounts(api)).toMatchObject({ waiting: 1, active: 0, failed: 0 });
		expect(await json(await fetch(`${api.url}/v1/pictures/${id}`))).toMatchObject({ state: 'queued' });
		remote.answer(sends(bytes));
		await api.startWorker();
		expect(await untilFinished(api, id)).toMatchObject({ state: 'ready' });
	});
});

describe('concurrent fetches', () => {
	it('are limited to the configured number', async () => {
		const api = await startTestApi({ ...fetchesFromHere, PICPIPE_FETCH_CONCURRENCY: '2' });
		await api.startWorker();
		const remote = await startRemote(sendsHalf(bytes));
		await post(api, { urls: Array(4).fill(remote.url) });
		await expect.poll(() => remote.open).toBe(2);
		await sleep(300);
		expect(remote.open).toBe(2);
	});
});

describe('access to fetches', () => {
	it('follows quotas and recipes of keys, and excludes upload tokens', async () => {
		const { api, ask } = await startKeyedApi({
			some: { scopes: ['upload'], recipes: ['web'], limits: { perDay: 2 } },
			reader: { scopes: ['read'] },
		});
		const send = async (key: 'some' | 'reader' | undefined, body: unknown, headers: Record<string, string> = {}) => {
			const response = await ask(key, '/v1/pictures', {
				method: 'POST',
				headers: { 'content-type': 'application/json', ...headers },
				body: JSON.stringify(body),
			});
			return { status: response.status, ...(await json(response)) };
		};
		const url = 'https://example.org/a.jpg';
		expect(await send(undefined, { url })).toMatchObject({ status: 401 });
		expect(await send('reader', { url })).toMatchObject({ status: 403, code: 'insufficient-scope' });
		expect(await send('some', { url, recipe: 'avatar' })).toMatchObject({ status: 403, code: 'recipe-not-allowed' });
		const made = await ask('some', '/v1/upload-tokens', {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: '{"recipe":"web"}',
		});
		const { token } = await json(made);
		expect(token).toEqual(expect.any(String));
		expect(await send(undefined, { url }, { authorization: `Bearer ${token}` })).toMatchObject({
			status: 403,
			code: 'insufficient-scope',
		});
		const { pictures, refused } = await send('some', { urls: ['s3://bucket/key', url, url, url] });
		expect(pictures).toHaveLength(2);
		expect(refused.map((one: { problem: { code: string } }) => one.problem.code)).toEqual([
			'url-unsupported',
			'quota-exceeded',
		]);
		expect((await api.keys()).filter((key) => key.endsWith('original.url'))).toHaveLength(2);
	});
});
