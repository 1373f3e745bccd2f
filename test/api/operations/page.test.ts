import { describe, expect, it } from 'vitest';
import { json, startTestApi } from '../../helpers/api.ts';

/** Every address in the page and in its scripts that the browser will ask the server for. */
function addressesIn(text: string): string[] {
	const attributes = [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)];
	const imports = [...text.matchAll(/from '\.\/([\w.]+)'/g)];
	return [...attributes.map(([, path]) => `${path}`), ...imports.map(([, name]) => `/assets/${name}`)];
}

describe('the dashboard page', () => {
	it('is served with all its assets, under a policy that allows nothing else', async () => {
		const { url } = await startTestApi();
		const types: Record<string, string> = {};
		const open = ['/'];
		for (const path of open) {
			const response = await fetch(url + path);
			expect(response.status, path).toBe(200);
			const policy = response.headers.get('content-security-policy') ?? '';
			expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; /);
			expect(policy).not.toMatch(/unsafe|https?:|\*/);
			expect(response.headers.get('x-content-type-options')).toBe('nosniff');
			expect(response.headers.get('cache-control')).toBe('no-cache');
			types[path] = response.headers.get('content-type') ?? '';
			const text = await response.text();
			for (const address of addressesIn(text)) if (!open.includes(address)) open.push(address);
		}
		expect(types['/']).toBe('text/html; charset=utf-8');
		expect(types['/assets/main.js']).toBe('text/javascript; charset=utf-8');
		expect(types['/assets/thumbhash.js']).toBe('text/javascript; charset=utf-8');
		expect(types['/assets/base.css']).toBe('text/css; charset=utf-8');
		expect(types['/assets/favicon.svg']).toBe('image/svg+xml');
	});

	it('contains no inline scripts or styles and no other hosts', async () => {
		const { url } = await startTestApi();
		const html = await (await fetch(url)).text();
		expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:|https?:\/\//i);
	});

	it('is not sent again if it has not changed', async () => {
		const { url } = await startTestApi();
		for (const path of ['/', '/assets/main.js']) {
			const etag = (await fetch(url + path)).headers.get('etag') ?? '';
			const again = await fetch(url + path, {
				headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' },
			});
			expect(again.status).toBe(304);
		}
	});

	it('obeys conditions, and ignores ranges', async () => {
		const { url } = await startTestApi();
		for (const path of ['/', '/assets/main.js']) {
			const get = (headers: Record<string, string>, method = 'GET') => fetch(url + path, { method, headers });
			const whole = (await (await get({})).arrayBuffer()).byteLength;
			for (const headers of [
				{ 'if-match': '"another"' },
				{ 'if-unmodified-since': 'Mon, 01 Jan 2001 00:00:00 GMT' },
			] as Record<string, string>[]) {
				const refused = await get(headers);
				expect([refused.status, await json(refused)]).toMatchObject([412, { code: 'precondition-failed' }]);
			}
			expect((await get({ 'if-match': '*' })).status).toBe(200);
			for (const method of ['GET', 'HEAD']) {
				const answer = await get({ range: 'bytes=0-9' }, method);
				expect([answer.status, answer.headers.get('content-length')]).toEqual([200, String(whole)]);
			}
		}
	});

	it.each(['nothing.js', '..%2f..%2fpackage.json', '%2e%2e%2findex.html', 'tsconfig.json'])(
		'has no asset %s',
		async (name) => {
			const { url } = await startTestApi();
			const response = await fetch(`${url}/assets/${name}`);
			expect(response.status).toBe(404);
			expect(await response.json()).toMatchObject({ code: 'not-found' });
		},
	);

	it('accepts only reads', async () => {
		const { url } = await startTestApi();
		const response = await fetch(url, { method: 'POST' });
		expect(response.status).toBe(405);
		expect(response.headers.get('allow')).toBe('GET, HEAD');
	});

	it('is served without a key and tells that one is required', async () => {
		const { url } = await startTestApi({ PICPIPE_API_KEYS: 'a-key-of-sixteen-characters', PICPIPE_MAX_BYTES: '1234' });
		for (const path of ['/', '/assets/main.js']) expect((await fetch(url + path)).status).toBe(200);
		expect(await (await fetch(`${url}/dashboard.json`)).json()).toEqual({ needsKey: true, maxBytes: 1234 });
	});
});

describe('GET /v1/queues', () => {
	it.each([
		[{ PICPIPE_ARENA_PORT: '9123' }, 'http://127.0.0.1:9123'],
		[{ PICPIPE_ARENA_URL: 'https://queues.example.org/arena/' }, 'https://queues.example.org/arena'],
	])('links to each queue in Arena with %j', async (environment, arena) => {
		const { url } = await startTestApi(environment);
		// The api answers before it has reached Redis.
		await expect.poll(async () => (await fetch(`${url}/v1/queues`)).status).toBe(200);
		const { queues } = await json(await fetch(`${url}/v1/queues`));
		expect(queues.length).toBeGreaterThan(0);
		for (const { name, links } of queues) expect(links).toEqual({ arena: `${arena}/picpipe/${name}` });
	});
});
