import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { routes } from '../../../src/api/routes.ts';
import { errorTable } from '../../../src/errors.ts';
import { metricTable } from '../../../src/observe/metrics.ts';
import { form, json, startTestApi, type TestApi, untilFinished } from '../../helpers/api.ts';
import { connected } from '../../helpers/connection.ts';
import { parseExposition } from '../../helpers/exposition.ts';
import { startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { startRedis } from '../../helpers/redis.ts';

let good: Buffer;
let broken: Buffer;
beforeAll(async () => {
	good = await photograph({ width: 320, height: 240 });
	broken = good.subarray(0, 3_000);
});

async function scrape(api: Pick<TestApi, 'url'>) {
	const response = await fetch(`${api.url}/metrics`);
	expect(response.status).toBe(200);
	expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
	const families = parseExposition(await response.text());
	return {
		families,
		/** The value of the one sample that has these labels. */
		value(family: string, labels: Record<string, string> = {}, name = family) {
			const samples = families.get(family)?.samples.filter((one) => one.name === name) ?? [];
			const found = samples.filter((one) =>
				Object.entries(labels).every(([label, value]) => one.labels[label] === value),
			);
			expect(found.length).toBeLessThanOrEqual(1);
			return found[0]?.value;
		},
	};
}

function send(api: Pick<TestApi, 'url'>, ...files: [string, Buffer][]) {
	return fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form(files) });
}

