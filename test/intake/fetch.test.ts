import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { type FetchLimits, filenameOfUrl, openRemoteFile, type RemoteFile } from '../../src/intake/fetch.ts';
import { selfSigned } from '../helpers/certificate.ts';
import { type Remote, says, sends, sendsHalf, startRemote } from '../helpers/remote.ts';
import { thrownBy } from '../helpers/thrown.ts';

const limits: FetchLimits = {
	rules: { schemes: ['https', 'http'], hosts: '*', ports: '*', networks: ['127.0.0.0/8'], settings: 'PICPIPE_FETCH' },
	maxBytes: 1_000_000,
	redirects: 3,
	connectSeconds: 5,
	idleSeconds: 5,
	seconds: 30,
};
const bytes = Buffer.alloc(100_000, 'picture');

type Options = Partial<Parameters<typeof openRemoteFile>[2]>;

function fetchFrom(url: string, change: Partial<FetchLimits> = {}, options: Options = {}): Promise<RemoteFile> {
	return openRemoteFile(url, { ...limits, ...change }, { signal: new AbortController().signal, ...options });
}

/** Of the whole fetch, the body included. */
function failureOf(url: string, change: Partial<FetchLimits> = {}, options: Options = {}) {
	return thrownBy(async () => buffer((await fetchFrom(url, change, options)).body));
}

/** No connection is left open behind a failure. */
async function expectClosed(remote: Remote): Promise<void> {
	await expect.poll(() => remote.open).toBe(0);
}

describe('a file on another server', () => {
	it('is read as sent', async () => {
		const remote = await startRemote(sends(bytes));
		const file = await fetchFrom(`${remote.url}/a.jpg`);
		expect(file).toMatchObject({ bytes: bytes.length, type: 'image/jpeg', filename: undefined });
		expect((await buffer(file.body)).equals(bytes)).toBe(true);
		await expectClosed(remote);
	});

	it('is requested without compression, cookies, credentials or keep-alive', async () => {
		const remote = await startRemote(sends(bytes));
		await buffer((await fetchFrom(`${remote.url}/a.jpg?x=1`)).body);
		expect(remote.requests).toEqual([
			{
				url: '/a.jpg?x=1',
				headers: {
					accept: 'image/*, */*;q=0.5',
					'accept-encoding': 'identity',
					'user-agent': 'picpipe',
					host: `127.0.0.1:${remote.port}`,
					connection: 'close',
				},
			},
		]);
	});

	it('without a length is read to its end', async () => {
		const remote = await startRemote((_request, response) => response.writeHead(200).end(bytes));
		const file = await fetchFrom(remote.url);
		expect(file.bytes).toBeUndefined();
		expect((await buffer(file.body)).equals(bytes)).toBe(true);
	});

	it.each([
		['attachment; filename="holiday.jpg"', 'holiday.jpg'],
		["inline; filename=x.jpg; filename*=UTF-8''%E6%9D%B1%E4%BA%AC.jpg", '東京.jpg'],
		['inline', undefined],
		['attachment; filename=', undefined],
		['%%%', undefined],
	])('has the name that the server sends: %s', async (disposition, name) => {
		const remote = await startRemote(sends(bytes, { 'content-disposition': disposition }));
		const file = await fetchFrom(remote.url);
		await buffer(file.body);
		expect(file.filename).toBe(name);
	});

	it('over TLS needs a trusted certificate', async () => {
		const remote = await startRemote(sends(bytes), selfSigned);
		const error = await failureOf(remote.url);
		expect(error).toMatchObject({ code: 'remote-untrusted', retryable: false });
		expect(error.message).toContain('SELF_SIGNED');
		expect(remote.requests).toEqual([]);
	});
});

