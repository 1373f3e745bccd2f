import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeEndpoint } from '../../../src/webhooks/endpoint.ts';
import { writeEndpoint } from '../../../src/webhooks/endpoint-store.ts';
import { form, json, startTestApi, type TestApi, untilFinished } from '../../helpers/api.ts';
import { startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { says } from '../../helpers/remote.ts';
import { isSignedWith, secret, startSink, webhooksToHere } from '../../helpers/sink.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

type Asks = Pick<TestApi, 'url'>;

async function send(api: Asks, method: string, path: string, body?: object) {
	const headers = { 'content-type': 'application/json' };
	const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
	const response = await fetch(`${api.url}${path}`, init);
	return { status: response.status, body: response.status === 204 ? undefined : await json(response) };
}

/** Uploads a picture. @returns its id */
async function upload(api: Asks, file = bytes, ...fields: [string, string][]): Promise<string> {
	const response = await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', file]], ...fields) });
	const body = await json(response);
	expect([response.status, body.code]).toEqual([202, undefined]);
	return body.id;
}

async function started(environment: Record<string, string> = {}) {
	const api = await startTestApi({ ...webhooksToHere, PICPIPE_DEFAULT_RECIPE: 'avatar', ...environment });
	await api.startWorker();
	return { api, sink: await startSink() };
}

/** The deliveries of an endpoint, when there is one in this state. */
async function untilDelivery(api: Asks, endpoint: string, state: string) {
	const list = async () => (await send(api, 'GET', `/v1/webhooks/${endpoint}/deliveries?state=${state}`)).body;
	await expect.poll(async () => (await list()).deliveries.length, { timeout: 15_000, interval: 25 }).toBeGreaterThan(0);
	return (await list()).deliveries;
}

describe('a webhook endpoint', () => {
	it('receives ready, failed and deleted events; signed, each with its own id', async () => {
		const { api, sink } = await started();
		const made = await send(api, 'POST', '/v1/webhooks', { url: `${sink.url}/hook?token=1`, description: 'shop' });
		expect(made).toMatchObject({ status: 201, body: { state: 'enabled', url: `${sink.url}/hook?…` } });
		expect(made.body.events).toEqual(expect.arrayContaining(['picture.ready', 'picture.failed', 'picture.deleted']));

		const good = await upload(api, bytes, ['tags', 'holiday']);
		const broken = await upload(api, bytes.subarray(0, 3_000));
		const [ready] = await sink.expectMessages('picture.ready', good);
		const [failed] = await sink.expectMessages('picture.failed', broken);
		expect(ready?.message.data).toMatchObject({
			state: 'ready',
			owner: 'local',
			tags: ['holiday'],
			source: { filename: 'a.jpg' },
		});
		expect(ready?.message.data.variants.length).toBeGreaterThan(0);
		const [variant] = ready?.message.data.variants ?? [];
		expect((await fetch(`${api.url}${variant.url}`)).status).toBe(200);
		expect(failed?.message.data).toMatchObject({ state: 'failed', failure: { class: 'corrupt' } });

		expect((await send(api, 'DELETE', `/v1/pictures/${good}`)).status).toBe(204);
		const [deleted] = await sink.expectMessages('picture.deleted', good);
		expect(deleted?.message.data).toEqual({ id: good });
		expect(new Set(sink.received.map(({ id }) => id)).size).toBe(3);
		for (const one of sink.received) {
			expect(isSignedWith(made.body.secret, one)).toBe(true);
			expect(isSignedWith(secret(), one)).toBe(false);
		}
	});

	it('receives another message when a picture is processed again', async () => {
		const { api, sink } = await started();
		await send(api, 'POST', '/v1/webhooks', { url: sink.url, events: ['picture.ready'] });
		const id = await upload(api);
		await sink.expectMessages('picture.ready', id);
		const again = () => send(api, 'POST', `/v1/pictures/${id}/process`, { force: true });
		// The job that is told of may not have ended itself.
		await expect.poll(async () => (await again()).status, { timeout: 10_000 }).toBe(202);
		const both = await sink.expectMessages('picture.ready', id, 2);
		expect(new Set(both.map((one) => one.id)).size).toBe(2);
	});

	it('receives only the events it subscribes to, and none while it is disabled', async () => {
		const { api, sink } = await started();
		const { body: failures } = await send(api, 'POST', '/v1/webhooks', { url: sink.url, events: ['picture.failed'] });
		const other = await startSink();
		const { body: all } = await send(api, 'POST', '/v1/webhooks', { url: other.url });
		const [good, broken] = [await upload(api), await upload(api, bytes.subarray(0, 3_000))];
		await other.expectMessages('picture.ready', good);
		await sink.expectMessages('picture.failed', broken);
		expect(sink.received).toHaveLength(1);

		expect((await send(api, 'POST', `/v1/webhooks/${failures.id}/disable`)).body).toMatchObject({
			state: 'disabled',
			disabled: { reason: 'asked' },
		});
		// The list of endpoints that a worker has is at most two seconds old; what is on its way is told to nobody either.
		const second = await upload(api, bytes.subarray(0, 3_000));
		await other.expectMessages('picture.failed', second);
		expect(sink.received).toHaveLength(1);
		expect((await send(api, 'POST', `/v1/webhooks/${failures.id}/enable`)).body).toMatchObject({ state: 'enabled' });
		expect((await send(api, 'GET', '/v1/webhooks')).body.webhooks.map(({ id }: { id: string }) => id)).toEqual([
			failures.id,
			all.id,
		]);
	});

	it('gets another secret, and both sign for a time', async () => {
		const { api, sink } = await started();
		const { body: made } = await send(api, 'POST', '/v1/webhooks', { url: sink.url });
		const own = secret();
		const rotated = await send(api, 'POST', `/v1/webhooks/${made.id}/rotate-secret`, { secret: own });
		expect(rotated).toMatchObject({ status: 200, body: { secret: own } });
		expect(rotated.body.secrets).toHaveLength(2);
		const [first] = await sink.expectMessages('picture.ready', await upload(api));
		for (const one of [made.secret, own]) expect(first && isSignedWith(one, first)).toBe(true);

		const { body: last } = await send(api, 'POST', `/v1/webhooks/${made.id}/rotate-secret`, { keepOldFor: 0 });
		const [second] = await sink.expectMessages('picture.ready', await upload(api));
		expect(second && isSignedWith(last.secret, second)).toBe(true);
		for (const one of [made.secret, own]) expect(second && isSignedWith(one, second)).toBe(false);
		const shown = JSON.stringify((await send(api, 'GET', `/v1/webhooks/${made.id}`)).body);
		for (const one of [made.secret, own, last.secret]) expect(shown).not.toContain(one.slice(10));
	});

	it('that is gone for good (410) is disabled; enabled again it can receive what it missed', async () => {
		const { api, sink } = await started();
		const { body: made } = await send(api, 'POST', '/v1/webhooks', { url: sink.url });
		sink.answer(says(410));
		const id = await upload(api);
		await sink.expectMessages('picture.ready', id);
		const path = `/v1/webhooks/${made.id}`;
		await expect
			.poll(async () => (await send(api, 'GET', path)).body.disabled?.reason, { timeout: 10_000 })
			.toBe('gone');
		const [failed] = await untilDelivery(api, made.id, 'failed');
		expect(failed).toMatchObject({ type: 'picture.ready', pictureId: id, attempts: [{ number: 1, status: 410 }] });
		expect(await send(api, 'POST', `${failed.links.replay}`)).toMatchObject({
			status: 409,
			body: { code: 'webhook-disabled' },
		});
		sink.answer(says(200));
		await send(api, 'POST', `${path}/enable`);
		expect(await send(api, 'POST', `${path}/replay`)).toMatchObject({ status: 202, body: { replayed: 1 } });
		const [first, second] = await sink.expectMessages('picture.ready', id, 2);
		expect([second?.id, second?.body]).toEqual([first?.id, first?.body]);
	});

	it('that was deleted receives nothing more, and nothing of it is left', async () => {
		const { api, sink } = await started();
		const { body: made } = await send(api, 'POST', '/v1/webhooks', { url: sink.url });
		sink.answer(says(500));
		const id = await upload(api);
		await sink.expectMessages('picture.ready', id);
		expect((await send(api, 'DELETE', `/v1/webhooks/${made.id}`)).status).toBe(204);
		for (const path of ['', '/deliveries', `/deliveries/msg_${'0'.repeat(32)}`]) {
			expect(await send(api, 'GET', `/v1/webhooks/${made.id}${path}`)).toMatchObject({
				status: 404,
				body: { code: 'webhook-not-found' },
			});
		}
		const left: string[] = [];
		for await (const key of api.storage.list('webhooks/')) left.push(key);
		expect(left).toEqual([]);
	});
});

describe('deliveries', () => {
	it('are in the log, with each attempt, and can be replayed after delivery, with the same id', async () => {
		const { api, sink } = await started({ PICPIPE_WEBHOOK_SCHEDULE: '1,1,1' });
		const { body: made } = await send(api, 'POST', '/v1/webhooks', { url: sink.url });
		sink.answer((request, response, at) =>
			says(at < 3 ? 503 : 200, at === 1 ? { 'retry-after': '2' } : {})(request, response),
		);
		const started1 = performance.now();
		const id = await upload(api);
		const three = await sink.expectMessages('picture.ready', id, 3);
		// Retry-After of two seconds, then the schedule's one.
		expect(performance.now() - started1).toBeGreaterThan(2_700);
		expect(new Set(three.map((one) => one.id)).size).toBe(1);
		const [delivery] = await untilDelivery(api, made.id, 'delivered');
		expect(delivery.attempts.map(({ status }: { status: number }) => status)).toEqual([503, 503, 200]);
		const { body: shown } = await send(api, 'GET', delivery.links.self);
		expect(shown.body).toEqual(three[0]?.message);
		expect(await send(api, 'POST', delivery.links.replay)).toMatchObject({ status: 202, body: { state: 'waiting' } });
		const four = await sink.expectMessages('picture.ready', id, 4);
		expect(four[3]).toMatchObject({ id: four[0]?.id, body: four[0]?.body });
		expect((await send(api, 'GET', `/v1/webhooks/${made.id}/deliveries/msg_${'0'.repeat(32)}`)).body.code).toBe(
			'delivery-not-found',
		);
	});

	it('are listed in pages, newest first, up to the configured number', async () => {
		const { api, sink } = await started({ PICPIPE_WEBHOOK_LOG: '3' });
		const { body: made } = await send(api, 'POST', '/v1/webhooks', { url: sink.url });
		const ids: string[] = [];
		for (let number = 0; number < 4; number++) {
			ids.push(await upload(api));
			await sink.expectMessages('picture.ready', ids[number] ?? '');
		}
		const page = async (cursor: string) =>
			(await send(api, 'GET', `/v1/webhooks/${made.id}/deliveries?limit=2${cursor}`)).body;
		await expect.poll(async () => (await page('')).deliveries[0]?.pictureId, { timeout: 5_000 }).toBe(ids[3]);
		const first = await page('');
		const second = await page(`&cursor=${first.next}`);
		const found = [...first.deliveries, ...second.deliveries].map(({ pictureId }) => pictureId);
		expect(found).toEqual([ids[3], ids[2], ids[1]]);
		expect(second.next).toBeUndefined();
	});
});

describe('a webhook of an upload', () => {
	it('receives only the events of that picture, uploaded as a file or a URL, signed with the configured secrets', async () => {
		const [first, second] = [secret(), secret()];
		const { api, sink } = await started({
			PICPIPE_WEBHOOK_SECRETS: `${first},${second}`,
			PICPIPE_FETCH_NETWORKS: '127.0.0.0/8',
			PICPIPE_FETCH_PORTS: '*',
		});
		const own = `${sink.url}/own?token=secret`;
		const id = await upload(api, bytes, ['webhook', own]);
		await untilFinished(api, await upload(api));
		const shown = (await send(api, 'GET', `/v1/pictures/${id}`)).body;
		expect(shown.webhook).toBe(`${sink.url}/own?…`);
		const [ready] = await sink.expectMessages('picture.ready', id);
		expect(ready?.path).toBe('/own?token=secret');
		for (const one of [first, second]) expect(ready && isSignedWith(one, ready)).toBe(true);
		expect(ready?.body).not.toContain('token=secret');

		const original = `${api.url}/v1/pictures/${id}/original`;
		const fetched = await send(api, 'POST', '/v1/pictures', { url: original, webhook: own });
		expect(fetched.status).toBe(202);
		await sink.expectMessages('picture.ready', fetched.body.id);
		expect(new Set(sink.received.map(({ message }) => message.data.id))).toEqual(new Set([id, fetched.body.id]));
		const [delivery] = await untilDelivery(api, 'picture', 'delivered');
		expect(delivery.url).toBe(`${sink.url}/own?…`);
	});

	it('is refused without secrets, in a forbidden network, and with an upload token', async () => {
		const { api, sink } = await started();
		const refusal = async (at: Asks, webhook: string) => {
			const body = form([['a.jpg', bytes]], ['webhook', webhook]);
			const response = await fetch(`${at.url}/v1/pictures`, { method: 'POST', body });
			const byUrl = await send(at, 'POST', '/v1/pictures', { url: 'https://example.org/a.jpg', webhook });
			const { code } = await json(response);
			expect([byUrl.status, byUrl.body.code]).toEqual([response.status, code]);
			return [response.status, code];
		};
		expect(await refusal(api, sink.url)).toEqual([422, 'webhook-unsigned']);
		expect(await api.keys()).toEqual([]);
		const guarded = await startTestApi({ PICPIPE_WEBHOOK_SECRETS: secret() });
		expect(await refusal(guarded, 'http://127.0.0.1/')).toEqual([422, 'address-not-allowed']);
		expect(await refusal(guarded, 'http://169.254.169.254/latest')).toEqual([422, 'address-not-allowed']);
		expect(await refusal(guarded, 'https://example.org:22/')).toEqual([422, 'url-not-allowed']);
		expect(await refusal(guarded, 'ftp://example.org/')).toEqual([422, 'url-unsupported']);
		const { body } = await send(guarded, 'POST', '/v1/upload-tokens', {});
		const token = await fetch(`${guarded.url}/v1/pictures?webhook=https://example.org`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg', authorization: `Bearer ${body.token}` },
		});
		expect(await json(token)).toMatchObject({ code: expect.stringMatching(/fixed-by-token|invalid-upload-token/) });
	});
});

