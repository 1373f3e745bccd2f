import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
	form,
	json,
	startTestApi,
	startTestApiWithWorker,
	type TestApi,
	untilFinished,
	untilIdle,
} from '../../helpers/api.ts';
import { until } from '../../helpers/faults.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { cut, photograph } from '../../helpers/pictures.ts';
import { shared } from '../../helpers/shared.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 900, height: 600 });
});

/** For all tests to which other pictures make no difference. */
const working = shared(startTestApiWithWorker);

/** Uploads and waits for the end. */
async function upload(api: TestApi, file = bytes, ...fields: [string, string][]) {
	const response = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		body: form([['a.jpg', file]], ...fields),
		headers: { prefer: 'wait=30' },
	});
	return json(response);
}

async function call(api: TestApi, method: string, path: string, body?: object) {
	const response = await fetch(`${api.url}${path}`, {
		method,
		...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
	});
	const text = await response.text();
	return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
}

describe('a finished picture', () => {
	it('has facts, variants and analysis, the same from index and manifest', async () => {
		const api = working();
		const { id } = await upload(api);
		const { body } = await call(api, 'GET', `/v1/pictures/${id}`);
		expect(body).toMatchObject({
			state: 'ready',
			facts: { width: 900, height: 600, format: 'jpeg', orientation: 1 },
			variants: [
				{ name: 'large', format: 'webp', width: 900, height: 600 },
				{ name: 'medium', width: 800, height: 533 },
				{ name: 'small', width: 400, height: 267 },
				{ name: 'thumb', width: 300, height: 300 },
			],
		});
		expect(Buffer.from(body.analysis.thumbhash, 'base64').length).toBeGreaterThan(10);
		expect(JSON.stringify(body)).not.toContain('"key"');
	});

	it('returns its original byte for byte, whole and in ranges', async () => {
		const api = working();
		const { links, source } = await upload(api);
		const whole = await fetch(api.url + links.original);
		expect(whole.headers.get('content-type')).toBe('image/jpeg');
		expect(whole.headers.get('content-length')).toBe(String(bytes.length));
		expect(whole.headers.get('content-disposition')).toBe('attachment; filename=a.jpg');
		expect(whole.headers.get('x-content-type-options')).toBe('nosniff');
		const received = Buffer.from(await whole.arrayBuffer());
		expect(createHash('sha256').update(received).digest('hex')).toBe(source.sha256);
		expect(received.equals(bytes)).toBe(true);

		const range = await fetch(api.url + links.original, { headers: { range: 'bytes=100-199' } });
		expect(range.status).toBe(206);
		expect(range.headers.get('content-range')).toBe(`bytes 100-199/${bytes.length}`);
		expect(Buffer.from(await range.arrayBuffer()).equals(bytes.subarray(100, 200))).toBe(true);
		const tail = await fetch(api.url + links.original, { headers: { range: 'bytes=-10' } });
		expect(Buffer.from(await tail.arrayBuffer()).equals(bytes.subarray(-10))).toBe(true);
		const outside = await fetch(api.url + links.original, { headers: { range: `bytes=${bytes.length}-` } });
		expect(outside.status).toBe(416);
		expect(outside.headers.get('content-range')).toBe(`bytes */${bytes.length}`);
		expect((await json(outside)).code).toBe('range-not-satisfiable');
		const stale = await fetch(api.url + links.original, { headers: { range: 'bytes=0-9', 'if-range': '"other"' } });
		expect(stale.status).toBe(200);
		await stale.body?.cancel();
	});

	it('serves variants with conditional requests and HEAD', async () => {
		const api = working();
		const { variants, links } = await upload(api);
		for (const variant of variants) {
			const response = await fetch(api.url + variant.url);
			expect(response.headers.get('content-type')).toBe('image/webp');
			const metadata = await sharp(await response.arrayBuffer()).metadata();
			expect(metadata).toMatchObject({ format: 'webp', width: variant.width, height: variant.height });
		}
		const first = await fetch(api.url + links.variants.thumb);
		expect(first.status).toBe(200);
		await first.arrayBuffer();
		const etag = first.headers.get('etag') ?? '';
		expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
		// Not by fetch, which adds `Cache-Control: no-cache` to conditional requests.
		const [again] = await once(get(api.url + links.variants.thumb, { headers: { 'if-none-match': etag } }), 'response');
		expect(again.statusCode).toBe(304);
		expect(again.headers.etag).toBe(etag);
		const head = await fetch(api.url + links.variants.thumb, { method: 'HEAD' });
		expect(head.headers.get('content-length')).toBe(first.headers.get('content-length'));
		expect(await head.text()).toBe('');
		const missing = await fetch(`${api.url}${links.self}/variants/huge`);
		expect(await json(missing)).toMatchObject({ status: 404, code: 'variant-not-found' });
	});
});

