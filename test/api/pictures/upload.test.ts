import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { form, json, startTestApi, type TestApi } from '../../helpers/api.ts';
import { photograph } from '../../helpers/pictures.ts';

const picture = () => photograph({ width: 640, height: 480 });

async function post(
	api: TestApi,
	body: NonNullable<RequestInit['body']>,
	headers: Record<string, string> = {},
	query = '',
): Promise<Response> {
	return fetch(`${api.url}/v1/pictures${query}`, { method: 'POST', body, headers });
}

function raw(bytes: Buffer): Uint8Array<ArrayBuffer> {
	return new Uint8Array(bytes);
}

/** A refusal is a problem document with this code, and nothing of the upload stays. */
async function expectRefused(api: TestApi, response: Response, status: number, code: string): Promise<string> {
	expect(response.headers.get('content-type')).toContain('application/problem+json');
	const problem = await json(response);
	expect(problem).toMatchObject({ status, code, requestId: response.headers.get('x-request-id') });
	expect(response.status).toBe(status);
	expect(JSON.stringify(problem)).not.toMatch(/\bat .*\.(ts|js):\d+/);
	expect(await api.keys()).toEqual([]);
	return problem.detail;
}

describe('POST /v1/pictures', () => {
	it('accepts a form and returns 202 with the picture, its original durable and hashed', async () => {
		const api = await startTestApi();
		const bytes = await picture();
		const response = await post(
			api,
			form([['holiday.jpg', bytes]], ['tags', 'sea, summer'], ['tags', 'sea'], ['priority', '7']),
		);
		expect(response.status).toBe(202);
		const body = await json(response);
		expect(response.headers.get('location')).toBe(`/v1/pictures/${body.id}`);
		expect(body).toMatchObject({
			state: 'queued',
			source: { type: 'image/jpeg', bytes: bytes.length, filename: 'holiday.jpg' },
			tags: ['sea', 'summer'],
			priority: 7,
			recipe: { name: 'web' },
			links: { self: `/v1/pictures/${body.id}`, original: `/v1/pictures/${body.id}/original` },
		});
		expect(body.source.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
		expect(body.links.job).toContain(`/picpipe/pictures/${body.id}-`);
		expect(Object.keys(body.links.variants)).toEqual(['large', 'medium', 'small', 'thumb']);
		const day = body.createdAt.slice(0, 10).replaceAll('-', '/');
		const folder = `pictures/${day}/${body.id}/`;
		expect((await api.keys()).sort()).toEqual([`pending/${body.id}`, `${folder}original.jpg`, `${folder}picture.json`]);
	});

	it('accepts a raw body, whatever its content type', async () => {
		const api = await startTestApi();
		const png = await photograph({ width: 64, height: 48, format: 'png' });
		const response = await post(api, raw(png), { 'content-type': 'image/jpeg' }, '?filename=a%2Fb.jpg&tags=x');
		expect(response.status).toBe(202);
		expect(await json(response)).toMatchObject({ source: { type: 'image/png', filename: 'b.jpg' }, tags: ['x'] });
	});

	it.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)('detects %s by its bytes', async (format) => {
		const api = await startTestApi();
		const bytes = await photograph({ width: 64, height: 48, format });
		const response = await post(api, form([['file.txt', bytes]]));
		expect(await json(response)).toMatchObject({ source: { type: `image/${format}` } });
	});

	it('accepts many files in one form, in order, and refuses the invalid ones', async () => {
		const api = await startTestApi();
		const bytes = await picture();
		const response = await post(
			api,
			form([
				['1.jpg', bytes],
				['2.txt', Buffer.from('no picture at all')],
				['3.jpg', bytes],
				['4.jpg', Buffer.alloc(0)],
			]),
		);
		expect(response.status).toBe(202);
		const body = await json(response);
		expect(body.pictures.map((one: { source: { filename: string } }) => one.source.filename)).toEqual([
			'1.jpg',
			'3.jpg',
		]);
		expect(body.refused).toMatchObject([
			{ filename: '2.txt', problem: { code: 'unsupported-type' } },
			{ filename: '4.jpg', problem: { code: 'empty-file' } },
		]);
		expect(await api.keys()).toHaveLength(6);
	});

	it('waits as preferred and returns 201 with the finished picture', async () => {
		const api = await startTestApi();
		await api.startWorker();
		const response = await post(api, form([['a.jpg', await picture()]]), { prefer: 'respond-async, wait=30' });
		expect(response.status).toBe(201);
		expect(response.headers.get('preference-applied')).toBe('wait=30');
		const body = await json(response);
		expect(body.state).toBe('ready');
		expect(body.variants).toHaveLength(4);
	});

	it('returns 202 if the wait ends before the picture is finished', async () => {
		const api = await startTestApi();
		const response = await post(api, form([['a.jpg', await picture()]]), { prefer: 'wait=1' });
		expect(response.status).toBe(202);
		expect((await json(response)).state).toBe('queued');
	});
});