describe('redirects', () => {
	it.each([301, 302, 303, 307, 308])('are followed: %i', async (status) => {
		const remote = await startRemote(sends(bytes));
		const first = await startRemote(says(status, { location: `${remote.url}/there?signature=secret` }));
		const told: string[] = [];
		const file = await fetchFrom(first.url, {}, { onRedirect: (line) => told.push(line) });
		expect((await buffer(file.body)).equals(bytes)).toBe(true);
		expect(told).toEqual([`${status} of 127.0.0.1:${first.port}: on to ${remote.url}/there?…`]);
		expect(remote.requests[0]?.url).toBe('/there?signature=secret');
	});

	it('may be relative, without a scheme', async () => {
		const remote = await startRemote((request, response) => {
			if (request.url === '/a/b') says(302, { location: '../c' })(request, response);
			else if (request.url === '/c') says(302, { location: `//127.0.0.1:${remote.port}/d` })(request, response);
			else sends(bytes)(request, response);
		});
		await buffer((await fetchFrom(`${remote.url}/a/b`)).body);
		expect(remote.requests.map(({ url }) => url)).toEqual(['/a/b', '/c', '/d']);
	});

	it('are limited in number', async () => {
		const remote = await startRemote(says(302, { location: '/again' }));
		const error = await failureOf(remote.url);
		expect(error).toMatchObject({ code: 'too-many-redirects', class: 'limit', retryable: false });
		expect(remote.requests).toHaveLength(limits.redirects + 1);
		expect((await failureOf(remote.url, { redirects: 0 })).code).toBe('too-many-redirects');
		await expectClosed(remote);
	});

	it.each([
		'http://[::1]/',
		'http://[::ffff:10.0.0.1]/',
		'http://169.254.169.254/latest/meta-data/',
		'http://2852039166/',
		'http://10.0.0.1/',
	])('are checked like the first URL: to %s', async (location) => {
		const remote = await startRemote(says(302, { location }));
		expect(await failureOf(remote.url)).toMatchObject({ code: 'address-not-allowed', retryable: false });
		await expectClosed(remote);
	});

	it('to a name are checked by its IP addresses', async () => {
		const remote = await startRemote((request, response) =>
			says(302, { location: `http://inside.example:${request.socket.localPort}/` })(request, response),
		);
		const resolve = async () => [{ address: '10.0.0.1', family: 4 }];
		expect((await failureOf(remote.url, {}, { resolve })).code).toBe('address-not-allowed');
		const here = async () => [{ address: '127.0.0.1', family: 4 }];
		expect((await failureOf(remote.url, {}, { resolve: here })).code).toBe('too-many-redirects');
	});

	it('stay within schemes, ports and hosts, without credentials', async () => {
		for (const [location, code] of [
			['file:///etc/passwd', 'url-unsupported'],
			['s3://bucket/key', 'url-unsupported'],
			['http://me:secret@127.0.0.1/', 'url-not-allowed'],
			['http://elsewhere.example/', 'url-not-allowed'],
		] as const) {
			const remote = await startRemote(says(302, { location }));
			expect((await failureOf(remote.url, { rules: { ...limits.rules, hosts: ['127.0.0.1'] } })).code, location).toBe(
				code,
			);
		}
		const remote = await startRemote(says(302, { location: 'http://127.0.0.1:1/' }));
		expect((await failureOf(remote.url, { rules: { ...limits.rules, ports: [remote.port] } })).code).toBe(
			'url-not-allowed',
		);
	});

	it('without a target are refused', async () => {
		for (const headers of [{}, { location: 'http://' }] as Record<string, string>[]) {
			const remote = await startRemote(says(302, headers));
			expect(await failureOf(remote.url)).toMatchObject({ code: 'remote-refused', retryable: false });
		}
	});
});

describe('a response without a file', () => {
	it.each([
		[404, 'remote-missing', false],
		[410, 'remote-missing', false],
		[400, 'remote-refused', false],
		[401, 'remote-refused', false],
		[403, 'remote-refused', false],
		[204, 'remote-refused', false],
		[206, 'remote-refused', false],
		[300, 'remote-refused', false],
		[304, 'remote-refused', false],
		[408, 'remote-unavailable', true],
		[425, 'remote-unavailable', true],
		[429, 'remote-unavailable', true],
		[500, 'remote-unavailable', true],
		[502, 'remote-unavailable', true],
		[503, 'remote-unavailable', true],
	])('%i is %s', async (status, code, retryable) => {
		const remote = await startRemote(says(status));
		const error = await failureOf(`${remote.url}/a.jpg?signature=secret`);
		expect(error).toMatchObject({ code, retryable, retryAfter: undefined });
		expect(error.message).toContain(String(status));
		expect(error.message).not.toContain('secret');
		await expectClosed(remote);
	});

	it.each([
		['120', 120],
		['0', 0],
		['soon', undefined],
		['-5', undefined],
		['Thu, 01 Jan 1970 00:00:00 GMT', undefined],
	])('has a time to retry: %s', async (given, seconds) => {
		const remote = await startRemote(says(503, { 'retry-after': given }));
		expect((await failureOf(remote.url)).retryAfter).toBe(seconds);
	});

	it('has a date to retry', async () => {
		const remote = await startRemote(says(429, { 'retry-after': new Date(Date.now() + 90_000).toUTCString() }));
		const { retryAfter } = await failureOf(remote.url);
		expect(retryAfter).toBeGreaterThan(80);
		expect(retryAfter).toBeLessThanOrEqual(90);
	});

	it('has an unrequested content encoding', async () => {
		const remote = await startRemote(sends(bytes, { 'content-encoding': 'gzip' }));
		expect(await failureOf(remote.url)).toMatchObject({ code: 'remote-refused', retryable: false });
		await expectClosed(remote);
	});

	it('is too large by its header: not a byte of it is read', async () => {
		const remote = await startRemote(sends(bytes));
		expect(await failureOf(remote.url, { maxBytes: bytes.length - 1 })).toMatchObject({ code: 'file-too-large' });
		await expectClosed(remote);
		await buffer((await fetchFrom(remote.url, { maxBytes: bytes.length })).body);
	});
});

