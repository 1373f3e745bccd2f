import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { startTestApiWithWorker } from '../../helpers/api.ts';
import { upload } from '../../helpers/delivery.ts';
import { photograph } from '../../helpers/pictures.ts';
import { shared } from '../../helpers/shared.ts';

/** Addresses without a signature are served. */
const working = shared(() => startTestApiWithWorker({ PICPIPE_IPX: 'true' }));

/** A picture of this test's own. */
async function ready() {
	const api = working();
	return { api, id: await upload(api, await photograph({ width: 900, height: 600 })) };
}

/** Everything of an answer but what differs each time. */
async function whole(response: Response) {
	const { date: _date, 'x-request-id': requestId, ...fields } = Object.fromEntries(response.headers);
	return {
		requestId,
		answer: {
			status: response.status,
			fields,
			body: Buffer.from(await response.arrayBuffer()).toString('base64'),
		},
	};
}

describe('a response from the memory cache', () => {
	it('has the same bytes and headers as one from storage', async () => {
		const { api, id } = await ready();
		for (const [path, headers] of [
			[`/img/unsafe/w:80/plain/${id}@webp`, {}],
			[`/img/unsafe/w:80/f:auto/plain/${id}`, { accept: 'image/webp' }],
			[`/img/unsafe/w:80/f:auto/plain/${id}`, { accept: 'image/png' }],
			[`/img/unsafe/w:80/fn:a%20b/att:1/plain/${id}@png`, {}],
			[`/ipx/w_80,f_webp/${id}`, {}],
		] as const) {
			const ask = async () => whole(await fetch(api.url + path, { headers }));
			const cold = await ask();
			expect([path, cold.answer.status]).toEqual([path, 200]);
			const hot = await ask();
			expect(hot.answer).toEqual(cold.answer);
			expect(hot.requestId).toMatch(/^[0-9a-f-]{36}$/);
			expect(hot.requestId).not.toBe(cold.requestId);
			// A query that means nothing makes it a matter for Express.
			expect((await whole(await fetch(`${api.url}${path}?v=1`, { headers }))).answer).toEqual(cold.answer);
		}
	});

	it('is counted and logged like any other', async () => {
		const { api, id } = await ready();
		const count = async () =>
			Number(
				/picpipe_http_requests_total\{method="GET",route="\/img\/\*path",status="200"\} (\d+)/.exec(
					await (await fetch(`${api.url}/metrics`)).text(),
				)?.[1] ?? 0,
			);
		const before = await count();
		for (let asked = 0; asked < 4; asked++) {
			await (await fetch(`${api.url}/img/unsafe/w:70/plain/${id}@webp`)).arrayBuffer();
		}
		await expect.poll(count).toBe(before + 4);
	});

	it('supports HEAD, ranges and conditional requests', async () => {
		const { api, id } = await ready();
		const get = (init: RequestInit = {}) => fetch(`${api.url}/img/unsafe/w:60/plain/${id}@webp`, init);
		const bytes = await (await get()).arrayBuffer();
		const etag = (await get()).headers.get('etag') ?? '';
		expect((await get({ headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status).toBe(304);
		const part = await get({ headers: { range: 'bytes=0-9' } });
		expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 10]);
		const head = await get({ method: 'HEAD' });
		expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes.byteLength)]);
		expect((await get({ method: 'PUT' })).status).toBe(405);
		expect((await get({ headers: { 'x-request-id': 'of-a-proxy-1' } })).headers.get('x-request-id')).toBe(
			'of-a-proxy-1',
		);
	});

	it('is limited to this machine without keys, and ends with the expiry of the URL or the deletion of the picture', async () => {
		const { api, id } = await ready();
		const path = `/img/unsafe/w:50/plain/${id}@webp`;
		expect((await fetch(api.url + path)).status).toBe(200);
		expect((await fetch(api.url + path)).status).toBe(200);
		expect(await statusAs(api.url + path, { host: 'rebound.example' })).toBe(403);
		expect(await statusAs(api.url + path, { 'x-forwarded-for': '203.0.113.7' })).toBe(401);

		const soon = Math.floor(Date.now() / 1_000) + 3;
		const expiring = `${api.url}/img/unsafe/w:50/exp:${soon}/plain/${id}@webp`;
		expect((await fetch(expiring)).status).toBe(200);
		await expect.poll(async () => (await fetch(expiring)).status, { timeout: 10_000 }).toBe(410);

		expect((await fetch(`${api.url}/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(204);
		expect((await fetch(api.url + path)).status).toBe(404);
	});
});

/** With header fields that `fetch` does not let anybody set. */
async function statusAs(url: string, headers: Record<string, string>): Promise<number | undefined> {
	return new Promise((resolve, reject) => {
		request(url, { headers }, (response) => {
			text(response).then(() => resolve(response.statusCode), reject);
		})
			.on('error', reject)
			.end();
	});
}
