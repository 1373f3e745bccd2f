import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { folderOf } from '../../../src/catalog/manifest.ts';
import { manifestKey, pendingKey } from '../../../src/storage/keys.ts';
import { readObject, type Storage } from '../../../src/storage/storage.ts';
import { listed } from '../../contract/storage.ts';
import { form, json, startTestApi, type TestApi, untilFinished } from '../../helpers/api.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { bearer, startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { freshPrefix } from '../../helpers/redis.ts';
import { head, openWire, type Wire } from '../../helpers/wire.ts';

const picture = (seed = 1) => photograph({ width: 64, height: 48, seed });

interface Sent {
	readonly key?: string;
	readonly query?: string;
	readonly headers?: Record<string, string>;
}

const withKey = (key: string | undefined) => (key === undefined ? {} : { 'idempotency-key': `"${key}"` });

function upload(api: Pick<TestApi, 'url'>, bytes: Buffer, { key = 'first', query = '', headers }: Sent = {}) {
	return fetch(`${api.url}/v1/pictures${query}`, {
		method: 'POST',
		body: new Uint8Array(bytes),
		headers: { 'content-type': 'image/jpeg', ...withKey(key), ...headers },
	});
}

function sendForm(api: Pick<TestApi, 'url'>, ...parts: Parameters<typeof form>) {
	return fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form(...parts), headers: withKey('first') });
}

function sendJson(api: Pick<TestApi, 'url'>, body: unknown) {
	const headers = { 'content-type': 'application/json', ...withKey('first') };
	return fetch(`${api.url}/v1/pictures`, { method: 'POST', body: JSON.stringify(body), headers });
}

/** Two apis of one installation. */
async function startTwo(environment: Record<string, string> = {}): Promise<[TestApi, TestApi]> {
	const shared = {
		PICPIPE_STORAGE: `file:${await temporaryFolder()}`,
		PICPIPE_REDIS_PREFIX: freshPrefix(),
		...environment,
	};
	return [await startTestApi(shared), await startTestApi(shared)];
}

/** Bytes of an upload that `beginUpload` sends. */
const half = 10_000;

/** An upload that has begun to come in and stands still. */
async function beginUpload(api: TestApi, bytes: Buffer): Promise<Wire> {
	const wire = await openWire(api.url);
	const headers = { 'Idempotency-Key': '"first"', 'Content-Type': 'image/jpeg', 'Content-Length': bytes.length };
	wire.send(head('POST /v1/pictures', headers), bytes.subarray(0, half));
	await expect.poll(async () => (await api.keys()).some((key) => key.endsWith('.tmp')), { timeout: 5_000 }).toBe(true);
	return wire;
}

async function picturesIn({ storage }: { storage: Storage }): Promise<string[]> {
	return (await listed(storage, 'pictures/')).filter((key) => key.endsWith('/picture.json'));
}

/** Takes from the only record what the api had not yet written when it was killed. */
async function forgetAnswer({ storage }: TestApi): Promise<{ candidates: { id: string; source: { key: string } }[] }> {
	const [key = ''] = await listed(storage, 'idempotency/');
	const { results: _results, ...record } = JSON.parse(String(await readObject(storage, key)));
	await storage.put(key, Buffer.from(JSON.stringify(record)));
	return record;
}

async function expectSameAnswer(answer: Response, first: Response, body: unknown): Promise<void> {
	expect(answer.status).toBe(first.status);
	expect(answer.headers.get('location')).toBe(first.headers.get('location'));
	expect(answer.headers.get('idempotency-replayed')).toBe('true');
	expect(await json(answer)).toEqual(body);
}

