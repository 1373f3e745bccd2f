import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { form, json, untilFinished } from '../helpers/api.ts';
import { connected } from '../helpers/connection.ts';
import { startForFaults, until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { startRedis } from '../helpers/redis.ts';
import { fetchesFromHere, says, sends, startRemote } from '../helpers/remote.ts';
import { placesOf } from '../helpers/search.ts';
import { endWithTest, shared } from '../helpers/shared.ts';
import { startSink } from '../helpers/sink.ts';
import { sendByTus } from '../helpers/tus.ts';

const headers = { 'content-type': 'application/json' };

const running = shared(async () => {
	const redis = await startRedis();
	endWithTest(() => redis.stop());
	const inbox = await temporaryFolder();
	const dieAfter = join(await temporaryFolder(), 'die-after');
	const picpipe = await startForFaults({
		REDIS_URL: redis.url,
		PICPIPE_RECIPES: fileURLToPath(new URL('purge-recipes.yaml', import.meta.url)),
		PICPIPE_WATCH: inbox,
		PICPIPE_WATCH_THEN: 'keep',
		PICPIPE_WATCH_SECONDS: '1',
		PICPIPE_WATCH_SETTLE_SECONDS: '1',
		...fetchesFromHere,
		PICPIPE_FETCH_SCHEMES: 'http,https',
		// One attempt is refused, and the next waits while a test looks.
		PICPIPE_WEBHOOK_SCHEDULE: '7200',
		PICPIPE_WEBHOOK_SECONDS: '5',
		NODE_OPTIONS: `--import ${new URL('die-after.mjs', import.meta.url).href}`,
		DIE_AFTER: dieAfter,
	});
	const { api, data } = await picpipe.ready();
	const refusing = await startSink();
	refusing.answer(says(503));
	await fetch(`${api}/v1/webhooks`, { method: 'POST', headers, body: JSON.stringify({ url: refusing.url }) });
	const client = await connected('producer', redis.url);
	return { redis, client, picpipe, api, data, inbox, dieAfter, refusing };
});

/** A photograph of its own, with a place in its EXIF. */
async function photo(name: string): Promise<Buffer> {
	return withComment(await photograph({ width: 160, height: 120, gps: true }), name);
}

async function post(path: string, body: RequestInit['body'], more: Record<string, string> = {}) {
	const { api } = running();
	const response = await fetch(`${api}${path}`, { method: 'POST', body: body ?? null, headers: more });
	return { status: response.status, body: await json(response), headers: response.headers };
}

function postRaw(name: string, bytes: Buffer, more: Record<string, string> = {}, query = '') {
	const fields = `filename=${name}.jpg&tags=${name}-tag${query}`;
	return post(`/v1/pictures?${fields}`, new Uint8Array(bytes), { 'content-type': 'image/jpeg', ...more });
}

function remove(id: string): Promise<Response> {
	return fetch(`${running().api}/v1/pictures/${id}`, { method: 'DELETE' });
}

async function countsOf(queue: string): Promise<Record<string, number>> {
	const { queues } = await json(await fetch(`${running().api}/v1/queues`));
	return queues.find(({ name }: { name: string }) => name === queue).counts;
}

async function untilIdle(queue: string): Promise<void> {
	await until(`${queue} is idle`, async () => {
		const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = await countsOf(queue);
		return waiting + prioritized + active + delayed === 0;
	});
}

/** The words and hashes by which a picture is found. */
async function wordsOf(id: string): Promise<string[]> {
	const { source, analysis } = await json(await fetch(`${running().api}/v1/pictures/${id}`));
	return [source.sha256, analysis?.phash, analysis?.thumbhash, analysis?.blurhash].filter(Boolean);
}

describe('a deleted picture', () => {
	it('leaves no word, hash or place in storage and Redis, however it was uploaded, while webhooks wait', {
		timeout: 240_000,
	}, async () => {
		const { picpipe, api, data, inbox, client, refusing } = running();
		const { sink } = picpipe;
		const batch = (await post('/v1/batches', JSON.stringify({ name: 'some' }), headers)).body.id;
		const bytes = await photo('planted-bytes');
		const webhook = encodeURIComponent(`${refusing.url}/own`);

		// One way each. The same bytes twice, so that records of one request name the picture of another.
		const key = { 'idempotency-key': '"key-raw"' };
		const raw = await postRaw('planted-raw', bytes, key, `&batch=${batch}&webhook=${webhook}`);
		expect(raw.status).toBe(202);
		const linkKey = { 'idempotency-key': '"key-link"' };
		// Duplicates are known once a worker has built the index of the new Redis.
		await until(
			'the index is complete',
			async () => (await postRaw('planted-link', bytes, linkKey, '&duplicates=link')).status === 200,
		);
		const linked = await postRaw('planted-link', bytes, linkKey, '&duplicates=link');
		expect(linked).toMatchObject({ status: 200, body: { id: raw.body.id } });
		const refusedKey = { 'idempotency-key': '"key-refused"' };
		expect(await postRaw('planted-refused', bytes, refusedKey, '&duplicates=refuse')).toMatchObject({ status: 409 });
		const files = [
			['planted-form1.jpg', await photo('planted-form1')],
			['planted-form2.jpg', await photo('planted-form2')],
		] as const;
		const formKey = { 'idempotency-key': '"key-form"' };
		const formOf = () => form(files, ['tags', 'planted-form-tag'], ['batch', batch]);
		const two = await post('/v1/pictures', formOf(), formKey);
		expect(two.status).toBe(202);
		const remote = await startRemote((request, response) =>
			request.url?.includes('missing') ? says(404)(request, response) : sends(files[0][1])(request, response),
		);
		const urls = [`${remote.url}/planted-url.jpg`, `${remote.url}/planted-missing.jpg`];
		const fetched = await post('/v1/pictures', JSON.stringify({ urls, tags: ['planted-url-tag'] }), {
			...headers,
			'idempotency-key': '"key-url"',
		});
		expect(fetched.status).toBe(202);
		const tus = await sendByTus(api, await photo('planted-tus'), {
			metadata: { filename: 'planted-tus.jpg', tags: 'planted-tus-tag' },
		});
		const tusLinked = await sendByTus(api, bytes, {
			metadata: { filename: 'planted-tus2.jpg', duplicates: 'link' },
		});
		expect(tusLinked.picture).toBe(raw.body.id);
		const broken = await postRaw('planted-broken', (await photo('planted-broken')).subarray(0, 2_000));
		await mkdir(join(inbox, 'planted-folder'));
		await writeFile(join(inbox, 'part'), await photo('planted-watched'));
		await rename(join(inbox, 'part'), join(inbox, 'planted-folder', 'planted-watched.jpg'));

		const listed = async () => (await json(await fetch(`${api}/v1/pictures?limit=50`))).pictures;
		await until('all have ended', async () => {
			const all = await listed();
			return all.length === 8 && all.every(({ state }: { state: string }) => /ready|failed/.test(state));
		});
		const all: { id: string; state: string }[] = await listed();
		const states = Object.fromEntries(all.map(({ id, state }) => [id, state]));
		expect(states).toMatchObject({ [raw.body.id]: 'ready', [tus.picture ?? '']: 'ready', [broken.body.id]: 'failed' });
		for (const { id } of all.filter(({ state }) => state === 'ready')) {
			expect((await fetch(`${api}/img/unsafe/w:40/plain/${id}@jpg`)).status).toBe(200);
		}
		// The receivers have refused, or have not answered yet.
		sink.answer(() => {});
		const hanging = await postRaw('planted-hanging', await photo('planted-hanging'));
		await sink.expectMessages('picture.ready', hanging.body.id);
		await refusing.expectMessages('picture.ready', raw.body.id, 2);
		const ids = [...all.map(({ id }) => id), hanging.body.id];
		const found = (await Promise.all(ids.map(wordsOf))).flat();
		const words = ['planted', '51.4777', ...found];
		const before = await placesOf(words, data, client);
		for (const place of ['idempotency/', 'uploads/', 'watched/', ':pictures:pic_', ':catalog:v8:tag:']) {
			expect(
				before.filter((one) => one.includes(place)),
				place,
			).not.toEqual([]);
		}
		for (const place of ['webhooks/outbox/', 'webhooks-log:', ':fetches:pic_', ':catalog:v8:picture:']) {
			expect(
				before.filter((one) => one.includes(place)),
				place,
			).not.toEqual([]);
		}

		for (const id of ids) expect((await remove(id)).status, id).toBe(204);
		// Deletions in the middle of everything else.
		for (let wait = 0; wait < 200; wait += 40) {
			const one = await postRaw(`planted-late${wait}`, await photo(`planted-late${wait}`));
			await new Promise((resolve) => setTimeout(resolve, wait));
			expect((await remove(one.body.id)).status).toBe(204);
		}
		const told = sink.received.length + refusing.received.length;
		for (const receiver of [sink, refusing]) receiver.answer(says(204));
		for (const id of ids) await refusing.expectMessages('picture.deleted', id);
		await untilIdle('pictures');
		await until('no delivery is open', async () => (await countsOf('webhooks')).active === 0);
		expect(await placesOf(words, data, client)).toEqual([]);

		const later = [...sink.received, ...refusing.received].slice(told);
		for (const { message } of later) {
			if (ids.includes(message.data.id))
				expect([message.type, message.data]).toEqual(['picture.deleted', { id: message.data.id }]);
		}
		// The batch of deleted pictures can still end.
		expect((await post(`/v1/batches/${batch}/close`, '', headers)).status).toBeLessThan(300);
		await refusing.expectMessages('batch.finished', batch);

		// Requests that are repeated.
		const gone = { status: 410, body: { code: 'picture-deleted' } };
		expect(await postRaw('planted-raw', bytes, key, `&batch=${batch}&webhook=${webhook}`)).toMatchObject(gone);
		expect(await postRaw('planted-link', bytes, linkKey, '&duplicates=link')).toMatchObject(gone);
		expect(await post('/v1/pictures', formOf(), formKey)).toMatchObject(gone);
		for (const { url } of [tus, tusLinked]) {
			const head = await fetch(url ?? '', { method: 'HEAD', headers: { 'tus-resumable': '1.0.0' } });
			expect(head.status).toBe(404);
		}
		expect(await placesOf(words, data, client)).toEqual([]);
		// The file stays in the watched folder and is not imported again, not even by another watcher.
		process.kill(picpipe.pidOf('watch'), 'SIGKILL');
		await writeFile(join(inbox, 'other.jpg'), await photo('other'));
		await until('the watcher has looked again', async () => (await listed()).length > 0);
		expect((await listed()).map(({ source }: { source: { filename: string } }) => source.filename)).toEqual([
			'other.jpg',
		]);
	});
});

describe('a deletion whose API is killed (-9) in the middle', () => {
	/** The picture and its words, after the API that deletes it has died. */
	async function interrupted(name: string) {
		const { picpipe, data, client, dieAfter, refusing } = running();
		for (const receiver of [picpipe.sink, refusing]) receiver.answer(says(204));
		const { id } = (await postRaw(name, await photo(name), { 'idempotency-key': `"${name}"` })).body;
		expect(await untilFinished({ url: running().api }, id)).toMatchObject({ state: 'ready' });
		// The others look alike, so their perceptual hashes are equal.
		const words = [name, (await wordsOf(id))[0] ?? ''];
		const api = picpipe.pidOf('api');
		writeFileSync(dieAfter, 'manifest-deleted');
		await expect(remove(id)).rejects.toThrow();
		expect(existsSync(dieAfter)).toBe(false);
		expect(await placesOf(words, data, client)).not.toEqual([]);
		await until('the API is back', async () => {
			if (picpipe.pidOf('api') === api) return false;
			return fetch(`${running().api}/readyz`).then(
				({ ok }) => ok,
				() => false,
			);
		});
		return { id, words };
	}

	it('is finished by a repeated request', { timeout: 120_000 }, async () => {
		const { id, words } = await interrupted('planted-again');
		const { data, client, refusing } = running();
		expect((await remove(id)).status).toBe(204);
		expect(await placesOf(words, data, client)).toEqual([]);
		await refusing.expectMessages('picture.deleted', id);
		expect((await remove(id)).status).toBe(404);
	});

	it('is finished by the sweep', { timeout: 120_000 }, async () => {
		const { id, words } = await interrupted('planted-sweep');
		const { data, client, refusing } = running();
		await refusing.expectMessages('picture.deleted', id, 1, 60_000);
		expect(await placesOf(words, data, client)).toEqual([]);
		expect((await remove(id)).status).toBe(404);
	});
});

describe('a deletion without Redis', () => {
	it('answers 503 and changes nothing', { timeout: 120_000 }, async () => {
		const { redis, api, refusing } = running();
		const { id } = (await postRaw('planted-kept', await photo('planted-kept'))).body;
		await untilFinished({ url: api }, id);
		await redis.kill9();
		expect((await remove(id)).status).toBe(503);
		await redis.restart();
		await until('Redis is back', async () => (await fetch(`${api}/readyz`)).ok);
		expect(await untilFinished({ url: api }, id)).toMatchObject({
			state: 'ready',
			source: { filename: 'planted-kept.jpg' },
		});
		expect((await remove(id)).status).toBe(204);
		await refusing.expectMessages('picture.deleted', id);
	});
});
