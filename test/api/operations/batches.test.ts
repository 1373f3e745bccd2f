import { beforeAll, describe, expect, it } from 'vitest';
import { createFinished, readFinished } from '../../../src/catalog/batch.ts';
import { purgePicture, readManifest } from '../../../src/catalog/manifest.ts';
import { newBatchId } from '../../../src/domain/batch.ts';
import { newPictureId } from '../../../src/domain/picture.ts';
import { batchKeys, openBatchKey, pendingKey } from '../../../src/storage/keys.ts';
import { form, json, startTestApi, type TestApi, untilFinished } from '../../helpers/api.ts';
import { bearer, startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { says, sends, startRemote } from '../../helpers/remote.ts';
import { isSignedWith, type Received, type Sink, secret, startSink, webhooksToHere } from '../../helpers/sink.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

const key = secret();
const settings = {
	...webhooksToHere,
	PICPIPE_WEBHOOK_SECRETS: key,
	PICPIPE_FETCH_NETWORKS: '127.0.0.0/8',
	PICPIPE_FETCH_PORTS: '*',
	PICPIPE_DEFAULT_RECIPE: 'avatar',
};

/** An api that has its connection to Redis: counts are the index's. */
async function startApi(): Promise<TestApi> {
	const api = await startTestApi(settings);
	await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status, { timeout: 10_000 }).toBe(200);
	return api;
}

async function send(api: Pick<TestApi, 'url'>, method: string, path: string, body?: object, headers = {}) {
	const init = { method, headers: { 'content-type': 'application/json', ...headers } };
	const response = await fetch(`${api.url}${path}`, { ...init, ...(body && { body: JSON.stringify(body) }) });
	return { status: response.status, body: response.status === 204 ? undefined : await json(response) };
}

async function newBatch(api: TestApi, wishes: object = {}) {
	const { status, body } = await send(api, 'POST', '/v1/batches', wishes);
	expect([status, body.code]).toEqual([201, undefined]);
	return body;
}

async function upload(api: TestApi, batch: string, file = bytes) {
	const body = form([['a.jpg', file]], ['batch', batch]);
	const response = await fetch(`${api.url}/v1/pictures`, { method: 'POST', body });
	return { status: response.status, body: await json(response) };
}

/** Messages about the end of a batch so far. */
function endsOf(sink: Sink, id: string): Received[] {
	return sink.received.filter(({ message }) => message.type === 'batch.finished' && message.data.id === id);
}

async function show(api: TestApi, id: string, prefer?: string) {
	return (await send(api, 'GET', `/v1/batches/${id}`, undefined, prefer === undefined ? {} : { prefer })).body;
}

