import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { json, startTestApi } from '../../helpers/api.ts';
import { key, salt, signed } from '../../helpers/delivery.ts';
import { startNginx } from '../../helpers/nginx.ts';
import { photograph } from '../../helpers/pictures.ts';

/** The configuration of docs/nginx.md, with a port, an api and a folder of the test's own. */
async function configurationOfGuide(port: number, api: string, storage: string): Promise<string> {
	const guide = await readFile(new URL('../../../docs/nginx.md', import.meta.url), 'utf8');
	const server = /```nginx\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
	const own = server
		.replace('listen 80;', `listen 127.0.0.1:${port};`)
		.replace('http://127.0.0.1:3000', api)
		.replace('/srv/picpipe/storage/', `${storage}/`);
	for (const changed of [`127.0.0.1:${port}`, api, storage]) expect(own).toContain(changed);
	return own;
}

describe('behind nginx as configured in docs/nginx.md', () => {
	it('uploads work, and nginx sends stored results with the headers of the API', async () => {
		const secret = 'k'.repeat(32);
		const api = await startTestApi({
			PICPIPE_DELIVERY_KEYS: `${key}:${salt}`,
			PICPIPE_API_KEYS: secret,
			PICPIPE_ACCEL_REDIRECT: '/stored/',
			PICPIPE_PUBLIC_URL: 'https://pictures.example.org/',
		});
		await api.startWorker();
		const storage = api.config.storage.replace('file:', '');
		const url = await startNginx((port) => configurationOfGuide(port, api.url, storage));
		const authorization = `Bearer ${secret}`;
		const created = await fetch(`${url}/v1/pictures`, {
			method: 'POST',
			headers: { authorization, 'content-type': 'image/jpeg', prefer: 'wait=60' },
			body: new Uint8Array(await photograph({ width: 900, height: 600 })),
		});
		const { id, state } = await json(created);
		expect([created.status, state]).toEqual([201, 'ready']);

		const path = signed(`/w:300/f:auto/plain/${id}`);
		for (let asked = 0; asked < 2; asked++) {
			const answer = await fetch(url + path, { headers: { accept: 'image/webp' } });
			const bytes = Buffer.from(await answer.arrayBuffer());
			expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 300, height: 200 });
			const fields = Object.fromEntries(answer.headers);
			expect(fields).toMatchObject({
				'content-type': 'image/webp',
				'content-length': String(bytes.length),
				'cache-control': 'public, max-age=31536000, immutable',
				'access-control-allow-origin': '*',
				'cross-origin-resource-policy': 'cross-origin',
				'timing-allow-origin': '*',
				'x-content-type-options': 'nosniff',
				'content-security-policy': "default-src 'none'; sandbox",
				vary: 'Accept',
			});
			expect(fields.server).toMatch(/^nginx/);
			expect(fields).not.toHaveProperty('x-accel-redirect');
			const etag = answer.headers.get('etag') ?? '';
			const again = { accept: 'image/webp', 'if-none-match': etag, 'cache-control': 'max-age=0' };
			expect((await fetch(url + path, { headers: again })).status).toBe(304);
			const part = await fetch(url + path, { headers: { accept: 'image/webp', range: 'bytes=10-19' } });
			expect([part.status, Buffer.from(await part.arrayBuffer())]).toEqual([206, bytes.subarray(10, 20)]);
		}
		// Originals and variants of the API are sent by nginx, too.
		const { links } = await json(await fetch(`${url}/v1/pictures/${id}`, { headers: { authorization } }));
		for (const link of [links.original, links.variants.thumb]) {
			const byApi = await fetch(api.url + link, { headers: { authorization } });
			const byNginx = await fetch(url + link, { headers: { authorization } });
			expect(byApi.headers.get('x-accel-redirect')).toMatch(/^\/stored\//);
			expect(byNginx.status).toBe(200);
			const bytes = Buffer.from(await byNginx.arrayBuffer());
			expect(byNginx.headers.get('content-length')).toBe(String(bytes.length));
			expect((await sharp(bytes).metadata()).width).toBe(link === links.original ? 900 : 300);
		}

		// Nobody gets at stored files but through the api.
		const [stored = ''] = await api.keys();
		expect((await fetch(`${url}/stored/${stored}`)).status).toBe(404);
		expect((await fetch(`${url}/v1/pictures`)).status).toBe(401);

		const signedBy = await fetch(`${url}/v1/sign`, {
			method: 'POST',
			headers: { authorization, 'content-type': 'application/json' },
			body: JSON.stringify({ id, options: 'w:50', format: 'webp' }),
		});
		const made = await json(signedBy);
		expect(made.url).toBe(`https://pictures.example.org${made.path}`);
		expect((await fetch(url + made.path)).status).toBe(200);
	});

	it('without keys, requests through an nginx that adds no headers are refused', async () => {
		const api = await startTestApi();
		expect((await fetch(`${api.url}/v1/pictures`)).status).toBe(200);
		const url = await startNginx(
			(port) => `server { listen 127.0.0.1:${port}; location / { proxy_pass ${api.url}; } }`,
		);
		for (const path of ['/v1/pictures', '/', '/img/unsafe/w:10/plain/pic_01jzkwp9nbe0tvahm2q4c8s6rd']) {
			const answer = await fetch(url + path);
			const { code, detail } = await json(answer);
			expect([path, answer.status, code]).toEqual([path, 401, 'unauthorized']);
			expect(detail).toContain('HTTP/1.0');
		}
	});
});
