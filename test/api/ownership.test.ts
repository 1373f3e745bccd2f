import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addKey, revokeKey } from '../../src/access/key-store.ts';
import { folderOf } from '../../src/catalog/manifest.ts';
import { newBatchId } from '../../src/domain/batch.ts';
import { newPictureId } from '../../src/domain/picture.ts';
import { openStorage } from '../../src/storage/index.ts';
import { manifestKey } from '../../src/storage/keys.ts';
import { readObject } from '../../src/storage/storage.ts';
import { type CallerName, startAccessWorld } from '../helpers/access.ts';
import { form, json, startTestApi } from '../helpers/api.ts';
import { bearer, startKeyedApi } from '../helpers/keys.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { shared } from '../helpers/shared.ts';
import { bytesAt, metadata, tus } from '../helpers/tus.ts';

/** What the rule of owners means beyond the status of a route. The picpipe of these tests runs in processes of its own. */

const world = shared(startAccessWorld);

const inline = (steps: object[] = [], analyse: string[] = []) => ({
	analyse,
	variants: { other: { steps, encode: [{ png: {} }] } },
});

async function post(caller: CallerName | 'maker', path: string, body: object, headers: Record<string, string> = {}) {
	const answer = await world().ask(caller, path, {
		method: 'POST',
		body: JSON.stringify(body),
		headers: { 'content-type': 'application/json', ...headers },
	});
	return { status: answer.status, body: await json(answer) };
}

async function get(caller: CallerName, path: string) {
	const answer = await world().ask(caller, path);
	return { status: answer.status, body: await json(answer) };
}

async function upload(caller: CallerName, file: Buffer, query: Record<string, string> = {}) {
	const answer = await world().ask(caller, `/v1/pictures?${new URLSearchParams(query)}`, {
		method: 'POST',
		body: new Uint8Array(file),
		headers: { 'content-type': 'image/jpeg', prefer: 'wait=60' },
	});
	return { status: answer.status, body: await json(answer) };
}

const plantedPhoto = () => photograph({ width: 120, height: 90, gps: true });
const ids = (pictures: readonly { id: string }[]) => pictures.map(({ id }) => id);

