import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { form, json, startTestApi, type TestApi } from '../helpers/api.ts';
import { photograph } from '../helpers/pictures.ts';
import { shared } from '../helpers/shared.ts';
import { bytesAt, metadata, tus } from '../helpers/tus.ts';
import { head, openWire } from '../helpers/wire.ts';

let picture: Buffer;
beforeAll(async () => {
	picture = await photograph({ width: 64, height: 48 });
});

const running = shared(() => startTestApi({ PICPIPE_INLINE_RECIPES: 'true' }));

/** Routes that read JSON, each in its own way. */
const jsonRoutes = [
	'/v1/pictures',
	'/v1/batches',
	'/v1/upload-tokens',
	'/v1/webhooks',
	'/v1/sign',
	'/v1/failures/retry',
];

async function sendJson(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
	const response = await fetch(running().url + path, {
		method: 'POST',
		headers: { 'content-type': 'application/json', ...headers },
		body: typeof body === 'string' ? body : new Uint8Array(body),
	});
	return { status: response.status, headers: response.headers, ...(await json(response)) };
}

const nested = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);
const valid = JSON.stringify({ recipe: 'web' });

describe('a JSON body', () => {
	it.each(jsonRoutes)('nested 5,000 deep is refused with 400 by %s, as lists and as objects', async (path) => {
		for (const body of [
			nested(5_000, '[', ']'),
			`${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
			`{"url":${nested(5_000, '[', ']')}}`,
			`{"recipe":{"variants":${nested(5_000, '[', ']')}}}`,
		]) {
			expect(await sendJson(path, body)).toMatchObject({
				status: 400,
				code: 'malformed-request',
				detail: expect.stringContaining('at most 64 levels'),
			});
		}
	});

	it('may hold brackets in strings, and nest as deep as allowed', async () => {
		const tags = Array.from({ length: 2 }, (_, at) => `t${at}`);
		const text = JSON.stringify({ url: `https://example.org/${'['.repeat(500)}"\\"`, tags });
		expect(await sendJson('/v1/pictures', text)).toMatchObject({ status: 202 });
		expect(await sendJson('/v1/upload-tokens', nested(64, '[', ']'))).not.toMatchObject({ code: 'malformed-request' });
	});

	it('of too many values is refused with 400', async () => {
		const body = `{"urls":[${Array.from({ length: 30_000 }, () => '1').join(',')}]}`;
		expect(await sendJson('/v1/pictures', body)).toMatchObject({
			status: 400,
			code: 'malformed-request',
			detail: expect.stringContaining('25000 values'),
		});
	});

	it.each([
		['gzip', gzipSync(valid)],
		['deflate', deflateSync(valid)],
	])('in %s is read; broken, cut or empty it is refused with 400', async (coding, body) => {
		const send = (bytes: Buffer | string) => sendJson('/v1/upload-tokens', bytes, { 'content-encoding': coding });
		expect(await send(body)).toMatchObject({ status: 201 });
		for (const broken of [body.subarray(0, body.length / 2), Buffer.from(valid), Buffer.alloc(100, 7)]) {
			expect(await send(broken)).toMatchObject({ status: 400, code: 'malformed-request' });
		}
		const bomb = coding === 'gzip' ? gzipSync(Buffer.alloc(20_000_000, 32)) : deflateSync(Buffer.alloc(20_000_000, 32));
		expect(await send(bomb)).toMatchObject({ status: 413, code: 'body-too-large' });
	});

	it.each([
		['br', brotliCompressSync(valid)],
		['br', Buffer.from('broken')],
		['gzip, gzip', gzipSync(gzipSync(valid))],
		['x-unknown', Buffer.from(valid)],
	])('in %s is refused with 415, with the codings that are accepted', async (coding, body) => {
		const answer = await sendJson('/v1/upload-tokens', body, { 'content-encoding': coding });
		expect(answer).toMatchObject({ status: 415, code: 'unsupported-media-type' });
		expect(answer.headers.get('accept-encoding')).toBe('gzip, deflate, identity');
	});

	it.each(['utf-16', 'utf-7', 'utf-8x', 'iso-8859-1', 'klingon'])('in %s is refused with 415', async (charset) => {
		const headers = { 'content-type': `application/json; charset=${charset}` };
		expect(
			await sendJson('/v1/upload-tokens', Buffer.from(valid, charset === 'utf-16' ? 'utf16le' : 'utf8'), headers),
		).toMatchObject({ status: 415, code: 'unsupported-media-type' });
	});
});

describe('an inline recipe nested 5,000 deep', () => {
	const recipe = `{"variants":${nested(3_900, '[', ']')}}`;
	const refusal = { status: 400, code: 'invalid-recipe' };

	it('is refused with 400 in a query, a form and the metadata of a resumable upload', async () => {
		const { url } = running();
		const answers = await Promise.all([
			fetch(`${url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', picture]], ['recipe', recipe]) }),
			fetch(`${url}/v1/pictures?recipe=${encodeURIComponent(nested(400, '{"a":', '}'))}`, {
				method: 'POST',
				headers: { 'content-type': 'image/jpeg' },
				body: new Uint8Array(picture),
			}),
			tus(`${url}/v1/uploads`, 'POST', {
				'upload-length': String(picture.length),
				'upload-metadata': metadata({ recipe }),
			}),
		]);
		for (const answer of answers) expect(await json(answer)).toMatchObject(refusal);
	});
});

describe('an upload with Content-Encoding', () => {
	const uploads: Readonly<Record<string, (api: TestApi, coding: string) => Promise<Response>>> = {
		'a picture as the body': ({ url }, coding) =>
			fetch(`${url}/v1/pictures`, {
				method: 'POST',
				headers: { 'content-type': 'image/jpeg', 'content-encoding': coding },
				body: new Uint8Array(coding === 'identity' ? picture : gzipSync(picture)),
			}),
		'a form': ({ url }, coding) =>
			fetch(`${url}/v1/pictures`, {
				method: 'POST',
				headers: { 'content-encoding': coding },
				body: form([['a.jpg', picture]]),
			}),
		'a resumable upload at its creation': ({ url }, coding) =>
			tus(
				`${url}/v1/uploads`,
				'POST',
				{
					'upload-length': String(picture.length),
					'content-type': bytesAt(0)['content-type'] ?? '',
					'content-encoding': coding,
				},
				picture,
			),
		'a resumable upload': async ({ url }, coding) => {
			const created = await tus(`${url}/v1/uploads`, 'POST', { 'upload-length': String(picture.length) });
			return tus(
				url + created.headers.get('location'),
				'PATCH',
				{ ...bytesAt(0), 'content-encoding': coding },
				picture,
			);
		},
	};

	it.each(Object.entries(uploads))('is refused with 415: %s', async (_name, upload) => {
		const api = running();
		for (const coding of ['gzip', 'br', 'GZIP, identity']) {
			const answer = await upload(api, coding);
			expect(await json(answer)).toMatchObject({ status: 415, code: 'unsupported-media-type' });
			expect(answer.headers.get('accept-encoding')).toBe('identity');
		}
		expect((await upload(api, 'identity')).ok).toBe(true);
	});
});

describe('bodies at the same time', () => {
	it('are bounded: the next upload gets 503 with Retry-After, and is accepted when one has ended', async () => {
		const { url } = await startTestApi({ PICPIPE_MAX_UPLOADS: '2' });
		const upload = () => fetch(`${url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', picture]]) });
		const slow = [await openWire(url), await openWire(url)];
		for (const wire of slow) {
			wire.send(
				head('POST /v1/pictures', { 'Content-Type': 'image/jpeg', 'Content-Length': 100_000 }),
				picture.subarray(0, 500),
			);
		}
		await expect.poll(async () => (await upload()).status).toBe(503);
		const refused = await upload();
		expect(refused.headers.get('retry-after')).toBe('5');
		expect(await json(refused)).toMatchObject({
			code: 'server-busy',
			detail: expect.stringContaining('PICPIPE_MAX_UPLOADS'),
		});
		// What is no upload goes on.
		expect((await fetch(`${url}/v1/pictures`)).status).toBe(200);
		slow[0]?.socket.destroy();
		await expect.poll(async () => (await upload()).status).toBe(202);
	});

	it('of JSON are bounded by their size', async () => {
		const { url } = await startTestApi({ PICPIPE_JSON_MEGABYTES: '1' });
		const token = (padding: number) =>
			fetch(`${url}/v1/upload-tokens`, {
				method: 'POST',
				headers: { 'content-type': 'application/json' },
				body: `{"recipe":"web"${' '.repeat(padding)}}`,
			});
		for (let index = 0; index < 2; index++) {
			const wire = await openWire(url);
			wire.send(head('POST /v1/upload-tokens', { 'Content-Type': 'application/json', 'Content-Length': 450_000 }), '{');
		}
		await expect.poll(async () => (await token(450_000)).status).toBe(503);
		const refused = await token(450_000);
		expect(refused.headers.get('retry-after')).toBe('1');
		expect(await json(refused)).toMatchObject({
			code: 'server-busy',
			detail: expect.stringContaining('PICPIPE_JSON_MEGABYTES'),
		});
		expect((await token(10)).status).toBe(201);
	});

	it('do not count while a response waits', async () => {
		const { url } = await startTestApi({ PICPIPE_MAX_UPLOADS: '1' });
		const init = { method: 'POST', headers: { prefer: 'wait=20' } };
		const abort = new AbortController();
		const waiting = fetch(`${url}/v1/pictures`, { ...init, body: form([['a.jpg', picture]]), signal: abort.signal });
		await expect.poll(async () => (await json(await fetch(`${url}/v1/pictures`))).pictures.length).toBe(1);
		await expect
			.poll(
				async () => (await fetch(`${url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', picture]]) })).status,
			)
			.toBe(202);
		abort.abort();
		await expect(waiting).rejects.toThrow();
	});
});