describe('a file that is streamed', () => {
	it('has no more listeners than Node.js expects, which would warn of a leak', async () => {
		const warnings: Error[] = [];
		const note = (warning: Error) => void warnings.push(warning);
		process.on('warning', note);
		onTestFinished(() => void process.off('warning', note));
		const api = working();
		const { links } = await upload(api);
		for (const path of [links.original, links.variants.thumb]) {
			const response = await fetch(api.url + path, { headers: { 'accept-encoding': 'gzip' } });
			expect([response.status, (await response.arrayBuffer()).byteLength > 0]).toEqual([200, true]);
		}
		// Warnings come a tick later.
		await new Promise((resolve) => setImmediate(resolve));
		expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
	});
});

describe('GET /v1/pictures', () => {
	it('lists newest first, in pages, filtered by state, tag and recipe', async () => {
		const api = await startTestApi();
		const ids: string[] = [];
		for (let index = 0; index < 5; index++) {
			const response = await fetch(`${api.url}/v1/pictures`, {
				method: 'POST',
				body: form([['a.jpg', bytes]], ['tags', index % 2 ? 'odd' : 'even']),
			});
			ids.unshift((await json(response)).id);
		}
		const listed = async (query: string) => {
			const { body } = await call(api, 'GET', `/v1/pictures${query}`);
			return { ids: body.pictures.map((one: { id: string }) => one.id), next: body.next };
		};
		expect((await listed('')).ids).toEqual(ids);
		const first = await listed('?limit=2');
		const second = await listed(`?limit=2&cursor=${first.next}`);
		const third = await listed(`?limit=2&cursor=${second.next}`);
		expect([...first.ids, ...second.ids, ...third.ids]).toEqual(ids);
		expect(third.next).toBeUndefined();
		expect((await listed('?tag=odd')).ids).toEqual([ids[1], ids[3]]);
		expect((await listed('?tag=odd&state=queued&recipe=web')).ids).toEqual([ids[1], ids[3]]);
		expect((await listed('?state=ready')).ids).toEqual([]);
		expect((await call(api, 'GET', '/v1/pictures?state=lost')).body.code).toBe('invalid-field');
		expect((await call(api, 'GET', '/v1/pictures?limit=0')).body.code).toBe('invalid-field');
		expect((await call(api, 'GET', '/v1/pictures?cursor=x')).body.code).toBe('invalid-id');
		expect((await call(api, 'GET', '/v1/pictures?order=up')).body.code).toBe('unknown-field');
	});
});

describe('a broken picture', () => {
	it('ends failed with class and reason, keeps its original, and can be retried', async () => {
		const api = working();
		const broken = cut(bytes, 50);
		const picture = await upload(api, broken);
		expect(picture).toMatchObject({
			state: 'failed',
			variants: [],
			failure: { class: 'corrupt', code: 'corrupt-picture', attempt: 1 },
		});
		expect(picture.failure.step).toBeTruthy();
		expect(picture.failure.message).not.toMatch(/VipsJpeg|sharp/);
		const original = await fetch(api.url + picture.links.original);
		expect(Buffer.from(await original.arrayBuffer()).equals(broken)).toBe(true);
		const { body } = await call(api, 'GET', '/v1/pictures?state=failed');
		expect(body.pictures.map(({ id }: { id: string }) => id)).toEqual([picture.id]);

		const retried = await call(api, 'POST', `/v1/pictures/${picture.id}/retry`);
		expect(retried.status).toBe(202);
		expect(retried.body).toMatchObject({ state: 'queued' });
		expect(retried.body.failure).toBeUndefined();
		expect(await untilFinished(api, picture.id)).toMatchObject({
			state: 'failed',
			failure: { code: 'corrupt-picture' },
		});
		await untilIdle(api);
		expect((await api.keys()).filter((key) => key.startsWith('pending/'))).toEqual([]);
	});

	it('that is ready cannot be retried', async () => {
		const api = working();
		const { id } = await upload(api);
		expect(await call(api, 'POST', `/v1/pictures/${id}/retry`)).toMatchObject({
			status: 409,
			body: { code: 'not-failed' },
		});
	});
});

