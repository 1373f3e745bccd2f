import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { addKey, revokeKey } from '../../src/access/key-store.ts';
import { routes } from '../../src/api/routes.ts';
import { openStorage } from '../../src/storage/index.ts';
import { ask as askPlainly } from '../arena/fixture.ts';
import { form, json, startTestApi, startTestApiWithWorker } from '../helpers/api.ts';
import { upload } from '../helpers/delivery.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { bearer, startKeyedApi } from '../helpers/keys.ts';
import { photograph } from '../helpers/pictures.ts';
import { PicpipeProcess } from '../helpers/processes.ts';
import { freshPrefix } from '../helpers/redis.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

const wishes = { upload: { scopes: ['upload' as const] }, read: { scopes: ['read' as const] }, admin: {} };

describe('the scope of each route', () => {
	it('is admin for operator calls and deletions', () => {
		for (const { method, path, scope } of routes) {
			// An upload is its owner's own, and nothing but bytes that nobody has promised to keep.
			if (path.startsWith('/v1/uploads/')) continue;
			if (path.startsWith('/v1/queues') || method === 'DELETE')
				expect([method, path, scope]).toEqual([method, path, 'admin']);
		}
	});

	it('allows a key with upload to upload and see its own, and a key with read to read', async () => {
		const { ask } = await startKeyedApi(wishes);
		const body = () => form([['a.jpg', bytes]]);
		expect((await ask('read', '/v1/pictures', { method: 'POST', body: body() })).status).toBe(403);
		const uploaded = await ask('upload', '/v1/pictures', { method: 'POST', body: body() });
		expect(uploaded.status).toBe(202);
		const { id } = await json(uploaded);
		expect((await ask('upload', `/v1/pictures/${id}`)).status).toBe(200);
		expect((await ask('upload', `/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(403);
		expect((await ask('read', `/v1/pictures/${id}/original`)).status).toBe(200);
		expect((await ask('admin', `/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(204);
	});
});

describe('API keys', () => {
	it('are accepted only as complete bearer tokens; configured keys work beside those in storage', async () => {
		const setting = 'a-key-of-the-setting';
		const { api, keys } = await startKeyedApi({ one: {} }, { PICPIPE_API_KEYS: setting });
		const get = async (headers: Record<string, string>, query = '') =>
			(await fetch(`${api.url}/v1/pictures${query}`, { headers })).status;
		for (const key of [keys.one, setting]) {
			expect(await get(bearer(key))).toBe(200);
			expect(await get({ authorization: `bearer ${key}` })).toBe(200);
			expect(await get({ authorization: key })).toBe(401);
			expect(await get({ authorization: `Basic ${Buffer.from(`x:${key}`).toString('base64')}` })).toBe(401);
			expect(await get({}, `?token=${key}`)).toBe(401);
			expect(await get(bearer(key.slice(0, -1)))).toBe(401);
			expect(await get(bearer(`${key}x`))).toBe(401);
		}
	});

	it('work at once and are refused within PICPIPE_KEYS_SECONDS of their revocation', async () => {
		const { api, ask, ids } = await startKeyedApi({ old: {}, other: {} }, { PICPIPE_KEYS_SECONDS: '2' });
		expect((await ask('old', '/v1/recipes')).status).toBe(200);
		await revokeKey(api.storage, ids.old);
		const revokedAt = performance.now();
		let lastTaken = 0;
		const status = async () => {
			const askedAt = performance.now();
			const answer = await ask('old', '/v1/recipes');
			if (answer.status === 200) lastTaken = askedAt;
			return answer.status;
		};
		await expect.poll(status, { timeout: 10_000, interval: 25 }).toBe(401);
		expect(lastTaken - revokedAt).toBeLessThan(2_500);
		expect((await ask('other', '/v1/recipes')).status).toBe(200);
		const { text } = await addKey(api.storage, { name: 'new', scopes: ['read'], limits: {} });
		await expect
			.poll(async () => (await fetch(`${api.url}/v1/recipes`, { headers: bearer(text) })).status, {
				timeout: 10_000,
				interval: 50,
			})
			.toBe(200);
	});

	it('do not disturb other objects in storage', async () => {
		const { api, ask } = await startKeyedApi(wishes);
		await api.startWorker();
		const uploaded = await ask('admin', '/v1/pictures', {
			method: 'POST',
			body: form([['a.jpg', bytes]]),
			headers: { prefer: 'wait=30' },
		});
		expect(await json(uploaded)).toMatchObject({ state: 'ready' });
		await api.loseIndex();
		expect(await api.sweep()).toMatchObject({ pending: 0 });
		expect(await api.reindex()).toMatchObject({ pictures: 1 });
		expect(await api.keys()).toHaveLength(6);
	});

	it('are named in the log by id, and their secrets appear on no line at any level', { timeout: 60_000 }, async () => {
		const folder = await temporaryFolder();
		const setting = 'a-key-of-the-setting';
		const storage = openStorage(`file:${folder}`);
		const good = await addKey(storage, { name: 'good', scopes: ['admin'], limits: {} });
		const upload = await addKey(storage, { name: 'upload', scopes: ['upload'], limits: {} });
		const picpipe = new PicpipeProcess({
			command: 'api',
			folder,
			environment: {
				REDIS_URL: inject('redisUrl'),
				PICPIPE_REDIS_PREFIX: freshPrefix(),
				PICPIPE_LOG_LEVEL: 'trace',
				PICPIPE_API_KEYS: setting,
			},
		});
		onTestFinished(() => picpipe.destroy());
		const { address } = await picpipe.waitFor((line) => line.msg === 'api is ready');
		const send = (path: string, key: string, init: RequestInit = {}) =>
			fetch(`${address}${path}`, { ...init, headers: { ...bearer(key), ...init.headers } });
		const headers = { 'content-type': 'application/json' };
		const made = await send('/v1/upload-tokens', upload.text, { method: 'POST', body: '{}', headers });
		const { token } = await json(made);
		const wrong = `${good.text.slice(0, -4)}AAAA`;
		for (const key of [good.text, upload.text, setting, wrong, token, `${token}x`]) {
			await send('/v1/pictures', key);
			await send('/v1/pictures', key, { method: 'POST', body: form([['a.jpg', bytes]]) });
			await send('/v1/queues/nothing/pause', key, { method: 'POST' });
			await fetch(`${address}/v1/pictures?key=${key}&token=${key}`);
			await send(`/v1/pictures?key=${key}&token=${key}`, good.text);
			await fetch(`${address}/v1/pictures?token=${key}`, {
				method: 'POST',
				body: 'nothing',
				headers: { 'content-type': 'image/png' },
			});
			await fetch(`${address}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]], ['token', key]) });
		}
		await picpipe.waitFor((line) => line.caller === good.record.id);
		await picpipe.waitFor((line) => line.caller === 'setting-1');
		expect((await picpipe.stop()).code).toBe(0);
		expect(picpipe.lines.filter(({ msg }) => msg === 'request').length).toBeGreaterThan(20);
		const secrets = [
			setting,
			...[good.text, upload.text, wrong].map((text) => text.slice(-30)),
			token.slice(-30),
			token.slice(20, 60),
		];
		for (const secret of secrets) expect(picpipe.output.includes(secret), secret).toBe(false);
		expect(picpipe.output).not.toContain(good.record.sha256);
		expect(picpipe.output).not.toContain(good.record.signingSecret);
	});
});

describe('the recipes of a key', () => {
	it('apply to uploads, processing, retries and upload tokens', async () => {
		const recipes = join(await temporaryFolder(), 'recipes.yaml');
		await writeFile(
			recipes,
			'recipes: { icon: { variants: { icon: { steps: [{ resize: { width: 20 } }], encode: [{ webp: {} }] } } } }',
		);
		const { api, ask } = await startKeyedApi(
			{ icons: { scopes: ['upload'], recipes: ['icon', 'avatar'], group: 'shop' }, all: { group: 'shop' } },
			{ PICPIPE_RECIPES: recipes, PICPIPE_INLINE_RECIPES: 'true' },
		);
		await api.startWorker();
		const upload = async (key: 'icons' | 'all', recipe?: string, prefer = 'wait=0') => {
			const body = form([['a.jpg', bytes]], ...(recipe ? [['recipe', recipe] as [string, string]] : []));
			const response = await ask(key, '/v1/pictures', { method: 'POST', body, headers: { prefer } });
			return { status: response.status, body: await json(response) };
		};
		const inline = JSON.stringify({ variants: { a: { encode: [{ webp: {} }] } } });
		for (const recipe of [undefined, 'web', inline]) {
			expect(await upload('icons', recipe), String(recipe)).toMatchObject({
				status: 403,
				body: { code: 'recipe-not-allowed' },
			});
		}
		const raw = await ask('icons', '/v1/pictures?recipe=web', {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg' },
		});
		expect(await json(raw)).toMatchObject({
			code: 'recipe-not-allowed',
			detail: expect.stringContaining('icon, avatar'),
		});
		expect(await api.keys()).toEqual([]);
		const icon = await upload('icons', 'icon', 'wait=30');
		expect(icon).toMatchObject({ status: 201, body: { state: 'ready' } });
		const web = await upload('all', 'web', 'wait=30');
		expect(web.body.state).toBe('ready');

		const post = async (path: string, body: object = {}) => {
			const headers = { 'content-type': 'application/json' };
			const response = await ask('icons', path, { method: 'POST', body: JSON.stringify(body), headers });
			return [response.status, (await json(response)).code];
		};
		expect(await post(`/v1/pictures/${icon.body.id}/process`, { recipe: 'web' })).toEqual([403, 'recipe-not-allowed']);
		expect(await post(`/v1/pictures/${icon.body.id}/process`, { recipe: 'avatar' })).toEqual([202, undefined]);
		expect(await post(`/v1/pictures/${web.body.id}/process`)).toEqual([403, 'recipe-not-allowed']);
		expect(await post('/v1/upload-tokens')).toEqual([403, 'recipe-not-allowed']);
		expect(await post('/v1/upload-tokens', { recipe: 'icon' })).toEqual([201, undefined]);
		const broken = await json(
			await ask('all', '/v1/pictures', {
				method: 'POST',
				body: form([['a.jpg', bytes.subarray(0, 2_000)]]),
				headers: { prefer: 'wait=30' },
			}),
		);
		expect(broken.state).toBe('failed');
		expect(await post(`/v1/pictures/${broken.id}/retry`)).toEqual([403, 'recipe-not-allowed']);
	});
});

describe('without any API key', () => {
	it('only this machine is served: no proxies, no forged headers, no other host names', async () => {
		const api = await startTestApi({ PICPIPE_KEYS_SECONDS: '1' });
		const get = async (headers: Record<string, string>, path = '/v1/recipes') =>
			(await askPlainly(api.url, path, { headers })).status;
		expect(await get({})).toBe(200);
		expect(await get({ authorization: 'Bearer whatever' })).toBe(200);
		expect(await get({ 'x-forwarded-for': '203.0.113.9' })).toBe(401);
		expect(await get({ 'x-forwarded-for': '127.0.0.1' })).toBe(401);
		expect(await get({ forwarded: 'for=127.0.0.1' })).toBe(401);
		expect(await get({ host: 'rebound.example' })).toBe(403);
		for (const path of ['/', '/dashboard.json', '/healthz']) {
			expect(await get({}, path), path).toBe(200);
			expect(await get({ host: 'rebound.example' }, path), path).toBe(403);
		}
		expect(await json(await fetch(`${api.url}/dashboard.json`))).toMatchObject({ needsKey: false });

		const { record, text } = await addKey(api.storage, { name: 'first', scopes: ['read'], limits: {} });
		await expect.poll(() => get({}), { timeout: 3_000, interval: 50 }).toBe(401);
		expect(await get(bearer(text))).toBe(200);
		// With keys the address counts no more: proxies are fine.
		expect(await get({ ...bearer(text), 'x-forwarded-for': '203.0.113.9', host: 'pictures.example' })).toBe(200);
		expect(await json(await fetch(`${api.url}/dashboard.json`))).toMatchObject({ needsKey: true });

		await revokeKey(api.storage, record.id);
		await expect.poll(() => get(bearer(text)), { timeout: 3_000, interval: 50 }).toBe(401);
		await sleep(1_100);
		expect(await get({}), 'revoking the last key opens nothing').toBe(401);
	});

	it('image URLs hear of the first key without another request that asks for it', async () => {
		const api = await startTestApiWithWorker({ PICPIPE_KEYS_SECONDS: '1', PICPIPE_DELIVERY_REMEMBER_SECONDS: '600' });
		const id = await upload(api, bytes);
		const get = async (path: string, headers = {}) => (await askPlainly(api.url, path, { headers })).status;
		const paths = [`/img/unsafe/raw:1/plain/${id}`, `/img/unsafe/w:50/plain/${id}`];
		for (const path of paths) expect([await get(path), await get(path)]).toEqual([200, 200]);
		expect(await get('/', { 'x-forwarded-for': '203.0.113.9' })).toBe(401);
		await addKey(api.storage, { name: 'first', scopes: ['read'], limits: {} });
		for (const path of paths) await expect.poll(() => get(path), { timeout: 3_000, interval: 50 }).toBe(403);
		expect(await get('/', { 'x-forwarded-for': '203.0.113.9' })).toBe(200);
	});

	it('it does not start on a host that other machines can reach', async () => {
		await expect(startTestApi({ PICPIPE_HOST: '0.0.0.0' })).rejects.toThrow(
			/PICPIPE_HOST: expected an API key or PICPIPE_API_KEYS because 0\.0\.0\.0 is reachable from other machines/,
		);
		const { api, ask } = await startKeyedApi({ one: {} }, { PICPIPE_HOST: '0.0.0.0' });
		expect(api.url).toContain('0.0.0.0');
		expect((await ask(undefined, '/v1/recipes')).status).toBe(401);
		expect((await ask('one', '/v1/recipes')).status).toBe(200);
	});
});