describe('POST /v1/pictures refuses', () => {
	it('a form without a file', async () => {
		const api = await startTestApi();
		await expectRefused(api, await post(api, form([], ['recipe', 'web'])), 400, 'no-file');
	});

	it('an empty file, in a form and as the body', async () => {
		const api = await startTestApi();
		await expectRefused(api, await post(api, form([['a.jpg', Buffer.alloc(0)]])), 400, 'empty-file');
		await expectRefused(api, await post(api, new Uint8Array(), { 'content-type': 'image/jpeg' }), 400, 'empty-file');
	});

	it('a text file named .jpg, and an HTML page', async () => {
		const api = await startTestApi();
		const text = Buffer.from('These are not the bytes of a picture.\n'.repeat(500));
		expect(await expectRefused(api, await post(api, form([['a.jpg', text]])), 415, 'unsupported-type')).toContain(
			'jpeg, png',
		);
		const html = Buffer.from('<!doctype html><script>alert(1)</script>');
		await expectRefused(api, await post(api, raw(html), { 'content-type': 'image/png' }), 415, 'unsupported-type');
	});

	it('a file over the limit, in a form, and keeps the connection usable', async () => {
		const api = await startTestApi({ PICPIPE_MAX_BYTES: '50000' });
		const bytes = await picture();
		expect(bytes.length).toBeGreaterThan(50_000);
		expect(bytes.length).toBeLessThan(100_000);
		const detail = await expectRefused(api, await post(api, form([['a.jpg', bytes]])), 413, 'file-too-large');
		expect(detail).toContain('50000 bytes');
		expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
	});

	it('a body declared over the limit before reading it, and an undeclared one while reading it', async () => {
		const api = await startTestApi({ PICPIPE_MAX_BYTES: '50000' });
		const bytes = await picture();
		await expectRefused(api, await post(api, raw(bytes), { 'content-type': 'image/jpeg' }), 413, 'file-too-large');
		const stream = new ReadableStream({
			async start(controller) {
				for (let at = 0; at < bytes.length; at += 10_000) controller.enqueue(raw(bytes.subarray(at, at + 10_000)));
				controller.close();
			},
		});
		const response = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: stream,
			duplex: 'half',
			headers: { 'content-type': 'image/jpeg' },
		});
		await expectRefused(api, response, 413, 'file-too-large');
	});

	it('an endless file without reading it for ever', async () => {
		const api = await startTestApi({ PICPIPE_MAX_BYTES: '50000' });
		const { status, sent } = await sendEndlessly(api, await picture());
		expect(status).toBe(413);
		// The refused file is read on for as long again; beyond that only what sockets buffer.
		expect(sent).toBeLessThan(20_000_000);
		await expectNothingLeft(api);
	});

	it('more files than allowed, and keeps none of them', async () => {
		const api = await startTestApi({ PICPIPE_MAX_FILES: '2' });
		const bytes = await picture();
		const three = form([
			['1.jpg', bytes],
			['2.jpg', bytes],
			['3.jpg', bytes],
		]);
		expect(await expectRefused(api, await post(api, three), 413, 'too-many-files')).toContain('2 files');
	});

	it('ten thousand parts', async () => {
		const api = await startTestApi();
		const fields = Array.from({ length: 10_000 }, (_, index): [string, string] => [`f${index}`, 'x']);
		const response = await post(api, form([], ...fields));
		await expectRefused(api, response, 400, 'invalid-field');
	});

	it('a field that is too long before a file, at whatever byte the form is cut', async () => {
		const api = await startTestApi();
		const field = '--cut\r\nContent-Disposition: form-data; name="tags"\r\n\r\n';
		const file = '\r\n--cut\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n';
		const bytes = await picture();
		const body = Buffer.concat([
			Buffer.from(`${field}${'x'.repeat(9_000)}${file}`),
			bytes,
			Buffer.from('\r\n--cut--\r\n'),
		]);
		const headers = { 'content-type': 'multipart/form-data; boundary=cut' };
		for (const cut of [100, 9_000, 9_150, body.length]) {
			const pieces = [body.subarray(0, cut), body.subarray(cut)].filter(({ length }) => length > 0);
			const stream = ReadableStream.from(pieces) as unknown as NonNullable<RequestInit['body']>;
			const init = { method: 'POST', headers, body: stream, duplex: 'half' } as RequestInit;
			await expectRefused(api, await fetch(`${api.url}/v1/pictures`, init), 400, 'invalid-field');
		}
		await expectRefused(api, await post(api, raw(body), headers), 400, 'invalid-field');
	});

	it('unknown recipes, unknown fields and invalid values', async () => {
		const api = await startTestApi();
		const bytes = await picture();
		const file: [string, Buffer][] = [['a.jpg', bytes]];
		const image = { 'content-type': 'image/jpeg' };
		expect(await expectRefused(api, await post(api, form(file, ['recipe', 'nope'])), 400, 'unknown-recipe')).toContain(
			'Expected one of',
		);
		await expectRefused(api, await post(api, raw(bytes), image, '?recipe=nope'), 400, 'unknown-recipe');
		await expectRefused(api, await post(api, form(file, ['recpie', 'web'])), 400, 'unknown-field');
		await expectRefused(api, await post(api, form(file, ['__proto__', 'x'])), 400, 'unknown-field');
		await expectRefused(api, await post(api, raw(bytes), image, '?colour=red'), 400, 'unknown-field');
		await expectRefused(api, await post(api, form(file, ['priority', '-1'])), 400, 'invalid-field');
		await expectRefused(api, await post(api, form(file, ['priority', '1001'])), 400, 'invalid-field');
		await expectRefused(api, await post(api, form(file, ['tags', '../etc'])), 400, 'invalid-field');
		const many = Array.from({ length: 33 }, (_, index) => `t${index}`).join();
		await expectRefused(api, await post(api, form(file, ['tags', many])), 400, 'invalid-field');
		await expectRefused(api, await post(api, form(file, ['tags', 'x'.repeat(9_000)])), 400, 'invalid-field');
	});

	it('unknown content types', async () => {
		const api = await startTestApi();
		await expectRefused(api, await post(api, 'x', { 'content-type': 'text/plain' }), 415, 'unsupported-media-type');
		await expectRefused(
			api,
			await post(api, '<picture/>', { 'content-type': 'application/xml' }),
			415,
			'unsupported-media-type',
		);
	});

	it('malformed forms', async () => {
		const api = await startTestApi();
		const type = 'multipart/form-data; boundary=x';
		const part = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\nabc';
		await expectRefused(
			api,
			await post(api, 'y', { 'content-type': 'multipart/form-data' }),
			400,
			'malformed-multipart',
		);
		await expectRefused(api, await post(api, 'garbage', { 'content-type': type }), 400, 'malformed-multipart');
		await expectRefused(api, await post(api, part, { 'content-type': type }), 400, 'malformed-multipart');
		await expectRefused(api, await post(api, '--x--\r\n', { 'content-type': type }), 400, 'no-file');
	});

	it('a picture cut off with its form, and keeps nothing', async () => {
		const api = await startTestApi();
		const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n';
		const body = Buffer.concat([Buffer.from(head), (await picture()).subarray(0, 30_000)]);
		const headers = { 'content-type': 'multipart/form-data; boundary=x' };
		await expectRefused(api, await post(api, raw(body), headers), 400, 'malformed-multipart');
	});
});