describe('a request with an Idempotency-Key', () => {
	it('is answered again as it was, and makes nothing again', async () => {
		const api = await startTestApi();
		const first = await upload(api, await picture());
		expect(first.status).toBe(202);
		expect(first.headers.get('idempotency-replayed')).toBeNull();
		const body = await json(first);
		const keys = await api.keys();
		await expectSameAnswer(await upload(api, await picture()), first, body);
		// The same key without its quotes.
		const bare = await upload(api, await picture(), { headers: { 'idempotency-key': 'first' } });
		await expectSameAnswer(bare, first, body);
		expect(await api.keys()).toEqual(keys);
		const other = await json(await upload(api, await picture(), { key: 'second' }));
		expect(other.id).not.toBe(body.id);
	});

	it('is answered as it was also when the picture is ready by now, or finished when that is waited for', async () => {
		const api = await startTestApi();
		await api.startWorker();
		const first = await upload(api, await picture());
		const body = await json(first);
		const ready = await untilFinished(api, body.id);
		await expectSameAnswer(await upload(api, await picture()), first, body);
		const waited = await upload(api, await picture(), { headers: { prefer: 'wait=20' } });
		expect(waited.status).toBe(201);
		expect(await json(waited)).toEqual(ready);
	});

	it('is refused with 422 when it is another request, and nothing of that is kept', async () => {
		const api = await startTestApi();
		await upload(api, await picture(), { query: '?tags=a&filename=a.jpg' });
		const keys = await api.keys();
		for (const one of [
			() => picture(2).then((bytes) => upload(api, bytes, { query: '?tags=a&filename=a.jpg' })),
			() => picture().then((bytes) => upload(api, bytes, { query: '?tags=b&filename=a.jpg' })),
			() => picture().then((bytes) => sendForm(api, [['a.jpg', bytes]], ['tags', 'a'])),
			() => sendJson(api, { url: 'https://example.org/a.jpg', tags: 'a' }),
		]) {
			const answer = await one();
			expect(answer.status).toBe(422);
			expect(await json(answer)).toMatchObject({ code: 'idempotency-key-reused', class: 'request' });
		}
		expect(await api.keys()).toEqual(keys);
	});

	it('is known by the caller: keys of others are others', async () => {
		const { api, ask, ids } = await startKeyedApi({ one: {}, other: {} });
		expect(ids.one).not.toBe(ids.other);
		const send = async (who: 'one' | 'other') =>
			json(
				await ask(who, '/v1/pictures', {
					method: 'POST',
					body: new Uint8Array(await picture()),
					headers: { 'content-type': 'image/jpeg', ...withKey('first') },
				}),
			);
		const one = await send('one');
		expect((await send('one')).id).toBe(one.id);
		expect((await send('other')).id).not.toBe(one.id);
		const token = async () => (await json(await ask('one', '/v1/upload-tokens', { method: 'POST' }))).token as string;
		const sendWith = async (text: string) => json(await upload(api, await picture(), { headers: bearer(text) }));
		const [first, second] = [await token(), await token()];
		const guest = await sendWith(first);
		expect(guest.id).not.toBe(one.id);
		expect((await sendWith(first)).id).toBe(guest.id);
		expect((await sendWith(second)).id).not.toBe(guest.id);
	});

	it('that was refused may come again, right this time', async () => {
		const api = await startTestApi();
		expect((await upload(api, Buffer.from('no picture'))).status).toBe(415);
		expect((await upload(api, await picture(), { query: '?tags=!' })).status).toBe(400);
		expect((await sendForm(api, [['a.txt', Buffer.from('no picture')]])).status).toBe(415);
		expect(await listed(api.storage, 'idempotency/')).toEqual([]);
		expect((await upload(api, await picture())).status).toBe(202);
	});

	it('is refused when the key is none, before the body is read', async () => {
		const api = await startTestApi();
		const wire = await openWire(api.url);
		const headers = { 'Idempotency-Key': '"a", "b"', 'Content-Type': 'image/jpeg', 'Content-Length': 1_000 };
		wire.send(head('POST /v1/pictures', headers));
		await wire.until(/HTTP\/1\.1 400 .*"code":"invalid-idempotency-key"/s);
	});

	it('replays a form with what was refused in it, and a list of addresses', async () => {
		const api = await startTestApi();
		const parts = [
			[
				['a.jpg', await picture()],
				['b.txt', Buffer.from('no picture')],
				['c.jpg', await picture(3)],
			],
			['tags', 'x'],
		] as const;
		const send = () => sendForm(api, parts[0], ['tags', 'x']);
		const first = await send();
		const body = await json(first);
		expect(body.pictures).toHaveLength(2);
		const again = await send();
		const replayed = await json(again);
		expect(again.status).toBe(202);
		expect(replayed.pictures).toEqual(body.pictures);
		const problem = { code: 'unsupported-type', detail: body.refused[0].problem.detail };
		expect(replayed.refused).toMatchObject([{ filename: 'b.txt', problem }]);
		expect(await picturesIn(api)).toHaveLength(2);

		const other = await startTestApi();
		const urls = ['https://example.org/a.jpg', 'ftp://example.org/b.jpg', 'https://example.org/c.jpg'];
		const list = await sendJson(other, { urls });
		const listBody = await json(list);
		expect(listBody.pictures).toHaveLength(2);
		const listAgain = await json(await sendJson(other, { urls }));
		expect(listAgain.pictures).toEqual(listBody.pictures);
		expect(listAgain.refused).toMatchObject([{ url: urls[1], problem: { code: 'url-unsupported' } }]);
		expect(await picturesIn(other)).toHaveLength(2);
	});

	it('is a new one when it has expired', async () => {
		const api = await startTestApi({ PICPIPE_IDEMPOTENCY_SECONDS: '1' });
		const first = await json(await upload(api, await picture()));
		expect((await json(await upload(api, await picture()))).id).toBe(first.id);
		await sleep(1_100);
		const later = await upload(api, await picture());
		expect(later.headers.get('idempotency-replayed')).toBeNull();
		expect((await json(later)).id).not.toBe(first.id);
		expect((await listed(api.storage, 'idempotency/')).length).toBe(1);
		await sleep(2_100);
		expect(await api.sweep()).toMatchObject({ forgotten: 1 });
		expect(await listed(api.storage, 'idempotency/')).toEqual([]);
	});
});