describe('a key with upload', () => {
	it('cannot process the picture of another group with a recipe of its own, and does not learn where it was taken', async () => {
		const { planted, secrets, snapshot } = world();
		const before = await get('admin', `/v1/pictures/${planted.picture}`);
		expect(before.body.analysis.gps.latitude).toBeCloseTo(51.478, 2);
		const stored = await snapshot();
		const refused = await post('stranger', `/v1/pictures/${planted.picture}/process`, {
			recipe: inline([], ['gps']),
			force: true,
		});
		expect(refused).toMatchObject({ status: 404, body: { code: 'picture-not-found' } });
		for (const word of secrets()) expect(JSON.stringify(refused.body)).not.toContain(word);
		expect(await snapshot()).toEqual(stored);
		expect(await get('admin', `/v1/pictures/${planted.picture}`)).toEqual(before);
	});

	it('lists what its group owns, whatever it asks for; readers choose an owner', async () => {
		const { planted } = world();
		const own = await upload('stranger', await photograph({ width: 41, height: 30 }), { tags: 'plantedtag' });
		for (const query of ['', '?tag=plantedtag', '?recipe=web', `?cursor=${newPictureId()}`]) {
			const { body } = await get('stranger', `/v1/pictures${query}`);
			expect([query, ids(body.pictures), body.next]).toEqual([query, [own.body.id], undefined]);
		}
		for (const query of ['owner=plantedgroup', `batch=${planted.batch}`, 'failures=true', 'state=failed']) {
			expect((await get('stranger', `/v1/pictures?${query}`)).body).toEqual({
				pictures: [],
				total: { count: 0, exact: true },
			});
		}
		expect(ids((await get('owner', '/v1/pictures?failures=true')).body.pictures)).toEqual([planted.failed]);
		for (const caller of ['reader', 'both', 'admin'] as const) {
			const { body } = await get(caller, '/v1/pictures?owner=plantedgroup');
			expect(ids(body.pictures).sort()).toEqual([planted.picture, planted.failed].sort());
			const others = await get(caller, `/v1/pictures?owner=${own.body.owner}`);
			expect(ids(others.body.pictures)).toEqual([own.body.id]);
			const all = ids((await get(caller, '/v1/pictures')).body.pictures);
			for (const id of [planted.picture, own.body.id]) expect(all).toContain(id);
		}
		expect((await get('reader', '/v1/pictures?owner=No%20body')).status).toBe(400);
	});

	it('learns of no duplicate that another group has, and finds those of its own', async () => {
		const { planted, secrets } = world();
		const bytes = await plantedPhoto();
		// The worker of a fresh start has to have built the index.
		await expect.poll(async () => (await upload('owner', bytes, { duplicates: 'link' })).body.id).toBe(planted.picture);
		const made = new Set<string>();
		for (const duplicates of ['refuse', 'link', 'dedupe', 'refuse'] as const) {
			const { status, body } = await upload('stranger', bytes, { duplicates });
			if (made.size > 0)
				expect([status, body.pictureId ?? body.id]).toEqual([duplicates === 'refuse' ? 409 : 200, [...made][0]]);
			else expect(status).toBe(201);
			made.add(body.pictureId ?? body.id);
			const shown = JSON.stringify(body).replaceAll(/"sha256":"\w+"/g, '');
			for (const word of secrets().filter((one) => !/^[0-9a-f]{64}$/.test(one))) expect(shown).not.toContain(word);
		}
		expect(made.size).toBe(1);
		// Over tus it is the creator who counts.
		const headers = (text: Record<string, string>) => ({ 'tus-resumable': '1.0.0', ...text });
		const begun = await world().ask('stranger', '/v1/uploads', {
			method: 'POST',
			headers: headers({ 'upload-length': String(bytes.length), 'upload-metadata': metadata({ duplicates: 'link' }) }),
		});
		const ended = await world().ask('admin', begun.headers.get('location') ?? '', {
			method: 'PATCH',
			headers: headers(bytesAt(0)),
			body: new Uint8Array(bytes),
		});
		expect([ended.status, ended.headers.get('picpipe-picture')]).toEqual([204, [...made][0]]);
		expect((await upload('both', bytes, { duplicates: 'link' })).body.id, 'who reads everything').toBe(planted.picture);
	});

	it('finds no similar picture of another group', async () => {
		const { planted } = world();
		const bytes = withComment(await plantedPhoto(), 'mine');
		const own = await upload('stranger', bytes, { recipe: JSON.stringify(inline([], ['phash'])) });
		const similar = async (caller: CallerName) => {
			const { body } = await get(caller, `/v1/pictures/${own.body.id}/similar`);
			expect(body.complete).toBe(true);
			return ids(body.pictures.map(({ picture }: { picture: { id: string } }) => picture));
		};
		expect(await similar('reader')).toContain(planted.picture);
		const found = await similar('stranger');
		expect(found).not.toContain(planted.picture);
		for (const id of found) expect((await get('stranger', `/v1/pictures/${id}`)).status).toBe(200);
	});

	it('cannot draw the picture of another group into its own', { timeout: 120_000 }, async () => {
		const { planted, settle, ask, secrets, snapshot } = world();
		const own = await upload('stranger', await photograph({ width: 42, height: 30 }));
		const recipeWith = (picture: string) => inline([{ watermark: { picture, scale: 1 } }]);
		const tries = async (picture: string) => {
			const recipe = recipeWith(picture);
			const text = JSON.stringify(recipe);
			const bytes = await photograph({ width: 43, height: 30 });
			const tried = [
				await post('stranger', `/v1/pictures/${own.body.id}/process`, { recipe }),
				await post('stranger', `/v1/pictures/${own.body.id}/process`, { recipe: text, force: true }),
				await upload('stranger', bytes, { recipe: text }),
				await post('stranger', '/v1/pictures', { url: 'http://192.0.2.1/a.jpg', recipe }),
				await post('stranger', '/v1/batches', { urls: ['http://192.0.2.1/a.jpg'], recipe }),
			];
			const asForm = await ask('stranger', '/v1/pictures', {
				method: 'POST',
				body: form([['a.jpg', bytes]], ['recipe', text]),
			});
			const asTus = await ask('stranger', '/v1/uploads', {
				method: 'POST',
				headers: { 'tus-resumable': '1.0.0', 'upload-length': '9', 'upload-metadata': metadata({ recipe: text }) },
			});
			for (const answer of [asForm, asTus]) tried.push({ status: answer.status, body: await json(answer) });
			return tried.map(({ status, body: { requestId: _id, ...body } }) =>
				JSON.stringify({ status, body }).replaceAll(picture, ':id'),
			);
		};
		await settle();
		const before = await snapshot();
		const foreign = await tries(planted.picture);
		for (const answer of foreign) {
			expect(answer).toMatch(/"status":404.*"code":"picture-not-found"/);
			for (const word of secrets()) expect(answer).not.toContain(word);
		}
		expect(foreign).toEqual(await tries(newPictureId()));
		expect(await snapshot()).toEqual(before);
		// The group itself may, and who may read.
		const bytes = await photograph({ width: 44, height: 30 });
		for (const caller of ['owner', 'both'] as const) {
			const made = await upload(caller, bytes, { recipe: JSON.stringify(recipeWith(planted.picture)) });
			expect([caller, made.status, made.body.state]).toEqual([caller, 201, 'ready']);
		}
	});

	it('cannot add a picture to the batch of another group, in any way', async () => {
		const { planted, ask, snapshot, settle } = world();
		await settle();
		const bytes = await photograph({ width: 45, height: 30 });
		const waysOf = async (caller: CallerName, batch: string) => {
			const raw = await upload(caller, bytes, { batch });
			const byUrl = await post(caller, '/v1/pictures', { url: 'http://192.0.2.1/a.jpg', batch });
			const token = await post(caller, '/v1/upload-tokens', { batch });
			const asForm = await ask(caller, '/v1/pictures', {
				method: 'POST',
				body: form([['a.jpg', bytes]], ['batch', batch]),
			});
			const asTus = await ask(caller, '/v1/uploads', {
				method: 'POST',
				headers: { 'tus-resumable': '1.0.0', 'upload-length': '9', 'upload-metadata': metadata({ batch }) },
			});
			const answers = [raw, byUrl, token];
			for (const answer of [asForm, asTus]) answers.push({ status: answer.status, body: await json(answer) });
			return answers.map(({ status, body: { code, detail } }) => [
				status,
				code,
				String(detail).replaceAll(batch, ':id'),
			]);
		};
		const before = await snapshot();
		const foreign = await waysOf('stranger', planted.batch);
		for (const [status, code] of foreign) expect([status, code]).toEqual([400, 'unknown-batch']);
		expect(foreign).toEqual(await waysOf('stranger', newBatchId()));
		for (const [status, code] of await waysOf('both', planted.batch))
			expect([status, code]).toEqual([403, 'insufficient-scope']);
		expect(await snapshot()).toEqual(before);
		const own = await upload('owner', bytes, { batch: planted.batch });
		expect([own.status, own.body.batch]).toEqual([201, planted.batch]);
		expect((await get('owner', `/v1/batches/${planted.batch}`)).body.counts.total).toBe(1);
	});

	it('cannot join the partial uploads of another group', async () => {
		const { ask } = world();
		const part = await ask('maker', '/v1/uploads', {
			method: 'POST',
			headers: { 'tus-resumable': '1.0.0', 'upload-length': '1', 'upload-concat': 'partial', ...bytesAt(0) },
			body: 'x',
		});
		const url = part.headers.get('location');
		const join = async (caller: CallerName) => {
			const headers = { 'tus-resumable': '1.0.0', 'upload-concat': `final;${url}` };
			const answer = await ask(caller, '/v1/uploads', { method: 'POST', headers });
			return [answer.status, (await json(answer)).code];
		};
		expect(await join('stranger')).toEqual([404, 'upload-not-found']);
		expect(await join('both')).toEqual([403, 'insufficient-scope']);
		expect((await ask('owner', url ?? '')).status).toBe(200);
	});

	it('of the group of a revoked one goes on with all that it had begun', async () => {
		const { folder, api, ask } = world();
		const storage = openStorage(`file:${folder}`);
		const old = await addKey(storage, { name: 'old', scopes: ['upload'], limits: {} });
		const send = (text: string, path: string, init: RequestInit = {}) =>
			fetch(`${api}${path}`, { ...init, headers: { ...bearer(text), ...(init.headers as Record<string, string>) } });
		const bytes = await photograph({ width: 46, height: 30 });
		const image = {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg', prefer: 'wait=60' },
		};
		await expect.poll(async () => (await send(old.text, '/v1/pictures')).status).toBe(200);
		const picture = await json(await send(old.text, '/v1/pictures', image));
		expect(picture.owner).toBe(old.record.id);
		const batch = await json(await send(old.text, '/v1/batches', { method: 'POST' }));
		const upload = `${api}${(await tus(`${api}/v1/uploads`, 'POST', { ...bearer(old.text), 'upload-length': String(bytes.length) })).headers.get('location')}`;
		await tus(upload, 'PATCH', { ...bearer(old.text), ...bytesAt(0) }, bytes.subarray(0, 100));

		const next = await addKey(storage, { name: 'next', scopes: ['upload'], limits: {}, group: old.record.id });
		await expect.poll(async () => (await send(next.text, '/v1/pictures')).status).toBe(200);
		await revokeKey(storage, old.record.id);
		await expect.poll(async () => (await send(old.text, '/v1/pictures')).status).toBe(401);

		const listed = await json(await send(next.text, '/v1/pictures'));
		expect(ids(listed.pictures)).toEqual([picture.id]);
		expect((await send(next.text, `/v1/pictures/${picture.id}/original`)).status).toBe(200);
		const again = { method: 'POST', body: '{"force":true}', headers: { 'content-type': 'application/json' } };
		expect((await send(next.text, `/v1/pictures/${picture.id}/process`, again)).status).toBe(202);
		expect(await json(await send(next.text, `/v1/batches/${batch.id}/close`, { method: 'POST' }))).toMatchObject({
			state: 'finished',
		});
		const ended = await tus(upload, 'PATCH', { ...bearer(next.text), ...bytesAt(100) }, bytes.subarray(100));
		expect(ended.status).toBe(204);
		const other = await json(await send(next.text, `/v1/pictures/${ended.headers.get('picpipe-picture')}`));
		expect(other.owner).toBe(old.record.id);
		expect((await ask('stranger', `/v1/pictures/${other.id}`)).status).toBe(404);
	});
});