describe('a client that disconnects', () => {
	it.each(['form', 'body'])('during a %s leaves nothing', async (way) => {
		const api = await startTestApi();
		const bytes = await photograph({ width: 2000, height: 1500 });
		const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n';
		const request = httpRequest(`${api.url}/v1/pictures`, {
			method: 'POST',
			headers: {
				'content-type': way === 'form' ? 'multipart/form-data; boundary=x' : 'image/jpeg',
				'content-length': bytes.length + 1_000,
			},
		});
		request.on('error', () => {});
		if (way === 'form') request.write(head);
		request.write(bytes.subarray(0, bytes.length / 2));
		while (!(await api.keys()).some((key) => key.startsWith('pictures/'))) await sleep(10);
		request.destroy();
		await expectNothingLeft(api);
	});
});

describe('file names', () => {
	it.each([
		['of a parent folder', '../../etc/passwd.jpg', 'passwd.jpg'],
		['of Windows', '..\\..\\windows\\win.jpg', 'win.jpg'],
		['with control and direction characters', 'a\u0000b\u001b[31mc\u202egpj.jpg', 'ab[31mcgpj.jpg'],
		['of every script', 'Größe 写真 🏔.jpg', 'Größe 写真 🏔.jpg'],
		['that are only dots', '..', undefined],
		['of 10,000 letters', 'x'.repeat(10_000), 'x'.repeat(200)],
	])('%s are cleaned and never become a path', async (_what, given, kept) => {
		const api = await startTestApi();
		const query = `?filename=${encodeURIComponent(given)}`;
		const response = await post(api, raw(await picture()), { 'content-type': 'image/jpeg' }, query);
		const body = await json(response);
		expect(response.status).toBe(202);
		expect(body.source.filename).toBe(kept);
		expect((await api.keys()).filter((key) => key.startsWith('pictures/'))).toHaveLength(2);

		const asForm = await post(api, form([[given, await picture()]]));
		const fromForm = await json(asForm);
		// A control character in a part's header makes the form malformed; everything else is cleaned.
		if (given.includes('\u0000')) expect(fromForm).toMatchObject({ status: 400, code: 'malformed-multipart' });
		else expect(fromForm.source.filename).toBe(kept);
	});
});

async function expectNothingLeft(api: TestApi): Promise<void> {
	for (const end = Date.now() + 10_000; Date.now() < end; await sleep(20)) {
		if ((await api.keys()).length === 0) return;
	}
	expect(await api.keys()).toEqual([]);
}

/** Sends a form whose file never ends, until it is answered and the connection closes. */
function sendEndlessly(api: TestApi, bytes: Buffer): Promise<{ status: number; sent: number }> {
	const { hostname, port } = new URL(api.url);
	return new Promise((resolve) => {
		let sent = 0;
		let answer = '';
		const socket = connect(Number(port), hostname);
		const send = () => {
			while (!socket.destroyed && sent < 200_000_000) {
				sent += bytes.length;
				if (!socket.write(bytes)) return void socket.once('drain', send);
			}
		};
		socket.write(
			'POST /v1/pictures HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 9000000000\r\n\r\n--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n',
		);
		send();
		socket.on('data', (chunk) => {
			answer += chunk;
			socket.destroy();
		});
		socket.on('error', () => {});
		socket.on('close', () => resolve({ status: Number(answer.split(' ')[1]), sent }));
	});
}