describe('a request whose key is under way', () => {
	it('gets 409, also from another api, and goes well once the first has left', async () => {
		const [one, other] = await startTwo();
		await expect.poll(async () => (await fetch(`${one.url}/readyz`)).status).toBe(200);
		await expect.poll(async () => (await fetch(`${other.url}/readyz`)).status).toBe(200);
		const bytes = await photograph({ width: 640, height: 480 });
		const wire = await beginUpload(one, bytes);
		expect((await upload(other, bytes)).status).toBe(409);
		const busy = await upload(other, bytes);
		expect(busy.headers.get('retry-after')).toBe('1');
		expect(await json(busy)).toMatchObject({ code: 'idempotency-key-in-use', class: 'request' });
		expect((await upload(one, bytes)).status).toBe(409);
		wire.socket.destroy();
		await expect.poll(async () => (await upload(other, bytes)).status, { timeout: 5_000 }).toBe(202);
		expect(await picturesIn(one)).toHaveLength(1);
		expect((await one.keys()).length).toBe(3);
	});

	it('fifty times at once, over two apis, is one picture', async () => {
		const apis = await startTwo();
		for (const api of apis) await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status).toBe(200);
		const bytes = await picture();
		const sent = Array.from({ length: 50 }, (_, index) => upload(apis[index % 2] as TestApi, bytes));
		const answers = await Promise.all(sent);
		const accepted = answers.filter(({ status }) => status === 202);
		expect(accepted.length).toBeGreaterThan(0);
		expect(answers.every(({ status }) => status === 202 || status === 409)).toBe(true);
		const ids = new Set((await Promise.all(accepted.map(json))).map(({ id }) => id));
		expect(ids.size).toBe(1);
		expect(await picturesIn(apis[0])).toHaveLength(1);
		const [id] = ids;
		expect((await apis[0].keys()).every((key) => key.includes(id))).toBe(true);
	});
});