describe('POST /v1/pictures/{id}/process', () => {
	it('makes the variants of another recipe and removes obsolete ones', async () => {
		const file = join(await temporaryFolder(), 'recipes.yaml');
		await writeFile(
			file,
			'recipes: { tiny: { variants: { icon: { steps: [{ resize: { width: 32 } }], encode: [{ jpeg: {} }] } } } }',
		);
		const api = await startTestApi({ PICPIPE_RECIPES: file });
		await api.startWorker();
		const { id } = await upload(api);
		const response = await call(api, 'POST', `/v1/pictures/${id}/process`, { recipe: 'tiny' });
		expect(response).toMatchObject({ status: 202, body: { recipe: { name: 'tiny' } } });
		const done = await untilFinished(api, id);
		expect(done.variants).toMatchObject([{ name: 'icon', format: 'jpeg', width: 32, height: 21 }]);
		await untilIdle(api);
		const keys = await api.keys();
		expect(keys.map((key) => key.split('/').at(-1)).sort()).toEqual([
			expect.stringMatching(/^icon-[0-9a-f]{12}\.jpg$/),
			'original.jpg',
			'picture.json',
		]);
		expect((await call(api, 'POST', `/v1/pictures/${id}/process`, { recipe: 'none' })).body.code).toBe(
			'unknown-recipe',
		);
		expect((await call(api, 'POST', `/v1/pictures/${id}/process`, { colour: 1 })).body.code).toBe('unknown-field');
	});

	it('responds at once if everything exists, and makes what is missing', async () => {
		const api = await startTestApi();
		const worker = await api.startWorker();
		const first = await upload(api);
		await untilIdle(api);
		await worker.stop();
		const again = () => call(api, 'POST', `/v1/pictures/${first.id}/process`);
		expect(await again()).toMatchObject({ status: 200, body: { state: 'ready', revision: first.revision } });
		const thumb = (await api.keys()).find((key) => key.includes('/thumb-')) ?? '';
		await api.storage.delete(thumb);
		expect(await again()).toMatchObject({ status: 202, body: { state: 'queued', variants: first.variants } });
		await api.startWorker();
		const done = await untilFinished(api, first.id);
		const made = (one: { variants: { name: string; milliseconds: number }[] }, name: string) =>
			one.variants.find((variant) => variant.name === name)?.milliseconds;
		expect(await api.storage.stat(thumb)).toBeDefined();
		for (const name of ['large', 'medium', 'small']) expect(made(done, name)).toBe(made(first, name));
		expect(done.analysis).toEqual(first.analysis);
		const { body } = await call(api, 'GET', `/v1/pictures/${first.id}`);
		expect(body).not.toHaveProperty('analysisDigest');
	});

	it('with force runs the same recipe again and ends with the same objects', async () => {
		const api = working();
		const first = await upload(api);
		await untilIdle(api);
		const own = async () => (await api.keys()).filter((key) => key.includes(first.id)).sort();
		const before = await own();
		expect(before).toHaveLength(6);
		const { status, body } = await call(api, 'POST', `/v1/pictures/${first.id}/process`, { force: true });
		expect({ status, state: body.state }).toEqual({ status: 202, state: 'queued' });
		const second = await untilFinished(api, first.id);
		expect(second).not.toHaveProperty('force');
		// Not even one of them took exactly as long as before.
		const times = (one: { variants: { milliseconds: number }[] }) =>
			one.variants.map(({ milliseconds }) => milliseconds);
		expect(times(second)).not.toEqual(times(first));
		await untilIdle(api);
		expect(await own()).toEqual(before);
		const identity = (one: { variants: { sha256: string; digest: string }[] }) =>
			one.variants.map(({ sha256, digest }) => ({ sha256, digest }));
		expect(identity(second)).toEqual(identity(first));
	});
});

