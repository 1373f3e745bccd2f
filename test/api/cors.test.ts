import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../../src/http/listen.ts';
import { ask } from '../arena/fixture.ts';
import { json, startTestApi } from '../helpers/api.ts';
import { openBrowser, type TestBrowser } from '../helpers/browser.ts';
import { bearer, startKeyedApi } from '../helpers/keys.ts';
import { photograph } from '../helpers/pictures.ts';

const app = 'https://app.example';
const other = 'https://other.example';

const preflight = (url: string, origin: string, path = '/v1/pictures') =>
	ask(url, path, {
		method: 'OPTIONS',
		headers: {
			origin,
			'access-control-request-method': 'POST',
			'access-control-request-headers': 'authorization,content-type',
		},
	});

describe('pages of other sites', () => {
	it('have no access unless they are configured', async () => {
		const { api, keys } = await startKeyedApi({ one: {} });
		const answer = await preflight(api.url, app);
		expect(answer.status).toBe(405);
		expect(JSON.parse(answer.body).detail).toContain('PICPIPE_CORS_ORIGINS');
		expect(answer.headers['access-control-allow-origin']).toBeUndefined();
		const read = await ask(api.url, '/v1/recipes', { headers: { origin: app, ...bearer(keys.one) } });
		expect(read.headers['access-control-allow-origin']).toBeUndefined();
		const post = await ask(api.url, '/v1/pictures', { method: 'POST', headers: { origin: app, ...bearer(keys.one) } });
		expect(JSON.parse(post.body).code).toBe('cross-site');
	});

	it('that are configured have access and can read the required headers', async () => {
		const { api, keys } = await startKeyedApi({ one: {} }, { PICPIPE_CORS_ORIGINS: `${app}, http://localhost:8080` });
		for (const origin of [app, 'http://localhost:8080']) {
			const { status, headers, body } = await preflight(api.url, origin);
			expect([status, body, headers['content-length']]).toEqual([204, '', '0']);
			expect(headers['access-control-allow-origin']).toBe(origin);
			expect(headers['access-control-allow-credentials']).toBeUndefined();
			expect(headers['access-control-max-age']).toBe('600');
			expect(headers.vary).toContain('Origin');
			for (const method of ['GET', 'POST', 'DELETE', 'PATCH', 'HEAD'])
				expect(headers['access-control-allow-methods']).toContain(method);
			for (const name of [
				'Authorization',
				'Content-Type',
				'Idempotency-Key',
				'Prefer',
				'Upload-Offset',
				'Tus-Resumable',
			]) {
				expect(headers['access-control-allow-headers']).toContain(name);
			}
		}
		const headers = { origin: app, 'sec-fetch-site': 'cross-site', ...bearer(keys.one) };
		const read = await ask(api.url, '/v1/recipes', { headers });
		expect(read.status).toBe(200);
		expect(read.headers['access-control-allow-origin']).toBe(app);
		expect(read.headers['access-control-allow-credentials']).toBeUndefined();
		for (const name of ['Location', 'Retry-After', 'RateLimit', 'X-Request-Id', 'Upload-Offset']) {
			expect(read.headers['access-control-expose-headers']).toContain(name);
		}
		// Refusals too: a page should be able to say what was wrong.
		const refused = await ask(api.url, '/v1/pictures', { method: 'POST', headers });
		expect(JSON.parse(refused.body).code).toBe('unsupported-media-type');
		expect(refused.headers['access-control-allow-origin']).toBe(app);
		const stranger = await ask(api.url, '/v1/recipes', { headers: { origin: app } });
		expect([stranger.status, stranger.headers['access-control-allow-origin']]).toEqual([401, app]);
	});

	it('that are not configured get no CORS headers', async () => {
		const { api, keys } = await startKeyedApi({ one: {} }, { PICPIPE_CORS_ORIGINS: app });
		for (const origin of [
			other,
			'null',
			'https://app.example.evil.example',
			'http://app.example',
			'https://app.example:8443',
		]) {
			expect((await preflight(api.url, origin)).headers['access-control-allow-origin'], origin).toBeUndefined();
			const post = await ask(api.url, '/v1/pictures', { method: 'POST', headers: { origin, ...bearer(keys.one) } });
			expect([origin, post.status, JSON.parse(post.body).code]).toEqual([origin, 403, 'cross-site']);
			expect(post.headers['access-control-allow-origin']).toBeUndefined();
			expect(post.headers.vary).toContain('Origin');
		}
	});

	it('all have access with *, if a key is required', async () => {
		const { api, keys } = await startKeyedApi({ one: {} }, { PICPIPE_CORS_ORIGINS: '*' });
		const answer = await preflight(api.url, other);
		expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([204, '*']);
		const read = await ask(api.url, '/v1/recipes', { headers: { origin: other, ...bearer(keys.one) } });
		expect([read.status, read.headers['access-control-allow-origin']]).toEqual([200, '*']);
		expect(read.headers['access-control-allow-credentials']).toBeUndefined();
		const post = await ask(api.url, '/v1/pictures', {
			method: 'POST',
			headers: { origin: other, ...bearer(keys.one) },
		});
		expect(post.status).toBe(415);
	});

	it('have no access with * while no key is required, because any site could read this machine', async () => {
		const { url } = await startTestApi({ PICPIPE_CORS_ORIGINS: '*' });
		expect((await preflight(url, other)).status).toBe(405);
		const read = await ask(url, '/v1/recipes', { headers: { origin: other } });
		expect([read.status, read.headers['access-control-allow-origin']]).toEqual([200, undefined]);
		const post = await ask(url, '/v1/pictures', { method: 'POST', headers: { origin: other } });
		expect(JSON.parse(post.body).code).toBe('cross-site');
	});

	it('get the usual response to an OPTIONS request that is not a preflight', async () => {
		const { url } = await startTestApi({ PICPIPE_CORS_ORIGINS: app });
		const answer = await ask(url, '/v1/pictures', { method: 'OPTIONS' });
		expect([answer.status, answer.headers.allow]).toEqual([405, 'POST, GET, HEAD']);
	});
});

