import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { routes } from '../../../src/api/routes.ts';
import { ownSegments } from '../../../src/config/delivery.ts';
import { readConfig } from '../../../src/config/index.ts';
import { json } from '../../helpers/api.ts';
import { bytesOf, ready, sharedReady, signatureOf, signed } from '../../helpers/delivery.ts';
import { startNginx } from '../../helpers/nginx.ts';
import { photograph } from '../../helpers/pictures.ts';
import { fetchesFromHere, sends, startRemote } from '../../helpers/remote.ts';

const widthOf = async (answer: Response) => [answer.status, (await sharp(await bytesOf(answer)).metadata()).width];

/** The signed URL of an imgproxy path, without a prefix. */
const atRoot = (path: string) => `/${signatureOf(path)}${path}`;

describe('imgproxy URLs at the root', () => {
	const atTheRoot = sharedReady({ PICPIPE_IMGPROXY_PREFIX: '/', PICPIPE_PUBLIC_URL: 'https://images.example.org/' });

	it('are served, also from the cache, and so are those below /img', async () => {
		const { api, id } = await atTheRoot();
		const path = `/w:80/plain/local:///${id}@webp`;
		for (const url of [atRoot(path), atRoot(path), signed(path), `/unsafe${path}`]) {
			expect(await widthOf(await fetch(api.url + url))).toEqual([200, 80]);
		}
		const metrics = await (await fetch(`${api.url}/metrics`)).text();
		expect(metrics).toMatch(/route="\/img\/\*path",status="200"\} 4/);
		expect((await fetch(api.url + atRoot(path), { method: 'HEAD' })).status).toBe(200);
		const wrong = await fetch(api.url + atRoot(path).replace('w:80', 'w:81'));
		expect([wrong.status, (await json(wrong)).code]).toEqual([403, 'invalid-signature']);
	});

	it('hide none of the other paths', async () => {
		const { api, id } = await atTheRoot();
		const statusOf = async (path: string, init?: RequestInit) => {
			const answer = await fetch(api.url + path, init);
			await answer.arrayBuffer();
			return answer.status;
		};
		for (const path of [
			`/v1/pictures/${id}`,
			'/v1/queues',
			'/healthz',
			'/readyz',
			'/',
			'/dashboard.json',
			'/metrics',
		]) {
			expect([path, await statusOf(path)]).toEqual([path, 200]);
		}
		for (const path of [
			'/v1/nothing/here',
			'/assets/nothing/here',
			'/ipx/w_80/a',
			'/robots.txt',
			'/nothing',
			'/healthz/plain/a',
		]) {
			const answer = await fetch(api.url + path);
			expect([path, answer.status, (await json(answer)).code]).toEqual([path, 404, 'not-found']);
		}
		expect(await statusOf(atRoot(`/w:80/plain/${id}`), { method: 'POST' })).toBe(405);
		const preflight = {
			method: 'OPTIONS',
			headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' },
		};
		expect(await statusOf(atRoot(`/w:80/plain/${id}`), preflight)).toBe(204);
		expect(await statusOf('/v1/pictures', preflight)).not.toBe(204);
	});

	it('are what /v1/sign makes, and the link to an unfinished image leads to the same URL', async () => {
		const { api, id } = await atTheRoot();
		const made = await fetch(`${api.url}/v1/sign`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ id, options: 'w:70', format: 'webp' }),
		});
		const { path, url } = await json(made);
		expect([path, url]).toEqual([atRoot(`/w:70/plain/${id}@webp`), `https://images.example.org${path}`]);
		const begun = await fetch(api.url + path, { headers: { prefer: 'respond-async' } });
		expect([begun.status, begun.headers.get('location')]).toEqual([202, path]);
		expect(await widthOf(await fetch(api.url + path))).toEqual([200, 70]);
	});
});