describe('a batch', () => {
	it('accepts forms, bodies and URLs, counts them, and finishes when it is closed and all have ended', {
		timeout: 60_000,
	}, async () => {
		const api = await startApi();
		const [sink, remote] = [await startSink(), await startRemote(sends(bytes))];
		const made = await newBatch(api, { name: 'summer', webhook: `${sink.url}/batch` });
		expect(made).toMatchObject({ state: 'open', name: 'summer', counts: { total: 0 } });
		const two = form(
			[
				['a.jpg', bytes],
				['b.jpg', bytes.subarray(0, 3_000)],
			],
			['batch', made.id],
		);
		expect((await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: two })).status).toBe(202);
		const raw = await fetch(`${api.url}/v1/pictures?batch=${made.id}`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg' },
		});
		expect(await json(raw)).toMatchObject({ batch: made.id });
		const fetched = await send(api, 'POST', '/v1/pictures', { url: `${remote.url}/c.jpg`, batch: made.id });
		expect(fetched.status).toBe(202);
		const none = { processing: 0, ready: 0, failed: 0, withFailures: 0 };
		expect((await show(api, made.id)).counts).toEqual({ ...none, queued: 4, total: 4 });

		await api.startWorker();
		await expect
			.poll(async () => (await show(api, made.id)).counts, { timeout: 30_000 })
			.toMatchObject({
				ready: 3,
				failed: 1,
			});
		expect(endsOf(sink, made.id), 'it is still open').toEqual([]);
		expect((await send(api, 'POST', `/v1/batches/${made.id}/close`)).body).toMatchObject({
			state: 'finished',
			closed: { reason: 'asked' },
			finished: { ready: 3, failed: 1 },
		});
		await expect.poll(() => endsOf(sink, made.id).length, { timeout: 10_000 }).toBe(1);
		const [end] = endsOf(sink, made.id);
		expect(end && isSignedWith(key, end)).toBe(true);
		expect(end).toMatchObject({ path: '/batch', message: { data: { name: 'summer', ready: 3, failed: 1 } } });
		const { pictures } = (await send(api, 'GET', end?.message.data.links.pictures)).body;
		expect(pictures).toHaveLength(4);
		const failed = (await send(api, 'GET', `/v1/pictures?batch=${made.id}&state=failed`)).body.pictures;
		expect(failed).toHaveLength(1);
		// Nothing but the facts is left of it.
		const left: string[] = [];
		for await (const one of api.storage.list('batches/')) left.push(one);
		const { batch, closed, finished } = batchKeys(made.id);
		expect(left.sort()).toEqual([batch, closed, finished].sort());
		expect(await api.storage.stat(openBatchKey(made.id))).toBeUndefined();
	});

	it('that is closed early finishes once, with its last picture', { timeout: 60_000 }, async () => {
		const api = await startApi();
		const sink = await startSink();
		await send(api, 'POST', '/v1/webhooks', { url: sink.url, events: ['batch.finished'] });
		const { id } = await newBatch(api);
		for (let number = 0; number < 6; number++) await upload(api, id);
		expect((await send(api, 'POST', `/v1/batches/${id}/close`)).body.state).toBe('closed');
		await api.startWorker();
		expect(await show(api, id, 'wait=30')).toMatchObject({ state: 'finished', finished: { ready: 6, failed: 0 } });
		await expect.poll(() => endsOf(sink, id).length, { timeout: 10_000 }).toBe(1);
		// Processed again, closed again, looked after again: it has ended.
		const { pictures } = (await send(api, 'GET', `/v1/pictures?batch=${id}`)).body;
		const again = () => send(api, 'POST', `/v1/pictures/${pictures[0].id}/process`, { force: true });
		// The job that ended the batch may not have ended itself.
		await expect.poll(async () => (await again()).status, { timeout: 10_000 }).toBe(202);
		await expect
			.poll(async () => (await send(api, 'GET', `/v1/pictures/${pictures[0].id}`)).body.revision, { timeout: 15_000 })
			.toBe(4);
		await send(api, 'POST', `/v1/batches/${id}/close`);
		await api.sweep();
		expect(sink.received.map(({ message }) => message.type)).toEqual(['batch.finished']);
	});

	it('closes by itself at the expected number and accepts no more', { timeout: 60_000 }, async () => {
		const api = await startApi();
		await api.startWorker();
		const { id } = await newBatch(api, { expect: 2 });
		expect((await upload(api, id)).status).toBe(202);
		expect((await show(api, id)).state).toBe('open');
		expect((await upload(api, id)).status).toBe(202);
		expect(await upload(api, id)).toMatchObject({ status: 409, body: { code: 'batch-closed' } });
		expect(await show(api, id, 'wait=30')).toMatchObject({
			state: 'finished',
			closed: { reason: 'expected' },
			finished: { ready: 2 },
			counts: { total: 2 },
		});
	});

	it('can be created with URLs and closed at once; a repeated request with its key returns the same batch', {
		timeout: 60_000,
	}, async () => {
		const api = await startApi();
		const remote = await startRemote((request, response) =>
			(request.url === '/missing' ? says(404) : sends(bytes))(request, response),
		);
		const wishes = {
			urls: [`${remote.url}/1`, `${remote.url}/missing`, 'ftp://example.org/a'],
			tags: ['many'],
			close: true,
		};
		const headers = { 'idempotency-key': '"import-1"' };
		const first = await send(api, 'POST', '/v1/batches', wishes, headers);
		expect(first).toMatchObject({ status: 201, body: { state: 'closed', counts: { queued: 2 } } });
		expect(first.body.pictures.map(({ batch, tags }: { batch: string; tags: string[] }) => [batch, tags])).toEqual([
			[first.body.id, ['many']],
			[first.body.id, ['many']],
		]);
		expect(first.body.refused).toMatchObject([{ url: 'ftp://example.org/a', problem: { code: 'url-unsupported' } }]);
		const second = await send(api, 'POST', '/v1/batches', wishes, headers);
		expect(second.body).toMatchObject({ id: first.body.id, counts: { total: 2 } });
		await api.startWorker();
		expect(await show(api, first.body.id, 'wait=30')).toMatchObject({
			state: 'finished',
			finished: { ready: 1, failed: 1 },
		});
	});

	it('can be completed by upload tokens and resumable uploads', { timeout: 60_000 }, async () => {
		const { api, ask, keys } = await startKeyedApi({ all: {}, upload: { scopes: ['upload'] } }, settings);
		const as = (name: 'all' | 'upload', path: string, body?: object) =>
			ask(name, path, {
				method: 'POST',
				headers: { 'content-type': 'application/json' },
				body: JSON.stringify(body ?? {}),
			}).then(json);
		const { id } = await as('upload', '/v1/batches', { expect: 2 });
		const { token } = await as('upload', '/v1/upload-tokens', { batch: id });
		const withToken = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: form([['a.jpg', bytes]]),
			headers: bearer(token),
		});
		expect(await json(withToken)).toMatchObject({ batch: id });
		const foreign = await fetch(`${api.url}/v1/batches`, { method: 'POST', headers: bearer(token) });
		expect(await json(foreign)).toMatchObject({ code: 'insufficient-scope' });
		const metadata = `batch ${Buffer.from(id).toString('base64')}`;
		const resumable = await fetch(`${api.url}/v1/uploads`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: {
				...bearer(keys.all),
				'tus-resumable': '1.0.0',
				'upload-length': String(bytes.length),
				'upload-metadata': metadata,
				'content-type': 'application/offset+octet-stream',
			},
		});
		expect(await json(resumable)).toMatchObject({ state: 'complete' });
		const shown = await json(await ask('all', `/v1/batches/${id}`));
		expect(shown).toMatchObject({ state: 'closed', counts: { total: 2 } });
		const late = await fetch(`${api.url}/v1/uploads`, {
			method: 'POST',
			headers: { ...bearer(keys.all), 'tus-resumable': '1.0.0', 'upload-length': '9', 'upload-metadata': metadata },
		});
		expect(await json(late)).toMatchObject({ code: 'batch-closed' });
	});

	it('does not wait for deleted pictures', { timeout: 60_000 }, async () => {
		const api = await startApi();
		const { id } = await newBatch(api);
		const pictures = [(await upload(api, id)).body.id, (await upload(api, id)).body.id];
		await send(api, 'POST', `/v1/batches/${id}/close`);
		expect((await send(api, 'DELETE', `/v1/pictures/${pictures[0]}`)).status).toBe(204);
		expect((await show(api, id)).state).toBe('closed');
		expect((await send(api, 'DELETE', `/v1/pictures/${pictures[1]}`)).status).toBe(204);
		expect(await show(api, id)).toMatchObject({ state: 'finished', finished: { ready: 0, failed: 0 } });
	});

	it('refuses invalid requests', async () => {
		const api = await startApi();
		expect(await upload(api, newBatchId())).toMatchObject({ status: 400, body: { code: 'unknown-batch' } });
		expect(await upload(api, 'summer')).toMatchObject({ status: 400, body: { code: 'invalid-field' } });
		expect(await send(api, 'GET', `/v1/batches/${newBatchId()}`)).toMatchObject({
			status: 404,
			body: { code: 'batch-not-found' },
		});
		const { id } = await newBatch(api);
		await send(api, 'POST', `/v1/batches/${id}/close`);
		expect(await upload(api, id)).toMatchObject({ status: 409, body: { code: 'batch-closed' } });
		const byUrl = await send(api, 'POST', '/v1/pictures', { url: 'https://example.org/a.jpg', batch: id });
		expect(byUrl).toMatchObject({ status: 409, body: { code: 'batch-closed' } });
		expect(await api.keys()).toEqual([]);
		for (const wishes of [{ expect: 0 }, { close: true }, { urls: [] }, { webhook: 'http://10.0.0.1/' }, { colour: 1 }])
			expect((await send(api, 'POST', '/v1/batches', wishes)).status).toBeGreaterThanOrEqual(400);
	});
});