describe('a browser', () => {
	let browser: TestBrowser;
	beforeAll(async () => {
		browser = await openBrowser();
	});
	afterAll(() => browser.close());

	it('on a page of a configured site uploads with a token and no key, from a script and from a form', async () => {
		const bytes = await photograph({ width: 320, height: 240 });
		const site = await listen(
			(_request, response) => {
				response.setHeader('content-type', 'text/html').end('<!doctype html><title>a site</title>');
			},
			{ host: '127.0.0.1', port: 0, variable: 'PICPIPE_PORT' },
		);
		onTestFinished(() => site.close());
		const { api, ask: askWith } = await startKeyedApi(
			{ app: { scopes: ['upload'] } },
			{ PICPIPE_CORS_ORIGINS: site.address },
		);
		const made = await askWith('app', '/v1/upload-tokens', {
			method: 'POST',
			body: '{"tags":["guest"]}',
			headers: { 'content-type': 'application/json' },
		});
		const { token } = await json(made);
		const page = await browser.newPage();
		onTestFinished(() => page.close());
		await page.goto(site.address);
		const uploaded = await page.evaluate(
			async ([url, bearerToken, base64]) => {
				const body = new FormData();
				body.append('file', await (await fetch(`data:image/jpeg;base64,${base64}`)).blob(), 'a.jpg');
				const response = await fetch(`${url}/v1/pictures`, {
					method: 'POST',
					body,
					headers: { authorization: `Bearer ${bearerToken}` },
				});
				return { status: response.status, location: response.headers.get('location'), picture: await response.json() };
			},
			[api.url, token, bytes.toString('base64')] as const,
		);
		expect(uploaded).toMatchObject({
			status: 202,
			location: expect.stringContaining('/v1/pictures/pic_'),
			picture: { tags: ['guest'] },
		});

		await page.setContent(
			`<form method="post" enctype="multipart/form-data" action="${api.url}/v1/pictures?token=${token}"><input type="file" name="file"><button>Send</button></form>`,
		);
		await page.setInputFiles('input', { name: 'b.jpg', mimeType: 'image/jpeg', buffer: bytes });
		const [answer] = await Promise.all([
			page.waitForResponse((one) => one.request().method() === 'POST'),
			page.click('button'),
		]);
		expect(answer.status()).toBe(202);
	});
});