describe('behind an nginx that merges slashes', () => {
	it('and removes its path, every spelling of a source has the signature of its client', async () => {
		const photo = await photograph({ width: 300, height: 200 });
		const remote = await startRemote(sends(photo));
		const { api, id } = await ready({
			...fetchesFromHere,
			PICPIPE_IMGPROXY_PREFIX: '/',
			PICPIPE_DELIVERY_HOSTS: '127.0.0.1',
		});
		const url = await startNginx(
			(port) =>
				`server { listen 127.0.0.1:${port}; location /images/ { proxy_pass ${api.url}/; proxy_http_version 1.1; } location = /healthz { return 200; } }`,
		);
		const base64 = Buffer.from(`${remote.url}/a//b.jpg`).toString('base64url');
		for (const [path, width] of [
			[`/w:80/plain/${id}@webp`, 80],
			[`/w:81/plain/local:///${id}@webp`, 81],
			[`/w:82/plain/picpipe://${id}`, 82],
			[`/w:83/-/trim:10/plain/${remote.url}/a.jpg`, 83],
			[`/w:84/plain/${encodeURIComponent(`${remote.url}/a b@2x.jpg?v=1&w=a%2Fb#c`)}@webp`, 84],
			[`/w:85/plain/${encodeURIComponent(`${remote.url}/é.jpg`)}`, 85],
			[`/w:86/${base64}.webp`, 86],
		] as const) {
			for (const prefix of ['/images', '/images/img']) {
				const answer = await fetch(url + prefix + atRoot(path));
				expect([prefix, path, ...(await widthOf(answer))]).toEqual([prefix, path, 200, width]);
			}
			const wrong = await fetch(`${url}/images${atRoot(path).replace(/w:8/, 'w:9')}`);
			expect([path, wrong.status, (await json(wrong)).code]).toEqual([path, 403, 'invalid-signature']);
		}
		expect(new Set(remote.requests.map((one) => one.url))).toEqual(
			new Set(['/a.jpg', '/a%20b@2x.jpg?v=1&w=a%2Fb', '/%C3%A9.jpg', '/a//b.jpg']),
		);
	});

	it('and keeps its path, the path is the prefix', async () => {
		const { api, id } = await ready({ PICPIPE_IMGPROXY_PREFIX: '/images/small/' });
		const url = await startNginx(
			(port) =>
				`server { listen 127.0.0.1:${port}; location /images/ { proxy_pass ${api.url}; proxy_http_version 1.1; } location = /healthz { return 200; } }`,
		);
		const path = `/w:80/plain/local:///${id}@webp`;
		expect(await widthOf(await fetch(`${url}/images/small${atRoot(path)}`))).toEqual([200, 80]);
		expect((await fetch(`${url}/images${atRoot(path)}`)).status).toBe(404);
		expect(await widthOf(await fetch(api.url + signed(path)))).toEqual([200, 80]);
	});
});

describe('PICPIPE_IMGPROXY_PREFIX', () => {
	const prefixOf = (value: string) => readConfig({ PICPIPE_IMGPROXY_PREFIX: value }).imgproxyPrefix;

	it.each([
		['/', ''],
		['/img', '/img'],
		['/images/', '/images'],
		['/a/b-c_d.e~f', '/a/b-c_d.e~f'],
		['/v1x', '/v1x'],
	])('%s is accepted', (value, prefix) => {
		expect(prefixOf(value)).toBe(prefix);
	});

	it.each([
		'img',
		'/v1',
		'/v1/img',
		'/healthz',
		'/ipx/',
		'/a//b',
		'/a b',
		'/..',
		'/a/./b',
		'/a?b',
		'https://a.example',
	])('%s is refused', (value) => {
		expect(() => prefixOf(value)).toThrow(
			'PICPIPE_IMGPROXY_PREFIX: expected a path such as /images, or / for the root',
		);
	});

	it('cannot hide a route', () => {
		const segments = new Set(routes.map(({ path }) => path.split('/')[1]));
		expect([...segments].sort()).toEqual(['', 'img', ...ownSegments].sort());
	});
});