describe('DELETE /v1/pictures/{id}', () => {
	it('deletes every object, the index entry and the waiting job', async () => {
		const api = await startTestApi();
		const response = await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]]) });
		const { id } = await json(response);
		expect((await call(api, 'DELETE', `/v1/pictures/${id}`)).status).toBe(204);
		expect(await api.keys()).toEqual([]);
		expect((await call(api, 'GET', `/v1/pictures/${id}`)).body.code).toBe('picture-not-found');
		expect((await call(api, 'GET', '/v1/pictures')).body.pictures).toEqual([]);
		const { body } = await call(api, 'GET', '/v1/queues');
		expect(body.queues[0]).toMatchObject({ name: 'pictures', counts: { waiting: 0, prioritized: 0, delayed: 0 } });
		expect((await call(api, 'DELETE', `/v1/pictures/${id}`)).status).toBe(404);
	});

	it('during processing leaves nothing, whatever the order of events', async () => {
		const api = await startTestApi();
		await api.startWorker();
		for (const delay of [0, 30, 60, 90, 120, 150, 200]) {
			const response = await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]]) });
			const { id } = await json(response);
			await new Promise((resolve) => setTimeout(resolve, delay));
			expect((await call(api, 'DELETE', `/v1/pictures/${id}`)).status).toBe(204);
		}
		await untilIdle(api);
		expect(await api.keys()).toEqual([]);
		expect((await call(api, 'GET', '/v1/pictures')).body.pictures).toEqual([]);
	});

	it('whose attempt failed because of it leaves nothing of that attempt', async () => {
		const api = await startTestApi();
		const response = await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]]) });
		const { id } = await json(response);
		// As a deletion leaves it that fell into an attempt: a variant came in late, and the next attempt waits.
		const manifest = (await api.keys()).find((key) => key.endsWith('picture.json')) ?? '';
		const folder = manifest.slice(0, -'picture.json'.length);
		await api.storage.deleteFolder(folder);
		await api.storage.put(`${folder}thumb-0123456789ab.webp`, Buffer.from('late'));
		await api.startWorker();
		await untilIdle(api);
		expect(await api.keys()).toEqual([]);
		expect((await call(api, 'GET', `/v1/pictures/${id}`)).status).toBe(404);
	});
});

describe('recipes, queues and probes', () => {
	it('shows the recipes', async () => {
		const api = working();
		const { body } = await call(api, 'GET', '/v1/recipes');
		expect(body.default).toBe('web');
		expect((await call(api, 'GET', '/v1/recipes/web')).body).toMatchObject({
			name: 'web',
			definition: { analyse: ['phash', 'thumbhash'], variants: { large: {}, medium: {}, small: {}, thumb: {} } },
		});
		expect((await call(api, 'GET', '/v1/recipes/none')).body.code).toBe('recipe-not-found');
	});

	it('pauses, resumes, drains and cleans a queue and retries its failed jobs', async () => {
		const api = await startTestApi();
		await api.startWorker();
		const failed = await upload(api, cut(bytes, 50));
		expect((await call(api, 'POST', '/v1/queues/pictures/pause')).body).toMatchObject({ paused: true });
		const response = await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]]) });
		const waiting = await json(response);
		const { body } = await call(api, 'GET', '/v1/queues');
		expect(body.queues.map((queue: { name: string }) => queue.name)).toEqual([
			'pictures',
			'renders',
			'fetches',
			'webhooks',
			'upkeep',
		]);
		expect(body.queues[0]).toMatchObject({ paused: true, workers: 1, counts: { waiting: 1, failed: 1 } });
		expect((await call(api, 'POST', '/v1/queues/pictures/drain')).body).toMatchObject({ counts: { waiting: 0 } });
		expect((await call(api, 'POST', '/v1/queues/pictures/resume')).body).toMatchObject({ paused: false });
		// What was accepted is a promise: the sweep brings the drained picture back.
		expect(await api.sweep()).toMatchObject({ pending: 1, queued: 1 });
		expect(await untilFinished(api, waiting.id)).toMatchObject({ state: 'ready' });

		// A retried job runs again and fails again, as its picture's newer revision shows.
		const { revision } = (await call(api, 'GET', `/v1/pictures/${failed.id}`)).body;
		expect((await call(api, 'POST', '/v1/queues/pictures/retry-failed')).status).toBe(200);
		for (let now = revision; now <= revision + 1; ) {
			now = (await call(api, 'GET', `/v1/pictures/${failed.id}`)).body.revision;
		}
		await untilFinished(api, failed.id);
		await untilIdle(api);
		expect((await call(api, 'POST', '/v1/queues/pictures/clean', { state: 'failed' })).body).toEqual({ removed: 1 });
		expect((await call(api, 'POST', '/v1/queues/pictures/clean', { state: 'active' })).body.code).toBe('invalid-field');
		expect((await call(api, 'POST', '/v1/queues/nothing/pause')).body.code).toBe('queue-not-found');
	});

	it('answers the probes', async () => {
		const api = working();
		expect((await call(api, 'GET', '/healthz')).body).toEqual({ status: 'ok' });
		// The api listens at once; its connection to Redis follows.
		await until('Redis is connected', async () => (await call(api, 'GET', '/readyz')).status === 200);
		expect((await call(api, 'GET', '/readyz')).body).toMatchObject({
			status: 'ok',
			checks: { redis: { status: 'ok' }, storage: { status: 'ok' } },
		});
	});
});

