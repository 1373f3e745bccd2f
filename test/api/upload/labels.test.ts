import { describe, expect, it } from 'vitest';
import {
	form,
	json,
	startTestApi,
	startTestApiWithWorker,
	type TestApi,
	untilFinished,
	untilIdle,
} from '../../helpers/api.ts';
import { connected } from '../../helpers/connection.ts';
import { bearer, startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { fetchesFromHere, sends, startRemote } from '../../helpers/remote.ts';
import { secret, startSink, webhooksToHere } from '../../helpers/sink.ts';
import { sendByTus } from '../../helpers/tus.ts';

/* Tags, and metadata of one's own: every way in, and everything that shows them. */

const bytes = await photograph({ width: 64, height: 48 });
const asJson = { 'content-type': 'application/json' };

async function send(api: Pick<TestApi, 'url'>, fields: [string, string][], headers: Record<string, string> = {}) {
	const response = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		body: form([['a.jpg', bytes]], ...fields),
		headers,
	});
	return { status: response.status, body: await json(response), headers: response.headers };
}

async function sendJson(api: Pick<TestApi, 'url'>, path: string, body: object | string, headers = {}) {
	const text = typeof body === 'string' ? body : JSON.stringify(body);
	const response = await fetch(`${api.url}${path}`, { method: 'POST', body: text, headers: { ...asJson, ...headers } });
	return { status: response.status, body: await json(response) };
}

