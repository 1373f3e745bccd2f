import type { IncomingMessage } from 'node:http';
import { networkInterfaces } from 'node:os';
import express, { type ErrorRequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PicpipeError } from '../../src/errors.ts';
import { listen } from '../../src/http/listen.ts';
import { requireThisMachine } from '../../src/http/this-machine.ts';
import { ask } from '../arena/fixture.ts';
import { thrownBy } from '../helpers/thrown.ts';

/** A request as Node makes it, as far as it is looked at. */
function request(remoteAddress: string | undefined, headers: Record<string, string> = {}): IncomingMessage {
	return { headers: { host: '127.0.0.1:3000', ...headers }, socket: { remoteAddress } } as unknown as IncomingMessage;
}

describe('a request of this machine', () => {
	it.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])('may come from %s', (address) => {
		expect(() => requireThisMachine(request(address))).not.toThrow();
	});

	it.each([
		'10.0.0.1',
		'192.168.1.2',
		'172.17.0.1',
		'203.0.113.9',
		'fe80::1',
		'::ffff:10.0.0.1',
		'::',
		'0.0.0.0',
		'::127.0.0.1',
		undefined,
	])('may not come from %s, whatever its headers', async (address) => {
		for (const headers of [
			{},
			{ 'x-forwarded-for': '127.0.0.1' },
			{ forwarded: 'for=127.0.0.1' },
			{ 'x-real-ip': '127.0.0.1' },
		]) {
			expect((await thrownBy(() => requireThisMachine(request(address, headers)))).code).toBe('unauthorized');
		}
	});

	it.each([
		['x-forwarded-for', '203.0.113.9'],
		['x-forwarded-for', '127.0.0.1'],
		['x-forwarded-host', 'pictures.example'],
		['forwarded', 'for=203.0.113.9;host=pictures.example'],
		['x-real-ip', '203.0.113.9'],
		['via', '1.1 proxy'],
		['x-forwarded-proto', 'https'],
		['x-forwarded-port', '443'],
		['x-forwarded-server', 'front'],
		['x-forwarded', 'for=203.0.113.9'],
		['x-client-ip', '203.0.113.9'],
		['true-client-ip', '203.0.113.9'],
		['cf-connecting-ip', '203.0.113.9'],
		['cf-connecting-ipv6', '2001:db8::9'],
		['fastly-client-ip', '203.0.113.9'],
		['fly-client-ip', '203.0.113.9'],
		['x-cluster-client-ip', '203.0.113.9'],
		['x-original-forwarded-for', '203.0.113.9'],
	])('does not come through a proxy: %s: %s', async (name, value) => {
		const error = await thrownBy(() => requireThisMachine(request('127.0.0.1', { [name]: value })));
		expect(error).toMatchObject({ code: 'unauthorized', message: expect.stringContaining(name) });
		expect(error.message).toContain('picpipe keys add');
	});

	it('does not speak HTTP/1.0, as a proxy without further configuration does', async () => {
		const error = await thrownBy(() =>
			requireThisMachine({ ...request('127.0.0.1'), httpVersion: '1.0' } as unknown as IncomingMessage),
		);
		expect(error).toMatchObject({ code: 'unauthorized', message: expect.stringContaining('HTTP/1.0') });
	});

	it('has a local host name', async () => {
		expect((await thrownBy(() => requireThisMachine(request('127.0.0.1', { host: 'evil.example' })))).code).toBe(
			'cross-site',
		);
	});
});

const outside = Object.values(networkInterfaces())
	.flat()
	.find((one) => one && !one.internal && one.family === 'IPv4')?.address;
const title = outside ? 'over a real network' : 'over a real network: NOT TESTED, because this machine has none';

describe(title, () => {
	it.runIf(outside)('is distinguished from one that came through it', async () => {
		const app = express();
		app.use((one, response) => {
			requireThisMachine(one);
			response.end('here');
		});
		app.use(((error: PicpipeError, _request, response, _next) => {
			response.status(error.status).end();
		}) satisfies ErrorRequestHandler);
		const listening = await listen(app, { host: '0.0.0.0', port: 0, variable: 'PICPIPE_PORT' });
		onTestFinished(() => listening.close());
		const { port } = new URL(listening.address);
		const headers = { host: 'localhost', 'x-forwarded-for': '127.0.0.1' };
		expect((await ask(`http://127.0.0.1:${port}`, '/')).status).toBe(200);
		expect((await ask(`http://${outside}:${port}`, '/', { headers: { host: 'localhost' } })).status).toBe(401);
		expect((await ask(`http://${outside}:${port}`, '/', { headers })).status).toBe(401);
	});
});
