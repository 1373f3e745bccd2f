import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { json } from '../../helpers/api.ts';
import { bytesOf, ready, signed } from '../../helpers/delivery.ts';

/** What RFC 9110 has for conditions (13) and ranges (14), for every URL that serves bytes. */
describe('conditional requests and ranges', () => {
	it.each([
		['originals', (id: string) => `/v1/pictures/${id}/original`],
		['variants', (id: string) => `/v1/pictures/${id}/variants/thumb.webp`],
		['image URLs', (id: string) => signed(`/w:50/plain/${id}@webp`)],
	])('work for %s', async (_name, pathOf) => {
		const { api, id } = await ready();
		const path = pathOf(id);
		const ask = (headers: Record<string, string>, method = 'GET') =>
			// fetch adds `Cache-Control: no-cache` to conditional requests unless there is one.
			fetch(api.url + path, { method, headers: { 'cache-control': 'max-age=0', ...headers } });
		const whole = await ask({});
		const bytes = await bytesOf(whole);
		const { length } = bytes;
		const etag = whole.headers.get('etag') ?? '';
		const modified = whole.headers.get('last-modified') ?? '';
		const before = new Date(Date.parse(modified) - 1_000).toUTCString();
		expect([whole.status, etag, modified]).toEqual([200, expect.stringMatching(/^"/), expect.stringMatching(/GMT$/)]);

		for (const [headers, status] of [
			[{ 'if-match': etag }, 200],
			[{ 'if-match': `"other", ${etag}` }, 200],
			[{ 'if-match': '*' }, 200],
			[{ 'if-match': '"other"' }, 412],
			// A weak tag never matches strongly.
			[{ 'if-match': `W/${etag}` }, 412],
			[{ 'if-unmodified-since': modified }, 200],
			[{ 'if-unmodified-since': before }, 412],
			[{ 'if-unmodified-since': 'yesterday' }, 200],
			// If-Match goes first.
			[{ 'if-match': etag, 'if-unmodified-since': before }, 200],
			[{ 'if-none-match': etag }, 304],
			[{ 'if-none-match': `W/${etag}` }, 304],
			[{ 'if-none-match': '*' }, 304],
			[{ 'if-none-match': '"other"' }, 200],
			// If-None-Match goes before If-Modified-Since, and a failed If-Match before both.
			[{ 'if-none-match': '"other"', 'if-modified-since': modified }, 200],
			[{ 'if-match': '"other"', 'if-none-match': etag }, 412],
			[{ 'if-modified-since': modified }, 304],
			[{ 'if-modified-since': before }, 200],
			[{ 'if-none-match': etag, range: 'bytes=0-9' }, 304],
			[{ 'if-match': '"other"', range: 'bytes=0-9' }, 412],
		] as const) {
			const answer = await ask(headers);
			const body = await bytesOf(answer);
			expect([headers, answer.status]).toEqual([headers, status]);
			if (status === 200) expect(body.equals(bytes)).toBe(true);
			if (status === 304) {
				expect([answer.headers.get('content-type'), answer.headers.get('etag'), body.length]).toEqual([null, etag, 0]);
			}
			if (status === 412) expect(JSON.parse(body.toString()).code).toBe('precondition-failed');
		}

		for (const [range, start, end] of [
			['bytes=0-9', 0, 9],
			['bytes=10-', 10, length - 1],
			['bytes=-7', length - 7, length - 1],
			['BYTES=0-0', 0, 0],
			['bytes=, 3-5 ,', 3, 5],
			[`bytes=5-${length + 1_000}`, 5, length - 1],
			// Longer than the file: all of it.
			[`bytes=-${length + 1}`, 0, length - 1],
		] as const) {
			const answer = await ask({ range });
			expect([range, answer.status, answer.headers.get('content-range')]).toEqual([
				range,
				206,
				`bytes ${start}-${end}/${length}`,
			]);
			expect((await bytesOf(answer)).equals(bytes.subarray(start, end + 1))).toBe(true);
		}
		for (const range of ['bytes=0-1,3-4', 'bytes=9-3', 'bytes=-', 'bytes', 'lines=0-9', 'bytes=a-b']) {
			const answer = await ask({ range });
			expect([range, answer.status, (await bytesOf(answer)).equals(bytes)]).toEqual([range, 200, true]);
		}
		for (const range of [`bytes=${length}-`, 'bytes=-0']) {
			const outside = await ask({ range });
			expect([range, outside.status, outside.headers.get('content-range')]).toEqual([range, 416, `bytes */${length}`]);
			expect((await json(outside)).code).toBe('range-not-satisfiable');
		}

		for (const [condition, status] of [
			[etag, 206],
			[modified, 206],
			[`W/${etag}`, 200],
			['"other"', 200],
			[before, 200],
		] as const) {
			const answer = await ask({ range: 'bytes=0-9', 'if-range': condition });
			expect([condition, answer.status]).toEqual([condition, status]);
		}

		// Ranges are for GET alone; HEAD says what a GET of the whole would.
		for (const headers of [{}, { range: 'bytes=0-9' }, { range: `bytes=${length}-` }]) {
			const head = await ask(headers, 'HEAD');
			expect([head.status, head.headers.get('content-length')]).toEqual([200, String(length)]);
			expect(head.headers.has('content-range')).toBe(false);
		}
		expect((await ask({ 'if-match': '"other"' }, 'HEAD')).status).toBe(412);
		expect((await ask({ 'if-none-match': etag }, 'HEAD')).status).toBe(304);
	});
});

describe('compression', () => {
	/** As it comes over the wire: fetch decompresses by itself. */
	async function wire(url: string, encoding: string) {
		const [answer] = (await once(get(url, { headers: { 'accept-encoding': encoding } }), 'response')) as [
			IncomingMessage,
		];
		return { headers: answer.headers, body: await buffer(answer) };
	}

	it('applies to JSON in the preferred encoding, not to pictures', async () => {
		const { api, id } = await ready();
		const path = `${api.url}/v1/pictures/${id}`;
		const plain = await wire(path, 'identity');
		expect(plain.headers['content-encoding']).toBeUndefined();
		expect(plain.headers.vary).toMatch(/accept-encoding/i);
		for (const [asked, encoding, undo] of [
			['gzip', 'gzip', gunzipSync],
			['br, gzip;q=0.5', 'br', brotliDecompressSync],
			['deflate', 'deflate', inflateSync],
		] as const) {
			const { headers, body } = await wire(path, asked);
			expect([asked, headers['content-encoding']]).toEqual([asked, encoding]);
			expect(body.length).toBeLessThan(plain.body.length / 2);
			expect(JSON.parse(undo(body).toString())).toMatchObject({ id, state: 'ready' });
		}
		for (const [name, media] of [
			['original', 'image/jpeg'],
			['variants/thumb.webp', 'image/webp'],
		]) {
			const { headers } = await wire(`${path}/${name}`, 'gzip, br');
			expect([headers['content-type'], headers['content-encoding']]).toEqual([media, undefined]);
		}
	});
});
