import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { revokeKey } from '../../../src/access/key-store.ts';
import { routes } from '../../../src/api/routes.ts';
import { form, json, startTestApi, type TestApi } from '../../helpers/api.ts';
import { bearer, startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

const jsonHeaders = { 'content-type': 'application/json' };

async function open(limits = {}, environment: Record<string, string> = {}) {
	const keyed = await startKeyedApi(
		{ app: { scopes: ['upload'], limits }, reader: { scopes: ['read'] }, admin: {} },
		environment,
	);
	return {
		...keyed,
		async token(wishes: object = {}) {
			const response = await keyed.ask('app', '/v1/upload-tokens', {
				method: 'POST',
				body: JSON.stringify(wishes),
				headers: jsonHeaders,
			});
			return { status: response.status, body: await json(response) };
		},
	};
}

async function send(api: Pick<TestApi, 'url'>, token: string, fields: [string, string][] = [], file: Buffer = bytes) {
	const response = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		body: form([['a.jpg', file]], ...fields),
		headers: bearer(token),
	});
	return { status: response.status, body: await json(response), headers: response.headers };
}

describe('an upload token', () => {
	it('uploads with its fixed fields, from a header or the URL, as a form or a raw body', async () => {
		const { api, token, ask } = await open();
		const { status, body } = await token({
			recipe: 'avatar',
			tags: ['guest', 'event:7'],
			priority: 5,
			maxBytes: 200_000,
			expiresIn: 60,
		});
		expect(status).toBe(201);
		expect(body).toMatchObject({ recipe: 'avatar', tags: ['guest', 'event:7'], priority: 5, maxBytes: 200_000 });
		expect(Date.parse(body.expiresAt) - Date.now()).toBeGreaterThan(57_000);
		expect(Date.parse(body.expiresAt) - Date.now()).toBeLessThanOrEqual(60_000);
		const raw = { method: 'POST', body: new Uint8Array(bytes), headers: { 'content-type': 'image/jpeg' } };
		const ways = [
			await fetch(`${api.url}/v1/pictures`, { ...raw, headers: { ...raw.headers, ...bearer(body.token) } }),
			await fetch(`${api.url}/v1/pictures?filename=b.jpg&token=${body.token}`, raw),
			await fetch(`${api.url}/v1/pictures`, {
				method: 'POST',
				body: form([['c.jpg', bytes]]),
				headers: bearer(body.token),
			}),
			await fetch(`${api.url}/v1/pictures?token=${body.token}`, {
				method: 'POST',
				body: form([['d.jpg', bytes]], ['recipe', 'avatar']),
			}),
		];
		for (const response of ways) {
			expect(response.status).toBe(202);
			const picture = await json(response);
			expect(picture).toMatchObject({ recipe: { name: 'avatar' }, tags: ['guest', 'event:7'], priority: 5 });
			expect(JSON.stringify(picture)).not.toContain(body.token);
			expect((await ask('reader', picture.links.self)).status).toBe(200);
		}
	});

	it('has reasonable defaults', async () => {
		const { token } = await open({}, { PICPIPE_MAX_FILES: '7', PICPIPE_MAX_BYTES: '5000000' });
		const { body } = await token();
		expect(body).toMatchObject({ recipe: 'web', tags: [], priority: 0, maxBytes: 5_000_000, maxPictures: 7 });
		expect(Date.parse(body.expiresAt) - Date.now()).toBeGreaterThan(890_000);
		expect(Date.parse(body.expiresAt) - Date.now()).toBeLessThanOrEqual(900_000);
	});

	it.each<[object, string]>([
		[{ recipe: 'nothing' }, 'unknown-recipe'],
		[{ recipe: '{"variants":{}}' }, 'invalid-field'],
		[{ maxBytes: 0 }, 'invalid-field'],
		[{ maxBytes: 100 * 1024 * 1024 + 1 }, 'invalid-field'],
		[{ expiresIn: 0 }, 'invalid-field'],
		[{ expiresIn: 3_601 }, 'invalid-field'],
		[{ tags: ['<not a tag>'] }, 'invalid-field'],
		[{ priority: 1_001 }, 'invalid-field'],
		[{ maxPictures: 0 }, 'invalid-field'],
		[{ scope: 'admin' }, 'unknown-field'],
	])('is not created with %j', async (wishes, code) => {
		const { token } = await open();
		expect(await token(wishes)).toMatchObject({ status: 400, body: { code } });
	});

	it('fixes recipe, tags, priority and duplicates: requests cannot set them', async () => {
		const { api, token } = await open();
		const { body } = await token({ recipe: 'avatar' });
		for (const field of [
			['recipe', 'web'],
			['tags', 'mine'],
			['priority', '1'],
			['duplicates', 'link'],
			['webhook', 'https://x.example/'],
		]) {
			const refused = await send(api, body.token, [field as [string, string]]);
			expect(refused, field[0]).toMatchObject({
				status: 403,
				body: { code: 'fixed-by-token', detail: expect.stringContaining(field[0] ?? '') },
			});
			const inAddress = await fetch(`${api.url}/v1/pictures?${field.join('=')}&token=${body.token}`, {
				method: 'POST',
				body: new Uint8Array(bytes),
				headers: { 'content-type': 'image/jpeg' },
			});
			expect(await json(inAddress)).toMatchObject({ code: 'fixed-by-token' });
		}
		expect(await api.keys()).toEqual([]);
	});

	it('limits the size of each file', async () => {
		const { api, token } = await open();
		const { body } = await token({ maxBytes: bytes.length });
		expect((await send(api, body.token)).status).toBe(202);
		const small = (await token({ maxBytes: bytes.length - 1 })).body;
		expect(await send(api, small.token)).toMatchObject({ status: 413, body: { code: 'file-too-large' } });
		const announced = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg', ...bearer(small.token) },
		});
		expect(announced.status).toBe(413);
		expect((await api.keys()).filter((key) => key.includes('/original'))).toHaveLength(1);
	});

	it('allows uploads only', async () => {
		const { api, token } = await open();
		const { body } = await token();
		const elsewhere = routes.filter(({ scope, intake, resumable }) => scope !== 'open' && !intake && !resumable);
		expect(elsewhere.length).toBeGreaterThan(15);
		for (const { method, path } of elsewhere) {
			const address = path.replaceAll(/[:{*]\w+\}?/g, 'nothing');
			const asHeader = await fetch(`${api.url}${address}`, { method, headers: bearer(body.token) });
			expect([path, asHeader.status, (await json(asHeader)).code]).toEqual([path, 403, 'insufficient-scope']);
			expect((await fetch(`${api.url}${address}?token=${body.token}`, { method })).status).toBe(401);
		}
	});

	it('ends at its expiry', async () => {
		const { api, token } = await open();
		const { body } = await token({ expiresIn: 2 });
		expect((await send(api, body.token)).status).toBe(202);
		await sleep(Date.parse(body.expiresAt) - Date.now() + 50);
		const ended = await send(api, body.token);
		expect(ended).toMatchObject({
			status: 401,
			body: { code: 'invalid-upload-token', detail: expect.stringContaining(body.expiresAt) },
		});
		expect(ended.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
	});

	it('ends with the key that created it', async () => {
		const { api, token, ids } = await open();
		const { body } = await token();
		expect((await send(api, body.token)).status).toBe(202);
		await revokeKey(api.storage, ids.app);
		await expect
			.poll(async () => (await send(api, body.token)).body.code, { timeout: 3_000, interval: 50 })
			.toBe('invalid-upload-token');
	});

	it('is refused after any change', async () => {
		const { api, token, ids } = await open();
		const made = await token({ maxBytes: 1_000 });
		const text: string = made.body.token;
		const [payload = '', signature = ''] = text.slice('picpipe_upload_'.length).split('.');
		const grant = JSON.parse(Buffer.from(payload, 'base64url').toString());
		const forge = (change: object) =>
			`picpipe_upload_${Buffer.from(JSON.stringify({ ...grant, ...change })).toString('base64url')}.${signature}`;
		const forged = [
			forge({ maxBytes: 1_000_000 }),
			forge({ recipe: 'archive' }),
			forge({ expires: grant.expires + 1_000 }),
			forge({ caller: ids.admin }),
			forge({ caller: 'local' }),
			forge({ caller: 'setting-1' }),
			`picpipe_upload_${payload}.${'A'.repeat(43)}`,
			`picpipe_upload_${payload}.`,
			`picpipe_upload_${payload}`,
			'picpipe_upload_.',
			'picpipe_upload_bm90IGpzb24.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
			text.slice(0, -2),
		];
		for (const token of forged) {
			const refused = await send(api, token);
			expect(refused, token).toMatchObject({ status: 401, body: { code: 'invalid-upload-token' } });
			expect(JSON.stringify(refused.body)).not.toContain(payload);
		}
		expect(await api.keys()).toEqual([]);
	});

	it('counts against the limits of its key and its own number of pictures', async () => {
		const { api, token, ask } = await open({ perDay: 5, rate: { requests: 100, seconds: 600 } });
		const two = (await token({ maxPictures: 2 })).body.token;
		expect((await send(api, two)).status).toBe(202);
		expect((await send(api, two)).status).toBe(202);
		const used = await send(api, two);
		expect(used).toMatchObject({ status: 429, body: { code: 'quota-exceeded', 'violated-policies': ['token'] } });
		expect(used.headers.get('retry-after')).toBeNull();
		const more = (await token({ maxPictures: 10 })).body.token;
		for (let picture = 0; picture < 3; picture++) expect((await send(api, more)).status).toBe(202);
		expect(await send(api, more)).toMatchObject({ status: 429, body: { 'violated-policies': ['day'] } });
		// 2 for tokens, 7 for uploads, and this one.
		const { headers } = await ask('app', '/v1/upload-tokens', { method: 'POST', body: '{}', headers: jsonHeaders });
		expect(headers.get('ratelimit')).toMatch(/"rate";r=90;/);
	});

	it('works on every API of an installation, with a configured key too', async () => {
		const setting = 'a-key-of-the-setting';
		const environment = { PICPIPE_API_KEYS: setting };
		const { api, token } = await open({}, environment);
		const other = await startTestApi({
			...environment,
			PICPIPE_STORAGE: api.config.storage,
			PICPIPE_REDIS_PREFIX: api.config.redisPrefix,
		});
		expect((await send(other, (await token()).body.token)).status).toBe(202);
		const made = await fetch(`${api.url}/v1/upload-tokens`, {
			method: 'POST',
			body: '{}',
			headers: { ...jsonHeaders, ...bearer(setting) },
		});
		const fromSetting = (await json(made)).token;
		expect((await send(other, fromSetting)).status).toBe(202);
		const stranger = await startTestApi({ PICPIPE_API_KEYS: 'another-key-of-a-setting' });
		expect((await send(stranger, fromSetting)).status).toBe(401);
	});

	it('can be created and used without keys, and is enforced there too', async () => {
		const api = await startTestApi();
		const made = await fetch(`${api.url}/v1/upload-tokens`, {
			method: 'POST',
			body: JSON.stringify({ maxBytes: 10 }),
			headers: jsonHeaders,
		});
		const { token } = await json(made);
		expect(await send(api, token)).toMatchObject({ status: 413 });
	});
});