describe('after a crash', () => {
	/** A closed batch of two pictures, one ready and one that waits. */
	async function closed() {
		const api = await startApi();
		const sink = await startSink();
		const { id } = await newBatch(api, { webhook: sink.url });
		const worker = await api.startWorker();
		const ready = (await upload(api, id)).body.id;
		await untilFinished(api, ready);
		await worker.stop();
		const waiting = (await upload(api, id)).body.id;
		await send(api, 'POST', `/v1/batches/${id}/close`);
		return { api, sink, id, ready, waiting };
	}

	it('the counts return with the index, and the sweep publishes the end', { timeout: 60_000 }, async () => {
		const { api, sink, id, waiting } = await closed();
		await api.loseIndex();
		expect((await show(api, id)).counts.total).toBe(0);
		expect(await api.sweep()).toMatchObject({ batches: 0 });
		expect(await api.reindex()).toMatchObject({ pictures: 2 });
		expect((await show(api, id)).counts).toMatchObject({ queued: 1, ready: 1, total: 2 });
		// As a picture that ended while nobody looked whether it was the last.
		const picture = await readManifest(api.storage, waiting);
		await purgePicture(api.storage, String(picture?.id));
		expect(await api.reindex()).toMatchObject({ pictures: 1 });
		expect(await api.sweep()).toMatchObject({ batches: 1 });
		await api.startWorker();
		await expect.poll(() => endsOf(sink, id).length, { timeout: 10_000 }).toBe(1);
	});

	it('an end that was written but not published is published', { timeout: 60_000 }, async () => {
		const { api, sink, id } = await closed();
		const at = new Date().toISOString();
		await createFinished(api.storage, id, { version: 1, at, ready: 2, failed: 0 });
		expect(await api.sweep()).toMatchObject({ batches: 1 });
		expect(await api.sweep()).toMatchObject({ batches: 0 });
		await api.startWorker();
		await expect.poll(() => endsOf(sink, id).length, { timeout: 10_000 }).toBe(1);
		expect(endsOf(sink, id)[0]?.message).toMatchObject({ timestamp: at, data: { ready: 2 } });
	});

	it('a picture that is being uploaded is waited for, and one that never arrived is not', async () => {
		const api = await startApi();
		const { id } = await newBatch(api);
		const pictureId = newPictureId();
		await api.storage.put(pendingKey(pictureId), Buffer.from('\n'));
		await api.storage.put(batchKeys(id).picture(pictureId), Buffer.from('\n'));
		expect((await send(api, 'POST', `/v1/batches/${id}/close`)).body.state).toBe('closed');
		expect(await api.sweep()).toMatchObject({ batches: 0 });
		expect(await readFinished(api.storage, id)).toBeUndefined();
		await api.storage.delete(pendingKey(pictureId));
		expect(await api.sweep()).toMatchObject({ batches: 1 });
		expect(await readFinished(api.storage, id)).toMatchObject({ ready: 0, failed: 0 });
	});

	it('a batch that was open for too long is closed', async () => {
		const api = await startApi();
		const { id } = await newBatch(api);
		const { batch } = batchKeys(id);
		const old = { version: 1, id, createdAt: new Date(Date.now() - 8 * 86_400_000).toISOString() };
		await api.storage.put(batch, Buffer.from(JSON.stringify(old)));
		expect(await api.sweep()).toMatchObject({ batches: 1 });
		expect(await show(api, id)).toMatchObject({ state: 'finished', closed: { reason: 'age' } });
	});
});