describe('the configured endpoint', () => {
	it('receives every event, can be disabled, and is changed only in the configuration', async () => {
		const sink = await startSink();
		const own = secret();
		const { api } = await started({ PICPIPE_WEBHOOK_URL: `${sink.url}/all`, PICPIPE_WEBHOOK_SECRETS: own });
		const id = await upload(api);
		const [ready] = await sink.expectMessages('picture.ready', id);
		expect(ready && isSignedWith(own, ready)).toBe(true);
		expect((await send(api, 'GET', '/v1/webhooks/setting')).body).toMatchObject({ id: 'setting', state: 'enabled' });
		expect(await send(api, 'DELETE', '/v1/webhooks/setting')).toMatchObject({
			status: 409,
			body: { code: 'webhook-fixed' },
		});
		expect((await send(api, 'POST', '/v1/webhooks/setting/disable')).body.state).toBe('disabled');
	});
});

describe('calls about webhooks', () => {
	it('require a key with the scope admin', async () => {
		const { ask } = await startKeyedApi({ upload: { scopes: ['upload'] }, admin: {} });
		expect((await ask('upload', '/v1/webhooks')).status).toBe(403);
		expect((await ask('admin', '/v1/webhooks')).status).toBe(200);
	});

	it('refuse invalid input with a sentence', async () => {
		const api = await startTestApi();
		const refusals = {
			'expected a URL': [{}, 'invalid-field'],
			'private network': [{ url: 'http://10.0.0.1/' }, 'address-not-allowed'],
			'no such event': [{ url: 'https://example.org', events: ['picture.lost'] }, 'invalid-field'],
			'a short secret': [{ url: 'https://example.org', secret: 'whsec_AAAA' }, 'invalid-field'],
			'no such field': [{ url: 'https://example.org', colour: 'red' }, 'unknown-field'],
		} as const;
		for (const [what, [body, code]] of Object.entries(refusals)) {
			expect([what, (await send(api, 'POST', '/v1/webhooks', body)).body.code]).toEqual([what, code]);
		}
		for (let number = 0; number < 100; number++)
			await writeEndpoint(api.storage, makeEndpoint({ url: 'https://example.org/' }));
		expect(await send(api, 'POST', '/v1/webhooks', { url: 'https://example.org' })).toMatchObject({
			status: 409,
			body: { code: 'too-many-webhooks' },
		});
	});
});