describe('metadata', () => {
	it('is kept with the picture, whichever way it came', async () => {
		const api = await startTestApi(fetchesFromHere);
		const remote = await startRemote(sends(bytes));
		const meta = { caption: 'Am Meer,\r\n"süß" <b>', 'order-id': '7', größe: '' };
		const fields = Object.entries(meta).map(([name, value]): [string, string] => [`meta[${name}]`, value]);
		const query = new URLSearchParams(fields);
		const raw = await fetch(`${api.url}/v1/pictures?${query}`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg' },
		});
		const both = await fetch(`${api.url}/v1/pictures?meta[caption]=x&meta[gr%C3%B6%C3%9Fe]=`, {
			method: 'POST',
			body: form([['a.jpg', bytes]], ...fields.slice(0, 2)),
		});
		// The names of tus metadata are ASCII.
		const ascii = { caption: meta.caption, 'order-id': '7' };
		const tus = await sendByTus(api.url, bytes, {
			metadata: { ...ascii, 'meta[batch]': 'x', 'meta[gr%C3%B6%C3%9Fe%20L]': '' },
		});
		const batch = await sendJson(api, '/v1/batches', { urls: [`${remote.url}/a.jpg`], meta });
		const ids: [string | undefined, object][] = [
			[(await send(api, fields)).body.id, meta],
			[(await send(api, Object.entries(meta))).body.id, meta],
			[(await json(raw)).id, meta],
			[(await json(both)).id, meta],
			[tus.picture, { ...ascii, batch: 'x', 'größe L': '' }],
			[(await sendJson(api, '/v1/pictures', { url: `${remote.url}/a.jpg`, meta })).body.id, meta],
			[batch.body.pictures[0].id, meta],
		];
		for (const [id, kept] of ids) {
			expect((await json(await fetch(`${api.url}/v1/pictures/${id}`))).meta, String(id)).toEqual(kept);
		}
		expect(await json(await fetch(tus.url ?? ''))).toMatchObject({ meta: { ...ascii, batch: 'x' } });
		const { pictures } = await json(await fetch(`${api.url}/v1/pictures?view=full`));
		expect(pictures).toHaveLength(ids.length);
		expect(pictures.every(({ meta: shown }: { meta: object }) => 'caption' in shown)).toBe(true);
		expect((await send(api, [])).body).not.toHaveProperty('meta');
	});

	it('survives processing, is told by webhook, and is in no job', async () => {
		const sink = await startSink();
		const api = await startTestApiWithWorker({ ...webhooksToHere, PICPIPE_WEBHOOK_SECRETS: secret() });
		const meta = { caption: 'planted-7c1', 名前: '値' };
		const { body } = await send(api, [...Object.entries(meta), ['webhook', sink.url], ['recipe', 'avatar']]);
		expect((await untilFinished(api, body.id)).meta).toEqual(meta);
		const [told] = await sink.expectMessages('picture.ready', body.id);
		expect(told?.message.data.meta).toEqual(meta);
		const redis = await connected();
		// A job is a hash; its log and its lock are not.
		const jobs = await redis.keys(`${api.config.redisPrefix}:pictures:${body.id}*`);
		const types = await Promise.all(jobs.map((key) => redis.type(key)));
		const stored = await Promise.all(jobs.filter((_, at) => types[at] === 'hash').map((key) => redis.hgetall(key)));
		expect(stored.map(({ data }) => data)).toEqual([expect.stringContaining(body.id)]);
		expect(JSON.stringify(stored)).not.toContain('planted-7c1');
		await untilIdle(api);
		const again = await sendJson(api, `/v1/pictures/${body.id}/process`, { force: true });
		expect(again.body.meta).toEqual(meta);
	});

	it('is never obeyed', async () => {
		const api = await startTestApi();
		const names = [
			'recipe',
			'tags',
			'priority',
			'webhook',
			'batch',
			'duplicates',
			'filename',
			'token',
			'owner',
			'id',
			'state',
			'version',
		];
		const { status, body, headers } = await send(api, [
			...names.map((name): [string, string] => [`meta[${name}]`, 'avatar']),
			['Content-Type', 'text/html'],
			['Location', 'https://other.example/'],
		]);
		expect(status).toBe(202);
		expect(body).toMatchObject({ recipe: { name: 'web' }, tags: [], priority: 0, source: { filename: 'a.jpg' } });
		expect(body).toMatchObject({ state: 'queued', meta: { id: 'avatar', 'Content-Type': 'text/html' } });
		expect(headers.get('content-type')).toContain('application/json');
		expect(headers.get('location')).toBe(`/v1/pictures/${body.id}`);
		expect((await api.keys()).filter((key) => key.includes('avatar'))).toEqual([]);
		const original = await fetch(`${api.url}${body.links.original}`);
		expect(original.headers.get('content-type')).toBe('image/jpeg');
	});

	it.each<[string, string]>([
		['meta', 'expected meta[name]=value'],
		['meta[]', 'expected meta[name]=value'],
		['meta[__proto__]', 'but one is \\"__proto__\\"'],
		['__proto__', 'received __proto__'],
		['_private', 'but one is \\"_private\\"'],
		['a=b', 'but one is \\"a=b\\"'],
		['token', 'Expected the upload token as a header'],
		['filename', 'received filename'],
		['recpie', 'did you mean recipe?). Send it as meta[recpie]'],
		['Tags', 'did you mean tags?'],
		['duplicate', 'did you mean duplicates?'],
	])('refuses a field %s, and keeps nothing', async (name, sentence) => {
		const api = await startTestApi();
		const refused = await send(api, [[name, 'x']]);
		expect([refused.status, JSON.stringify(refused.body.detail)]).toEqual([400, expect.stringContaining(sentence)]);
		expect(await api.keys()).toEqual([]);
		if (name === 'filename' || name === '__proto__') return;
		const tus = await sendByTus(api.url, bytes, { metadata: { [name.replace('=', '"')]: 'x' } });
		if (name !== 'a=b') expect(JSON.stringify(tus.problem)).toContain(sentence);
		expect(tus.status).toBe(400);
	});

	it('is bounded in a form, a query, tus and JSON, and control characters are refused', async () => {
		const api = await startTestApi();
		const many = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`k${at}`, 'x']));
		const long = { a: 'ü'.repeat(1_025) };
		const total = { a: 'x'.repeat(2_048), b: 'x'.repeat(2_048) };
		const control = { a: 'x\u0000y' };
		for (const [meta, sentence] of [
			[many, 'at most 32 names but there are 33'],
			[long, 'at most 2048 bytes for "a" but there are 2050'],
			[total, 'at most 4096 bytes of names and values together but there are 4098'],
			[control, 'no control characters but "a" has some'],
		] as const) {
			const query = new URLSearchParams(
				Object.entries<string>(meta).map(([name, value]): [string, string] => [`meta[${name}]`, value]),
			);
			const details = [
				(await send(api, Object.entries(meta))).body,
				await json(
					await fetch(`${api.url}/v1/pictures?${query}`, {
						method: 'POST',
						body: new Uint8Array(bytes),
						headers: { 'content-type': 'image/jpeg' },
					}),
				),
				(await sendByTus(api.url, bytes, { metadata: meta })).problem,
				(await sendJson(api, '/v1/pictures', { url: 'https://example.org/a.jpg', meta })).body,
				(await sendJson(api, '/v1/batches', { urls: ['https://example.org/a.jpg'], meta })).body,
				(await sendJson(api, '/v1/upload-tokens', { meta })).body,
			];
			for (const problem of details) {
				expect(problem).toMatchObject({ code: 'invalid-field', detail: expect.stringContaining(sentence) });
			}
		}
		const polluted = await sendJson(
			api,
			'/v1/pictures',
			'{"url":"https://example.org/a.jpg","meta":{"__proto__":"x"}}',
		);
		expect(polluted.body).toMatchObject({ code: 'invalid-field', detail: expect.stringContaining('"__proto__"') });
		const nested = await sendJson(api, '/v1/pictures', { url: 'https://example.org/a.jpg', meta: { a: { b: 'c' } } });
		expect(nested.body.detail).toContain('expected text for "a" but it is of type object');
		const inQuery = await fetch(`${api.url}/v1/pictures?caption=x`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg' },
		});
		expect(await json(inQuery)).toMatchObject({ code: 'unknown-field' });
		expect(await api.keys()).toEqual([]);
	});

	it('of an upload token can be added to, and not changed', async () => {
		const { api, ask } = await startKeyedApi({ app: { scopes: ['upload'] }, reader: { scopes: ['read'] } });
		const made = await ask('app', '/v1/upload-tokens', {
			method: 'POST',
			body: JSON.stringify({ meta: { user: '7', größe: 'L' }, tags: ['von Gästen'] }),
			headers: asJson,
		});
		const { token, ...grant } = await json(made);
		expect(grant).toMatchObject({ meta: { user: '7', größe: 'L' }, tags: ['von Gästen'] });
		const added = await send(
			api,
			[
				['caption', 'mine'],
				['meta[user]', '7'],
			],
			bearer(token),
		);
		expect(added.body).toMatchObject({ meta: { user: '7', größe: 'L', caption: 'mine' }, tags: ['von Gästen'] });
		const tus = await sendByTus(api.url, bytes, { metadata: { caption: 'by tus' }, headers: { ...bearer(token) } });
		const byTus = await json(await ask('reader', `/v1/pictures/${tus.picture}`));
		expect(byTus.meta).toEqual({ user: '7', größe: 'L', caption: 'by tus' });
		for (const field of [
			['user', '8'],
			['meta[user]', ''],
			['meta[ user ]', '8'],
			['meta[gro\u0308ße]', 'M'],
		] as [string, string][]) {
			const refused = await send(api, [field], bearer(token));
			expect(refused, field[0]).toMatchObject({ status: 403, body: { code: 'fixed-by-token' } });
		}
		const much = await send(
			api,
			[
				['a', 'x'.repeat(2_048)],
				['b', 'x'.repeat(2_040)],
			],
			bearer(token),
		);
		expect(much.body).toMatchObject({ code: 'invalid-field', detail: expect.stringContaining('4096 bytes') });
		const long = await ask('app', '/v1/upload-tokens', {
			method: 'POST',
			body: JSON.stringify({ tags: Array.from({ length: 32 }, (_, at) => `${at} ${'東'.repeat(50)}`) }),
			headers: asJson,
		});
		expect(await json(long)).toMatchObject({
			code: 'invalid-field',
			detail: expect.stringContaining('4096 characters'),
		});
	});

	it('belongs to the request of an idempotency key, and fields that widgets make up do not', async () => {
		const api = await startTestApi();
		const key = { 'idempotency-key': '"a"' };
		const first = await send(
			api,
			[
				['caption', 'a'],
				['dzuuid', '1'],
				['submit', 'Send'],
			],
			key,
		);
		const again = await send(
			api,
			[
				['meta[caption]', 'a'],
				['dzuuid', '2'],
			],
			key,
		);
		expect(again.body.id).toBe(first.body.id);
		expect(again.headers.get('idempotency-replayed')).toBe('true');
		const other = await send(api, [['caption', 'b']], key);
		expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
	});
});

