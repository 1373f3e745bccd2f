import type { Server } from 'node:http';
import express, { type ErrorRequestHandler } from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import { PicpipeError } from '../../src/errors.ts';
import { listen } from '../../src/http/listen.ts';
import { isLoopbackName, type SameSiteOptions, sameSiteOnly } from '../../src/http/same-site.ts';
import { ask } from '../arena/fixture.ts';

let server: Server;
afterEach(() => server.close());

async function send(method: string, headers: Record<string, string>, options: SameSiteOptions = {}) {
	const app = express();
	app.use(sameSiteOnly(options));
	app.use((_request, response) => {
		response.status(204).end();
	});
	app.use(((error, _request, response, _next) => {
		response
			.status(error instanceof PicpipeError ? error.status : 500)
			.json({ code: error.code, detail: error.message });
	}) satisfies ErrorRequestHandler);
	const listening = await listen(app, { host: '127.0.0.1', port: 0, variable: 'PICPIPE_PORT' });
	server = listening.server;
	return ask(listening.address, '/', { method, headers });
}

describe('a request that changes something', () => {
	const host = 'pictures.example.org:3000';

	it.each<[string, Record<string, string>]>([
		['a program', {}],
		['this site, as the browser says', { 'sec-fetch-site': 'same-origin', origin: 'http://other.example' }],
		['the address bar', { 'sec-fetch-site': 'none' }],
		['this site, by its origin', { origin: `http://${host}` }],
		['this site behind TLS', { origin: `https://${host}` }],
		['this site in capitals', { origin: `http://${host.toUpperCase()}` }],
	])('passes from %s', async (_from, headers) => {
		for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
			expect((await send(method, { host, ...headers })).status).toBe(204);
			server.close();
		}
	});

	it.each<[string, Record<string, string>]>([
		['another site', { 'sec-fetch-site': 'cross-site' }],
		['another port of this host', { 'sec-fetch-site': 'same-site' }],
		['another site, whatever its origin says', { 'sec-fetch-site': 'cross-site', origin: `http://${host}` }],
		['another origin', { origin: 'http://evil.example' }],
		['another port by origin', { origin: 'http://pictures.example.org:4000' }],
		['a name that begins the same', { origin: `http://${host}.evil.example` }],
		['an opaque origin', { origin: 'null' }],
		['a broken origin', { origin: 'http://' }],
	])('is refused from %s', async (_from, headers) => {
		for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
			const { status, body } = await send(method, { host, ...headers });
			expect(status).toBe(403);
			expect(JSON.parse(body).code).toBe('cross-site');
			server.close();
		}
	});

	it('is not a GET: links from other sites work', async () => {
		expect((await send('GET', { host, 'sec-fetch-site': 'cross-site' })).status).toBe(204);
	});
});

describe('a request to a host name that is not allowed', () => {
	const options = { allowedHosts: isLoopbackName };

	it.each(['localhost', 'LOCALHOST:9000', 'localhost.', 'a.localhost:1', '127.0.0.1:3000', '127.1.2.3', '[::1]:3000'])(
		'passes for %s, which is loopback',
		async (host) => {
			expect((await send('GET', { host }, options)).status).toBe(204);
		},
	);

	it.each([
		'evil.example',
		'evil.example:3000',
		'localhost.evil.example',
		'127.0.0.1.evil.example',
		'notlocalhost',
		'0.0.0.0:3000',
		'[::ffff:127.0.0.1]',
		'localhost:3000@evil.example',
		'localhost/..',
	])('is refused for %j, whatever the method', async (host) => {
		for (const method of ['GET', 'POST']) {
			const { status, body } = await send(method, { host }, options);
			expect(status).toBe(403);
			expect(JSON.parse(body).code).toBe('cross-site');
			server.close();
		}
	});
});