describe('a wrong secret', () => {
	it('is not told again', async () => {
		const { api } = await started();
		const made = await send(api, 'POST', '/v1/webhooks', { url: 'https://example.org/' });
		const wrong = 'whsec_c2VjcmV0IHRoYXQgaXMgdG9vIHNob3J0';
		for (const value of [`${wrong}!`, [wrong], { [wrong]: 1 }, wrong.repeat(10)]) {
			for (const path of ['/v1/webhooks', `/v1/webhooks/${made.body.id}/rotate-secret`]) {
				const body = { ...(path === '/v1/webhooks' && { url: 'https://example.org/' }), secret: value };
				const answer = await send(api, 'POST', path, body);
				expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-field' } });
				expect(JSON.stringify(answer.body)).toContain('secret: ');
				expect(JSON.stringify(answer.body)).not.toContain(wrong.slice(6, 16));
			}
		}
		// Not even in part, as a parser of JSON would.
		const headers = { 'content-type': 'application/json' };
		const torn = await fetch(`${api.url}/v1/webhooks`, { method: 'POST', headers, body: `{"secret": ${wrong}}` });
		expect(torn.status).toBe(400);
		expect(await torn.text()).not.toContain(wrong.slice(0, 8));
	});
});

/** Whether a message has a `v1a` signature of this key: written from the specification, with nothing of ours. */
function isSignedBy(publicKey: string, { headers, body }: { headers: IncomingHttpHeaders; body: string }): boolean {
	const spki = Buffer.concat([
		Buffer.from('302a300506032b6570032100', 'hex'),
		Buffer.from(publicKey.replace(/^whpk_/, ''), 'base64'),
	]);
	const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
	const signed = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
	return String(headers['webhook-signature'])
		.split(' ')
		.filter((one) => one.startsWith('v1a,'))
		.some((one) => verify(null, signed, key, Buffer.from(one.slice('v1a,'.length), 'base64')));
}