describe('the owner', () => {
	it('of what comes with an upload token is that of its key, which the token does not tell', async () => {
		const { ask } = world();
		const { token } = (await post('owner', '/v1/upload-tokens', {})).body;
		const bytes = await photograph({ width: 47, height: 30 });
		const answer = await fetch(`${world().api}/v1/pictures`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg', ...bearer(token) },
		});
		const shown = await json(answer);
		expect([answer.status, 'owner' in shown]).toEqual([202, false]);
		expect((await get('owner', `/v1/pictures/${shown.id}`)).body.owner).toBe('plantedgroup');
		expect((await ask('stranger', `/v1/pictures/${shown.id}`)).status).toBe(404);
	});

	it('does not widen what a token of an admin key may do', async () => {
		const { planted, api } = world();
		const { token } = (await post('admin', '/v1/upload-tokens', {})).body;
		for (const path of [`/v1/pictures/${planted.picture}`, '/v1/pictures', `/v1/batches/${planted.batch}`])
			expect([path, (await fetch(`${api}${path}`, { headers: bearer(token) })).status]).toEqual([path, 403]);
		for (const method of ['HEAD', 'GET', 'DELETE'])
			expect((await tus(`${api}/v1/uploads/${planted.upload}`, method, bearer(token))).status).toBe(404);
	});

	it('stays the same when others process or retry the picture, or finish the upload', async () => {
		const { planted, settle, folder } = world();
		expect((await post('admin', `/v1/pictures/${planted.picture}/process`, { force: true })).status).toBe(202);
		expect((await post('admin', '/v1/failures/retry', {})).body.queued).toBeGreaterThan(0);
		await settle();
		for (const id of [planted.picture, planted.failed]) {
			const manifest = JSON.parse(await readFile(join(folder, manifestKey(folderOf(id))), 'utf8'));
			expect([manifest.owner, manifest.revision > 2]).toEqual(['plantedgroup', true]);
		}
	});

	it('is this machine without keys, and the settings for their keys', async () => {
		const bytes = await photograph({ width: 48, height: 30 });
		const body = () => form([['a.jpg', bytes]]);
		const alone = await startTestApi();
		expect(await json(await fetch(`${alone.url}/v1/pictures`, { method: 'POST', body: body() }))).toMatchObject({
			owner: 'local',
		});
		const settings = await startTestApi({ PICPIPE_API_KEYS: 'one-key-of-the-settings,another-key-of-them' });
		for (const key of ['one-key-of-the-settings', 'another-key-of-them']) {
			const made = await fetch(`${settings.url}/v1/pictures`, { method: 'POST', body: body(), headers: bearer(key) });
			expect(await json(made)).toMatchObject({ owner: 'settings' });
		}
	});

	it('may be absent in old manifests: they need read or admin', async () => {
		const { api, ask } = await startKeyedApi({
			one: { scopes: ['upload'] },
			reader: { scopes: ['read'] },
			both: { scopes: ['upload', 'read'] },
			admin: {},
		});
		const body = form([['a.jpg', await photograph({ width: 49, height: 30 })]]);
		const { id } = await json(await ask('one', '/v1/pictures', { method: 'POST', body }));
		const key = manifestKey(folderOf(id));
		const { owner, ...old } = JSON.parse(String(await readObject(api.storage, key)));
		expect(owner).toMatch(/^key_/);
		await api.storage.put(key, Buffer.from(JSON.stringify(old)));
		await api.loseIndex();
		const check = async () => {
			expect((await ask('one', `/v1/pictures/${id}`)).status).toBe(404);
			expect((await ask('one', `/v1/pictures/${id}/process`, { method: 'POST' })).status).toBe(404);
			expect((await ask('both', `/v1/pictures/${id}/process`, { method: 'POST' })).status).toBe(403);
			for (const name of ['reader', 'both', 'admin'] as const) {
				const shown = await json(await ask(name, `/v1/pictures/${id}`));
				expect([shown.id, 'owner' in shown]).toEqual([id, false]);
			}
		};
		await check();
		await api.reindex();
		await check();
		expect(await json(await ask('one', '/v1/pictures'))).toEqual({ pictures: [], total: { count: 0, exact: true } });
		expect(ids((await json(await ask('reader', '/v1/pictures'))).pictures)).toEqual([id]);
		expect(
			(
				await ask('admin', `/v1/pictures/${id}/process`, {
					method: 'POST',
					body: '{"force":true}',
					headers: { 'content-type': 'application/json' },
				})
			).status,
		).toBe(202);
	});
});