describe('GET /metrics', () => {
	it('shows failures by class and code, attempts by outcome, and waiting jobs', { timeout: 60_000 }, async () => {
		const api = await startTestApi({ PICPIPE_DEFAULT_RECIPE: 'avatar' });
		await api.startWorker();
		for (const bytes of [broken, broken, good]) {
			await untilFinished(api, (await json(await send(api, ['a.jpg', bytes]))).id);
		}
		const corrupt = { class: 'corrupt', code: 'corrupt-picture' };
		await expect
			.poll(async () => (await scrape(api)).value('picpipe_jobs', { queue: 'pictures', state: 'completed' }), {
				timeout: 10_000,
			})
			.toBe(1);
		const { value } = await scrape(api);
		expect(value('picpipe_redis_up')).toBe(1);
		expect(value('picpipe_failed_pictures', corrupt)).toBe(2);
		expect(value('picpipe_pictures', { state: 'failed' })).toBe(2);
		expect(value('picpipe_pictures', { state: 'ready' })).toBe(1);
		expect(value('picpipe_pictures', { state: 'queued' })).toBe(0);
		expect(value('picpipe_attempts_total', { queue: 'pictures', outcome: 'failed', ...corrupt })).toBe(2);
		expect(value('picpipe_attempts_total', { queue: 'pictures', outcome: 'succeeded', class: '', code: '' })).toBe(1);
		expect(value('picpipe_attempts_total', { queue: 'pictures', outcome: 'retried' })).toBeUndefined();
		expect(value('picpipe_jobs', { queue: 'pictures', state: 'failed' })).toBe(2);
		expect(value('picpipe_queue_workers', { queue: 'pictures' })).toBe(1);
		expect(value('picpipe_upload_received_bytes_total')).toBe(2 * broken.length + good.length);
		const upload = { method: 'POST', route: '/v1/pictures' };
		expect(value('picpipe_http_requests_total', { ...upload, status: '202' })).toBe(3);
		const durations = 'picpipe_http_request_duration_seconds';
		expect(value(durations, upload, `${durations}_count`)).toBe(3);
		expect(value(durations, { ...upload, le: '+Inf' }, `${durations}_bucket`)).toBe(3);
		expect(value('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
		expect(value('nodejs_eventloop_lag_seconds')).toBeGreaterThanOrEqual(0);

		// A failure that is no more is shown no more; that it happened stays counted.
		const { pictures } = await json(await fetch(`${api.url}/v1/pictures?state=failed`));
		for (const { id } of pictures) await fetch(`${api.url}/v1/pictures/${id}`, { method: 'DELETE' });
		await expect.poll(async () => (await scrape(api)).value('picpipe_failed_pictures', corrupt)).toBeUndefined();
		expect((await scrape(api)).value('picpipe_attempts_total', { outcome: 'failed', ...corrupt })).toBe(2);
	});

	it('counts refused uploads by code, and each file of a form', async () => {
		const api = await startTestApi();
		const text = Buffer.from('no picture');
		expect((await send(api, ['a.txt', text])).status).toBe(415);
		expect((await send(api, ['a.txt', text], ['b.jpg', good], ['c.jpg', Buffer.alloc(0)])).status).toBe(202);
		expect((await send(api, ['a.txt', text], ['b.txt', text])).status).toBe(415);
		const url = `${api.url}/v1/pictures?recipe=none`;
		await fetch(url, { method: 'POST', headers: { 'content-type': 'image/jpeg' }, body: new Uint8Array(good) });
		// Nobody's upload.
		await fetch(`${api.url}/v1/pictures/nonsense`);
		const { value, families } = await scrape(api);
		const refused = (code: string) => value('picpipe_uploads_refused_total', { code });
		expect(refused('unsupported-type')).toBe(4);
		expect(refused('empty-file')).toBe(1);
		expect(refused('unknown-recipe')).toBe(1);
		expect(families.get('picpipe_uploads_refused_total')?.samples).toHaveLength(3);
		expect(value('picpipe_uploads_refused_total', { class: 'unsupported' })).toBe(4);
		// The raw body was refused before it was read.
		expect(value('picpipe_upload_received_bytes_total')).toBe(4 * text.length + good.length);
	});

	it('accepts no label values from clients or other versions', async () => {
		const api = await startTestApi();
		const redis = await connected();
		const strangers = ['pictures failed no-such-code', 'nowhere failed internal', 'pictures lost', '', 'constructor'];
		for (const field of strangers) await redis.hincrby(`${api.config.redisPrefix}:attempts`, field, 1);
		await redis.hincrby(`${api.config.redisPrefix}:attempts`, 'fetches retried remote-timeout', 7);
		for (let at = 0; at < 30; at++) {
			await fetch(`${api.url}/v1/pictures/pic_${at}`);
			await fetch(`${api.url}/nowhere/${at}`);
			await fetch(`${api.url}/v1/pictures/%E0%A4${at}`);
		}
		await fetch(`${api.url}/v1/pictures`, { method: 'PUT' });
		await fetch(`${api.url}/v1/pictures`, { method: 'PROPFIND' });
		const { families, value } = await scrape(api);
		const allowed: Record<string, (text: string) => boolean> = {
			method: (text) => /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|other)$/.test(text),
			route: (text) => text === 'none' || routes.some(({ path }) => path === text),
			status: (text) => /^(\d{3}|aborted)$/.test(text),
			code: (text) => text === '' || Object.hasOwn(errorTable, text),
		};
		for (const [name, { labels }] of Object.entries(metricTable)) {
			for (const sample of families.get(name)?.samples ?? []) {
				expect(
					Object.keys(sample.labels)
						.filter((label) => label !== 'le')
						.sort(),
				).toEqual([...labels].sort());
				for (const [label, text] of Object.entries(sample.labels)) {
					expect(allowed[label]?.(text) ?? true, `${name} ${label}="${text}"`).toBe(true);
				}
			}
		}
		const requests = (labels: Record<string, string>) => value('picpipe_http_requests_total', labels);
		expect(requests({ method: 'GET', route: '/v1/pictures/:id', status: '400' })).toBe(30);
		expect(requests({ method: 'GET', route: 'none', status: '404' })).toBe(30);
		expect(requests({ method: 'other', route: '/v1/pictures', status: '405' })).toBe(1);
		const attempts = families.get('picpipe_attempts_total')?.samples;
		expect(attempts).toMatchObject([
			{ labels: { queue: 'fetches', class: 'transient', code: 'remote-timeout' }, value: 7 },
		]);
	});

	it('works without Redis, with the metrics of the process, and completely once Redis is back', {
		timeout: 60_000,
	}, async () => {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		const api = await startTestApi({ REDIS_URL: redis.url });
		expect((await scrape(api)).value('picpipe_redis_up')).toBe(1);
		await redis.kill9();
		await expect.poll(async () => (await scrape(api)).value('picpipe_redis_up'), { timeout: 15_000 }).toBe(0);
		expect((await send(api, ['a.jpg', good])).status).toBe(202);
		const accepted = { method: 'POST', route: '/v1/pictures', status: '202' };
		// Counted once the response is closed, which the client may learn first.
		await expect.poll(async () => (await scrape(api)).value('picpipe_http_requests_total', accepted)).toBe(1);
		const { value, families } = await scrape(api);
		expect(value('picpipe_upload_received_bytes_total')).toBe(good.length);
		for (const [name, { of }] of Object.entries(metricTable)) expect(families.has(name), name).toBe(of === 'process');
		await redis.restart();
		await expect.poll(async () => (await scrape(api)).value('picpipe_redis_up'), { timeout: 15_000 }).toBe(1);
	});

	it('requires a key with the scope admin, once keys exist', async () => {
		const { ask } = await startKeyedApi({ admin: {}, reader: { scopes: ['read', 'upload'] } });
		expect((await ask(undefined, '/metrics')).status).toBe(401);
		expect((await ask('reader', '/metrics')).status).toBe(403);
		const answer = await ask('admin', '/metrics');
		expect(answer.status).toBe(200);
		expect(parseExposition(await answer.text()).has('picpipe_pictures')).toBe(true);
	});

	it('queries Redis at most once a second, however many requests there are', async () => {
		// Its own: the calls of other tests would count too.
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const api = await startTestApi({ REDIS_URL: server.url });
		const redis = await connected('producer', server.url);
		const calls = async () => {
			const stats = await redis.info('commandstats');
			return Number(/^cmdstat_hgetall:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
		};
		await scrape(api);
		const before = await calls();
		const started = performance.now();
		await Promise.all(Array.from({ length: 40 }, () => scrape(api)));
		const seconds = (performance.now() - started) / 1_000;
		expect(await calls()).toBeLessThanOrEqual(before + Math.ceil(seconds));
	});
});
