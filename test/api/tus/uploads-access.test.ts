import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../arena/fixture.ts';
import { json } from '../../helpers/api.ts';
import { bearer, type KeyedApi, startKeyedApi } from '../../helpers/keys.ts';
import { photograph, withComment } from '../../helpers/pictures.ts';
import { bytesAt, metadata, sendByTus, tus } from '../../helpers/tus.ts';
import { head, openWire } from '../../helpers/wire.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

const wishes = {
	one: { scopes: ['upload' as const] },
	two: { scopes: ['upload' as const] },
	reader: { scopes: ['read' as const] },
};
type Keyed = KeyedApi<keyof typeof wishes>;

async function begin({ api }: Keyed, key: string, fields: Record<string, string> = {}): Promise<Response> {
	const headers = { ...bearer(key), 'upload-length': String(bytes.length), 'upload-metadata': metadata(fields) };
	return tus(`${api.url}/v1/uploads`, 'POST', headers);
}

async function tokenOf(keyed: Keyed, wishes: object): Promise<{ token: string; expiresAt: string }> {
	const headers = { 'content-type': 'application/json' };
	return json(await keyed.ask('one', '/v1/upload-tokens', { method: 'POST', body: JSON.stringify(wishes), headers }));
}

describe('a resumable upload', () => {
	it('belongs to the key that created it and does not exist for others', async () => {
		const keyed = await startKeyedApi(wishes);
		const { api, keys } = keyed;
		const url = `${api.url}${(await begin(keyed, keys.one)).headers.get('location')}`;
		const { token } = await tokenOf(keyed, {});
		for (const text of [keys.two, token]) {
			for (const method of ['HEAD', 'GET', 'DELETE'])
				expect([method, (await tus(url, method, bearer(text))).status]).toEqual([method, 404]);
			const patched = await tus(url, 'PATCH', { ...bearer(text), ...bytesAt(0) }, bytes);
			expect(await json(patched)).toMatchObject({ status: 404, code: 'upload-not-found' });
		}
		// A reader sees it, and neither interrupts nor changes it.
		expect((await tus(url, 'HEAD', bearer(keys.reader))).headers.get('upload-offset')).toBe('0');
		expect((await tus(url, 'DELETE', bearer(keys.reader))).status).toBe(403);
		expect((await tus(url, 'HEAD')).status).toBe(401);
		expect((await tus(url, 'PATCH', { ...bearer(keys.one), ...bytesAt(0) }, bytes)).status).toBe(204);
		const partial = { ...bearer(keys.one), 'upload-length': '10', 'upload-concat': 'partial' };
		const part = (await tus(`${api.url}/v1/uploads`, 'POST', partial)).headers.get('location');
		const joined = { ...bearer(keys.two), 'upload-concat': `final;${part} ${part}` };
		expect((await tus(`${api.url}/v1/uploads`, 'POST', joined)).status).toBe(404);
	});

	it('is not interrupted by others who look at it', async () => {
		const { api, keys } = await startKeyedApi({ ...wishes, admin: {} });
		const length = { 'upload-length': String(bytes.length) };
		const begun = await tus(`${api.url}/v1/uploads`, 'POST', { ...bearer(keys.one), ...length });
		const path = begun.headers.get('location') ?? '';
		const wire = await openWire(api.url);
		const more = { 'Tus-Resumable': '1.0.0', 'Content-Length': bytes.length };
		wire.send(head(`PATCH ${path}`, { ...bearer(keys.one), ...bytesAt(0), ...more }), bytes.subarray(0, 100));
		const arriving = async () => {
			const names: string[] = [];
			for await (const name of api.storage.list('uploads/', { temporary: true })) names.push(name);
			return names.filter((name) => name.endsWith('.tmp')).length;
		};
		await expect.poll(arriving).toBe(1);
		for (const key of [keys.reader, keys.admin]) {
			for (const method of ['HEAD', 'GET'])
				expect((await tus(`${api.url}${path}`, method, bearer(key))).status).toBe(200);
		}
		wire.send(bytes.subarray(100));
		await wire.until(/^HTTP\/1\.1 204 /);
	});

	it('with an upload token has the fields of the token', async () => {
		const keyed = await startKeyedApi(wishes);
		const { token } = await tokenOf(keyed, { recipe: 'avatar', tags: ['guest'], maxBytes: bytes.length });
		const other = (await tokenOf(keyed, { recipe: 'avatar' })).token;
		for (const [fields, code] of [
			[{ recipe: 'web' }, 'fixed-by-token'],
			[{ tags: 'mine' }, 'fixed-by-token'],
			[{ duplicates: 'link' }, 'fixed-by-token'],
		] as const)
			expect(await json(await begin(keyed, token, fields))).toMatchObject({ status: 403, code });
		const large = { ...bearer(token), 'upload-length': String(bytes.length + 1) };
		expect((await tus(`${keyed.api.url}/v1/uploads`, 'POST', large)).status).toBe(413);
		const sent = await sendByTus(keyed.api.url, bytes, {
			headers: { ...bearer(token) },
			metadata: { filename: 'a.jpg', filetype: 'image/jpeg' },
		});
		const picture = await json(await keyed.ask('reader', `/v1/pictures/${sent.picture}`));
		expect(picture).toMatchObject({ recipe: { name: 'avatar' }, tags: ['guest'], source: { filename: 'a.jpg' } });
		expect((await tus(sent.url ?? '', 'HEAD', bearer(other))).status).toBe(404);
		expect((await tus(sent.url ?? '', 'HEAD', bearer(keyed.keys.two))).status).toBe(404);
		// What was begun with a token is its key's.
		expect((await tus(sent.url ?? '', 'HEAD', bearer(keyed.keys.one))).status).toBe(200);
	});

	it('can be resumed after its token has expired', { timeout: 20_000 }, async () => {
		const keyed = await startKeyedApi(wishes);
		const { token, expiresAt } = await tokenOf(keyed, { expiresIn: 2 });
		const url = `${keyed.api.url}${(await begin(keyed, token)).headers.get('location')}`;
		await sleep(Date.parse(expiresAt) - Date.now() + 50);
		expect(await json(await begin(keyed, token))).toMatchObject({ status: 401, code: 'invalid-upload-token' });
		expect((await tus(url, 'HEAD', bearer(token))).status).toBe(200);
		expect((await tus(url, 'PATCH', { ...bearer(token), ...bytesAt(0) }, bytes)).status).toBe(204);
		expect((await tus(url, 'DELETE', bearer(token))).status).toBe(204);
	});

	it('counts as a picture once it becomes one, and not if it is refused', async () => {
		const keyed = await startKeyedApi({ ...wishes, one: { scopes: ['upload'], limits: { perDay: 2 } } });
		const headers = { ...bearer(keyed.keys.one) };
		const text = Buffer.from('no picture at all, '.repeat(300));
		for (let time = 0; time < 3; time++)
			expect(await sendByTus(keyed.api.url, text, { headers })).toMatchObject({ status: 415 });
		const begun = `${keyed.api.url}${(await begin(keyed, keyed.keys.one)).headers.get('location')}`;
		expect(await sendByTus(keyed.api.url, bytes, { headers })).toMatchObject({ status: 204 });
		const last = await sendByTus(keyed.api.url, withComment(bytes, '2'), { headers });
		expect(last).toMatchObject({ status: 204 });
		expect(await sendByTus(keyed.api.url, bytes, { headers })).toMatchObject({
			status: 429,
			problem: { code: 'quota-exceeded' },
		});
		const late = await tus(begun, 'PATCH', { ...headers, ...bytesAt(0) }, bytes);
		expect(await json(late)).toMatchObject({ status: 429, code: 'quota-exceeded' });
		// What is there already can still be asked about, and what is in the way be taken away.
		expect((await tus(last.url ?? '', 'HEAD', headers)).headers.get('picpipe-picture')).toBe(last.picture);
		expect((await tus(begun, 'DELETE', headers)).status).toBe(204);
	});

	it('handles duplicates as requested', async () => {
		const keyed = await startKeyedApi(wishes);
		expect(await keyed.api.reindex()).toMatchObject({ pictures: 0 });
		const headers = { ...bearer(keyed.keys.one) };
		const first = await sendByTus(keyed.api.url, bytes, { headers });
		const linked = await sendByTus(keyed.api.url, bytes, { headers, metadata: { duplicates: 'link' } });
		expect(linked).toMatchObject({ status: 204, picture: first.picture });
		const refused = await sendByTus(keyed.api.url, bytes, { headers, metadata: { duplicates: 'refuse' } });
		expect(refused).toMatchObject({ status: 409, problem: { code: 'duplicate-picture', pictureId: first.picture } });
		expect(await json(await fetch(refused.url ?? '', { headers }))).toMatchObject({
			state: 'refused',
			problem: { code: 'duplicate-picture', pictureId: first.picture },
		});
	});

	it('may come from a page of a configured site, which can read the required headers', async () => {
		const origin = 'https://app.example';
		const keyed = await startKeyedApi(wishes, { PICPIPE_CORS_ORIGINS: origin });
		const { token } = await tokenOf(keyed, {});
		const preflight = await ask(keyed.api.url, '/v1/uploads', {
			method: 'OPTIONS',
			headers: {
				origin,
				'access-control-request-method': 'PATCH',
				'access-control-request-headers': 'authorization,tus-resumable,upload-offset,content-type',
			},
		});
		expect(preflight.status).toBe(204);
		for (const name of [
			'tus-resumable',
			'upload-offset',
			'upload-length',
			'upload-metadata',
			'upload-checksum',
			'upload-concat',
		])
			expect(String(preflight.headers['access-control-allow-headers']).toLowerCase()).toContain(name);
		const headers = { origin, 'sec-fetch-site': 'cross-site', 'tus-resumable': '1.0.0', ...bearer(token) };
		const begun = await ask(keyed.api.url, '/v1/uploads', {
			method: 'POST',
			headers: { ...headers, 'upload-length': String(bytes.length) },
		});
		expect([begun.status, begun.headers['access-control-allow-origin']]).toEqual([201, origin]);
		const exposed = String(begun.headers['access-control-expose-headers']).toLowerCase();
		for (const name of ['location', 'upload-offset', 'upload-expires', 'tus-resumable', 'picpipe-picture', 'link'])
			expect(exposed).toContain(name);
		const offer = await ask(keyed.api.url, '/v1/uploads', { method: 'OPTIONS', headers: { origin } });
		expect(offer.headers['tus-extension']).toContain('concatenation');
	});
});