describe('the quota of a key', () => {
	it('counts each process and retry that queues work, and nothing else', async () => {
		const { api, ask } = await startKeyedApi({ one: { scopes: ['upload'], limits: { perDay: 4 } }, admin: {} });
		await api.startWorker();
		const bytes = await photograph({ width: 320, height: 240 });
		const send = async (file: Buffer) =>
			json(
				await ask('one', '/v1/pictures', {
					method: 'POST',
					body: form([['a.jpg', file]]),
					headers: { prefer: 'wait=30' },
				}),
			);
		const call = async (path: string, force?: boolean) => {
			const answer = await ask('one', path, {
				method: 'POST',
				body: JSON.stringify(force === undefined ? {} : { force }),
				headers: { 'content-type': 'application/json' },
			});
			return [answer.status, (await json(answer)).code];
		};
		const ended = async (id: string) => {
			await expect
				.poll(async () => (await json(await ask('admin', `/v1/pictures/${id}`))).state, { timeout: 30_000 })
				.toMatch(/ready|failed/);
			return json(await ask('admin', `/v1/pictures/${id}`));
		};
		const picture = await send(bytes);
		const broken = await send(bytes.subarray(0, 2_000));
		expect([picture.state, broken.state]).toEqual(['ready', 'failed']);
		const upToDate = () => call(`/v1/pictures/${picture.id}/process`);
		for (let time = 0; time < 3; time++) expect(await upToDate()).toEqual([200, undefined]);
		// What is refused does not count.
		expect(await call(`/v1/pictures/${newPictureId()}/process`, true)).toEqual([404, 'picture-not-found']);
		expect(await call(`/v1/pictures/${picture.id}/retry`)).toEqual([409, 'not-failed']);
		expect(await call(`/v1/pictures/${picture.id}/process`, true)).toEqual([202, undefined]);
		await ended(picture.id);
		expect(await call(`/v1/pictures/${broken.id}/retry`)).toEqual([202, undefined]);
		const before = [await ended(picture.id), await ended(broken.id)];
		expect(await call(`/v1/pictures/${picture.id}/process`, true)).toEqual([429, 'quota-exceeded']);
		expect(await call(`/v1/pictures/${broken.id}/retry`)).toEqual([429, 'quota-exceeded']);
		expect(await upToDate()).toEqual([200, undefined]);
		expect([await ended(picture.id), await ended(broken.id)]).toEqual(before);
		expect((await send(bytes)).code).toBe('quota-exceeded');
	});
});