describe('a test event', () => {
	it('is sent once, signed both ways, to an endpoint that subscribes to others, and is among its deliveries', async () => {
		const { api, sink } = await started();
		const made = await send(api, 'POST', '/v1/webhooks', { url: `${sink.url}/hook`, events: ['picture.failed'] });
		const { id, secret: first, publicKeys } = made.body;
		expect(publicKeys).toEqual([
			{ publicKey: expect.stringMatching(/^whpk_[\w+/]{43}=$/), createdAt: expect.any(String) },
		]);
		expect(JSON.stringify(made.body)).not.toContain('whsk_');

		const sent = await send(api, 'POST', `/v1/webhooks/${id}/test`);
		expect(sent).toMatchObject({ status: 202, body: { type: 'webhook.test', state: 'waiting' } });
		await expect.poll(() => sink.received.length, { timeout: 15_000 }).toBe(1);
		const [received] = sink.received;
		if (!received) throw new Error('nothing received');
		expect(received.message).toMatchObject({ type: 'webhook.test', data: { webhook: id } });
		expect(isSignedWith(first, received)).toBe(true);
		expect(isSignedBy(publicKeys[0].publicKey, received)).toBe(true);
		expect(isSignedBy(publicKeys[0].publicKey, { ...received, body: `${received.body} ` })).toBe(false);
		const [delivery] = await untilDelivery(api, id, 'delivered');
		expect(delivery).toMatchObject({ id: received.id, type: 'webhook.test', attempts: [{ number: 1, status: 204 }] });

		// Both keys sign during a rotation; afterwards only the new one.
		const rotated = await send(api, 'POST', `/v1/webhooks/${id}/rotate-secret`, { keepOldFor: 600 });
		expect(rotated.body.publicKeys).toHaveLength(2);
		await send(api, 'POST', `/v1/webhooks/${id}/test`);
		await expect.poll(() => sink.received.length, { timeout: 15_000 }).toBe(2);
		for (const { publicKey } of rotated.body.publicKeys)
			expect(isSignedBy(publicKey, sink.received[1] as typeof received)).toBe(true);
		const last = await send(api, 'POST', `/v1/webhooks/${id}/rotate-secret`, { keepOldFor: 0 });
		await send(api, 'POST', `/v1/webhooks/${id}/test`);
		await expect.poll(() => sink.received.length, { timeout: 15_000 }).toBe(3);
		expect(last.body.publicKeys).toHaveLength(1);
		expect(isSignedBy(last.body.publicKeys[0].publicKey, sink.received[2] as typeof received)).toBe(true);
		expect(isSignedBy(publicKeys[0].publicKey, sink.received[2] as typeof received)).toBe(false);
	});

	it('that is refused is tried once and disables nothing; a disabled endpoint gets none', async () => {
		const { api, sink } = await started();
		sink.answer(says(410));
		const { id } = (await send(api, 'POST', '/v1/webhooks', { url: `${sink.url}/hook` })).body;
		await send(api, 'POST', `/v1/webhooks/${id}/test`);
		const [failed] = await untilDelivery(api, id, 'failed');
		expect(failed.attempts).toMatchObject([{ number: 1, status: 410, error: { code: 'webhook-gone' } }]);
		expect((await send(api, 'GET', `/v1/webhooks/${id}`)).body.state).toBe('enabled');
		await send(api, 'POST', `/v1/webhooks/${id}/disable`);
		const refused = await send(api, 'POST', `/v1/webhooks/${id}/test`);
		expect(refused).toMatchObject({ status: 409, body: { code: 'webhook-disabled' } });
		for (const other of ['picture', 'setting', 'hook_nothing'])
			expect((await send(api, 'POST', `/v1/webhooks/${other}/test`)).status).toBe(404);
		expect(sink.received).toHaveLength(1);
	});
});