describe('a server in trouble', () => {
	it('that is not listening is unavailable', async () => {
		const remote = await startRemote(says(200));
		await remote.stop();
		expect(await failureOf(remote.url)).toMatchObject({ code: 'remote-unavailable', retryable: true });
	});

	it('whose name is unknown is unavailable', async () => {
		const error = await failureOf('http://no-such-name.invalid/');
		expect(error).toMatchObject({ code: 'remote-unavailable', retryable: true });
	});

	it('that does not speak HTTP is refused', async () => {
		const remote = await startRemote((_request, response) => response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n'));
		expect(await failureOf(remote.url)).toMatchObject({ code: 'remote-unavailable', retryable: true });
	});

	it('that closes in the middle is unavailable', async () => {
		const remote = await startRemote(sendsHalf(bytes, (response) => response.destroy()));
		expect(await failureOf(remote.url)).toMatchObject({ code: 'remote-unavailable', retryable: true });
	});

	it('that sends less than declared is unavailable', async () => {
		const remote = await startRemote(sends(bytes, { 'content-length': String(bytes.length + 1) }));
		expect(await failureOf(remote.url)).toMatchObject({ code: 'remote-unavailable', retryable: true });
		await expectClosed(remote);
	});

	it('that sends more than declared is cut off at that length', async () => {
		const remote = await startRemote(sends(bytes, { 'content-length': '1000' }));
		const file = await fetchFrom(remote.url);
		expect((await buffer(file.body)).equals(bytes.subarray(0, 1_000))).toBe(true);
		await expectClosed(remote);
	});

	it('that does not respond times out', async () => {
		const remote = await startRemote(() => {});
		const error = await failureOf(remote.url, { idleSeconds: 0.2 });
		expect(error).toMatchObject({ code: 'remote-timeout', retryable: true });
		expect(error.message).toContain('a response');
		await expectClosed(remote);
	});

	it('that stalls in the middle times out', async () => {
		const remote = await startRemote(sendsHalf(bytes));
		const error = await failureOf(remote.url, { idleSeconds: 0.2 });
		expect(error).toMatchObject({ code: 'remote-timeout', retryable: true });
		expect(error.message).toContain('more bytes');
		await expectClosed(remote);
	});

	it('whose name takes too long to resolve times out', async () => {
		const resolve = () => new Promise<never>(() => {});
		const error = await failureOf('http://slow.example/', { connectSeconds: 0.2 }, { resolve });
		expect(error).toMatchObject({ code: 'remote-timeout', retryable: true });
		expect(error.message).toContain('a connection');
	});

	it('that drips is ended by an aborting reader, with its reason', async () => {
		const remote = await startRemote((_request, response) => {
			response.writeHead(200, { 'content-length': 1_000 });
			const drip = setInterval(() => response.write('x'), 20);
			response.once('close', () => clearInterval(drip));
		});
		const control = new AbortController();
		const reason = new Error('long enough');
		setTimeout(() => control.abort(reason), 300);
		const file = await fetchFrom(remote.url, { idleSeconds: 0.2 }, { signal: control.signal });
		await expect(buffer(file.body)).rejects.toBe(reason);
		await expectClosed(remote);
	});

	it('is not contacted after an abort', async () => {
		const remote = await startRemote(() => {});
		const reason = new Error('gone');
		await expect(fetchFrom(remote.url, {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
		const control = new AbortController();
		const fetching = fetchFrom(remote.url, {}, { signal: control.signal });
		await expect.poll(() => remote.open).toBe(1);
		control.abort(reason);
		await expect(fetching).rejects.toBe(reason);
		await expectClosed(remote);
	});

	it('waits for a slow reader', async () => {
		const large = Buffer.alloc(5_000_000, 'x');
		const remote = await startRemote(sends(large));
		const file = await fetchFrom(remote.url, { maxBytes: large.length, idleSeconds: 0.1 });
		let read = 0;
		for await (const chunk of file.body) {
			// Longer than the server would get.
			if (read === 0) await new Promise((resolve) => setTimeout(resolve, 300));
			read += chunk.length;
		}
		expect(read).toBe(large.length);
	});

	it('is released by a reader that stops early', async () => {
		const remote = await startRemote(sendsHalf(bytes));
		const { body } = await fetchFrom(remote.url);
		for await (const _chunk of body) break;
		await expectClosed(remote);
	});
});

describe('the file name in a URL', () => {
	it.each([
		['https://example.org/a/photo%20one.jpg?x=1', 'photo one.jpg'],
		['https://example.org/', undefined],
		['https://example.org/%E0%A4%A', '%E0%A4%A'],
	])('%s', (url, name) => {
		expect(filenameOfUrl(new URL(url))).toBe(name);
	});
});