describe('a request whose api was killed', () => {
	it('after the picture was accepted: the retry is answered with it', async () => {
		const api = await startTestApi();
		const first = await json(await upload(api, await picture()));
		await forgetAnswer(api);
		const keys = await api.keys();
		const again = await upload(api, await picture());
		expect(again.status).toBe(202);
		expect((await json(again)).id).toBe(first.id);
		expect(await api.keys()).toEqual(keys);
		// Now the answer is kept.
		expect((await upload(api, await picture())).headers.get('idempotency-replayed')).toBe('true');
		await forgetAnswer(api);
		expect((await upload(api, await picture(2))).status).toBe(422);
		expect(await api.keys()).toEqual(keys);
	});

	it('before the manifest: the retry makes the picture that was meant, of what was received', async () => {
		const api = await startTestApi();
		const { id } = await json(await upload(api, await picture()));
		await forgetAnswer(api);
		await api.storage.delete(manifestKey(folderOf(id)));
		const again = await json(await upload(api, await picture()));
		expect(again).toMatchObject({ id, state: 'queued' });
		expect(await api.keys()).toHaveLength(3);
	});

	it('and nothing of it is left: the retry makes another, and the next retry finds that', async () => {
		const api = await startTestApi();
		const { id } = await json(await upload(api, await picture()));
		const { candidates } = await forgetAnswer(api);
		await api.storage.delete(manifestKey(folderOf(id)));
		await api.storage.delete(candidates[0]?.source.key ?? '');
		await api.storage.delete(pendingKey(id));
		const second = await json(await upload(api, await picture()));
		expect(second.id).not.toBe(id);
		await forgetAnswer(api);
		expect((await json(await upload(api, await picture()))).id).toBe(second.id);
		expect(await picturesIn(api)).toHaveLength(1);
	});

	it('between two files of a form: the retry finds the one and makes the other', async () => {
		const api = await startTestApi();
		const files = [
			['a.jpg', await picture()],
			['b.jpg', await picture(2)],
		] as const;
		const first = await json(await sendForm(api, files));
		await forgetAnswer(api);
		await api.storage.delete(manifestKey(folderOf(first.pictures[1].id)));
		const again = await json(await sendForm(api, files));
		expect(again.pictures.map(({ id }: { id: string }) => id)).toEqual(
			first.pictures.map(({ id }: { id: string }) => id),
		);
		expect(await picturesIn(api)).toHaveLength(2);
	});

	it('counts no picture twice against the limits of its key', async () => {
		const { api, ask } = await startKeyedApi({ camera: { scopes: ['upload'], limits: { perDay: 2 } } });
		const send = async (key: string) =>
			(
				await ask('camera', '/v1/pictures', {
					method: 'POST',
					body: new Uint8Array(await picture()),
					headers: { 'content-type': 'image/jpeg', ...withKey(key) },
				})
			).status;
		expect(await send('first')).toBe(202);
		await forgetAnswer(api);
		expect(await send('first')).toBe(202);
		expect(await send('first')).toBe(202);
		expect(await send('second')).toBe(202);
		expect(await send('third')).toBe(429);
	});
});

describe('without Redis', () => {
	const away = { REDIS_URL: 'redis://127.0.0.1:1' };

	it('a request with a key is accepted, replayed, and told from one under way in the same api', async () => {
		const api = await startTestApi(away);
		const bytes = await photograph({ width: 640, height: 480 });
		const wire = await beginUpload(api, bytes);
		expect((await upload(api, bytes)).status).toBe(409);
		wire.send(bytes.subarray(half));
		await wire.until(/HTTP\/1\.1 202/);
		const again = await upload(api, bytes);
		expect(again.status).toBe(202);
		expect(again.headers.get('idempotency-replayed')).toBe('true');
		expect(wire.received).toContain((await json(again)).id);
		expect(await picturesIn(api)).toHaveLength(1);
	});

	it('equal requests at once over two apis make one picture, and all are answered with it', async () => {
		const apis = await startTwo(away);
		const bytes = await picture();
		const sent = Array.from({ length: 10 }, (_, index) => upload(apis[index % 2] as TestApi, bytes));
		const answers = (await Promise.all(sent)).filter(({ status }) => status !== 409);
		expect(answers.length).toBeGreaterThan(0);
		for (const { status } of answers) expect(status).toBe(202);
		const ids = new Set((await Promise.all(answers.map(json))).map(({ id }) => id));
		expect(ids.size).toBe(1);
		expect(await picturesIn(apis[0])).toHaveLength(1);
		expect(await apis[0].keys()).toHaveLength(3);
	});
});