describe('messages to the endpoint of the settings', () => {
	it('are signed by its keys, and name the request that caused them', async () => {
		const sink = await startSink();
		const { publicKey, privateKey } = generateKeyPairSync('ed25519');
		const last32 = (der: Buffer) => der.subarray(-32).toString('base64');
		const environment = {
			...webhooksToHere,
			PICPIPE_DEFAULT_RECIPE: 'avatar',
			PICPIPE_WEBHOOK_URL: `${sink.url}/hook`,
			PICPIPE_WEBHOOK_SECRETS: secret(),
			PICPIPE_WEBHOOK_SIGNING_KEYS: `whsk_${last32(privateKey.export({ format: 'der', type: 'pkcs8' }))}`,
		};
		const api = await startTestApi(environment);
		await api.startWorker();
		const shown = (await send(api, 'GET', '/v1/webhooks/setting')).body.publicKeys;
		expect(shown).toEqual([{ publicKey: `whpk_${last32(publicKey.export({ format: 'der', type: 'spki' }))}` }]);

		const ask = async (method: string, path: string, body?: FormData) => {
			const response = await fetch(`${api.url}${path}`, { method, ...(body && { body }) });
			return { requestId: response.headers.get('x-request-id'), body: method === 'DELETE' ? {} : await json(response) };
		};
		const uploaded = await ask('POST', '/v1/pictures', form([['a.jpg', bytes]]));
		const { id } = uploaded.body;
		const [ready] = await sink.expectMessages('picture.ready', id);
		expect(ready?.headers['x-request-id']).toBe(uploaded.requestId);
		expect(isSignedBy(shown[0].publicKey, ready as NonNullable<typeof ready>)).toBe(true);
		const again = await ask('POST', `/v1/pictures/${id}/process?`, undefined);
		expect(again.requestId).not.toBe(uploaded.requestId);
		const deleted = await ask('DELETE', `/v1/pictures/${id}`);
		const [told] = await sink.expectMessages('picture.deleted', id);
		expect(told?.headers['x-request-id']).toBe(deleted.requestId);
	});
});