describe('wrong requests', () => {
	it('get problem documents with a request id', async () => {
		const api = working();
		expect((await call(api, 'GET', '/v1/pictures/nonsense')).body).toMatchObject({ status: 400, code: 'invalid-id' });
		expect((await call(api, 'GET', '/v1/pictures/pic_01h455vb4pex5vsknk084sn02q')).body.code).toBe('picture-not-found');
		expect((await call(api, 'GET', '/v1/nothing')).body).toMatchObject({ status: 404, code: 'not-found' });
		expect((await call(api, 'GET', '/v1/pictures/%E0%A4%A')).body).toMatchObject({
			status: 400,
			code: 'malformed-request',
		});
		const wrong = await call(api, 'PUT', '/v1/pictures');
		expect(wrong).toMatchObject({ status: 405, body: { code: 'method-not-allowed' } });
		expect(wrong.headers.get('allow')).toBe('POST, GET, HEAD');
		const given = await fetch(`${api.url}/v1/nothing`, { headers: { 'x-request-id': 'from-a-proxy-1' } });
		expect(given.headers.get('x-request-id')).toBe('from-a-proxy-1');
		expect((await json(given)).requestId).toBe('from-a-proxy-1');
		const hostile = await fetch(`${api.url}/v1/nothing`, { headers: { 'x-request-id': '<script>' } });
		expect((await json(hostile)).requestId).toMatch(/^[0-9a-f-]{36}$/);
	});

	it('with oversized or malformed JSON are refused', async () => {
		const api = working();
		const { id } = await json(
			await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]]) }),
		);
		const send = async (body: string) =>
			json(
				await fetch(`${api.url}/v1/pictures/${id}/process`, {
					method: 'POST',
					body,
					headers: { 'content-type': 'application/json' },
				}),
			);
		expect(await send(JSON.stringify({ recipe: 'x'.repeat(600_000) }))).toMatchObject({
			status: 413,
			code: 'body-too-large',
		});
		expect(await send('{"recipe":')).toMatchObject({ status: 400, code: 'malformed-request' });
	});

	it('from other websites are refused', async () => {
		const api = await startTestApi();
		const response = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: form([['a.jpg', bytes]]),
			headers: { origin: 'https://evil.example' },
		});
		expect(await json(response)).toMatchObject({ status: 403, code: 'cross-site' });
		expect(await api.keys()).toEqual([]);
	});

	it('without a key are refused once keys are configured', async () => {
		const key = 'k'.repeat(32);
		const api = await startTestApi({ PICPIPE_API_KEYS: `${'o'.repeat(32)}, ${key}` });
		// Needs no Redis, which may not be connected so early.
		const get = (headers: Record<string, string>) => fetch(`${api.url}/v1/recipes`, { headers });
		expect((await get({})).status).toBe(401);
		expect((await get({ authorization: `Bearer ${'x'.repeat(32)}` })).status).toBe(401);
		expect((await get({ authorization: `Bearer ${key}` })).status).toBe(200);
		expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
	});
});

describe('storage is the truth', () => {
	it('so a picture missing in the index is found by its manifest, and reindex lists it again', async () => {
		const api = working();
		const picture = await upload(api);
		await api.loseIndex();
		expect((await call(api, 'GET', '/v1/pictures')).body.pictures).toEqual([]);
		expect((await call(api, 'GET', `/v1/pictures/${picture.id}`)).body.state).toBe('ready');
		const manifests = (await api.keys()).filter((key) => key.endsWith('/picture.json'));
		expect(await api.reindex()).toMatchObject({ pictures: manifests.length });
		const { body } = await call(api, 'GET', '/v1/pictures?state=ready');
		expect(body.pictures.map(({ id }: { id: string }) => id)).toContain(picture.id);
	});
});