describe('tags', () => {
	const given = ['two words', 'Größe', 'हिन्दी', 'می‌خواهم', '🏔 Alps', 'R&D'];

	it('of any language are kept by every way in, found, and leave no key behind', async () => {
		const api = await startTestApi(fetchesFromHere);
		const remote = await startRemote(sends(bytes));
		const spelt = given.map((tag) => ` ${tag.normalize('NFD').replace(' ', '\u00a0 ')} `).join(',');
		const raw = await fetch(`${api.url}/v1/pictures?tags=${encodeURIComponent(spelt)}`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg' },
		});
		const ids: string[] = [
			(
				await send(api, [
					['tags', spelt],
					['tags', 'two words'],
				])
			).body.id,
			(
				await send(
					api,
					given.map((tag): [string, string] => ['tags[]', tag]),
				)
			).body.id,
			(await json(raw)).id,
			(await sendByTus(api.url, bytes, { metadata: { tags: spelt } })).picture ?? '',
			(await sendJson(api, '/v1/pictures', { url: `${remote.url}/a.jpg`, tags: given })).body.id,
			(await sendJson(api, '/v1/batches', { urls: [`${remote.url}/a.jpg`], tags: spelt })).body.pictures[0].id,
		];
		for (const id of ids) expect((await json(await fetch(`${api.url}/v1/pictures/${id}`))).tags).toEqual(given);
		for (const tag of [...given, 'two \u00a0words', 'Gro\u0308ße']) {
			const found: string[] = [];
			for (let path = `/v1/pictures?limit=2&tag=${encodeURIComponent(tag)}`; path !== ''; ) {
				const { pictures, next } = await json(await fetch(`${api.url}${path}`));
				found.push(...pictures.map((one: { id: string }) => one.id));
				path = next ? `/v1/pictures?limit=2&tag=${encodeURIComponent(tag)}&cursor=${encodeURIComponent(next)}` : '';
			}
			expect(found.toSorted(), tag).toEqual(ids.toSorted());
		}
		const redis = await connected();
		const keysOfTags = () => redis.keys(`${api.config.redisPrefix}:catalog:v8:tag:*`);
		expect(await keysOfTags()).toHaveLength(given.length);
		for (const id of ids) {
			const deleted = await fetch(`${api.url}/v1/pictures/${id}`, { method: 'DELETE' });
			expect(deleted.status).toBe(204);
		}
		expect(await keysOfTags()).toEqual([]);
	});

	it.each(['<b>', '-x', '../etc', 'a\u0000b', 'a"b', 'x'.repeat(65)])('may not be %j', async (tag) => {
		const api = await startTestApi();
		const refused = await send(api, [['tags', tag]]);
		expect(refused).toMatchObject({
			status: 400,
			body: { code: 'invalid-field', detail: expect.stringContaining('expected a tag of 1 to 64') },
		});
		const listed = await fetch(`${api.url}/v1/pictures?tag=${encodeURIComponent(tag)}`);
		expect(listed.status).toBe(400);
		expect(await api.keys()).toEqual([]);
	});
});
