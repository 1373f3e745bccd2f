import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { randomNumbers } from '../../../scripts/random-numbers.ts';
import { folderOf } from '../../../src/catalog/manifest.ts';
import { maximumParts } from '../../../src/intake/upload-parts.ts';
import { readUpload, writeUpload } from '../../../src/intake/upload-record.ts';
import { manifestKey, uploadPartKey } from '../../../src/storage/keys.ts';
import { readObject } from '../../../src/storage/storage.ts';
import { json, startTestApi, type TestApi, untilFinished } from '../../helpers/api.ts';
import { photograph, withComment } from '../../helpers/pictures.ts';
import { breakingLine, bytesAt, metadata, sendByTus, tus } from '../../helpers/tus.ts';
import { head, openWire } from '../../helpers/wire.ts';

let bytes: Buffer;
/** Of three and a half million bytes: large enough to be broken off often. */
let large: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
	large = await photograph({ width: 1400, height: 1000, format: 'png' });
});

/** What is stored of uploads: parts and records. */
async function stored(api: TestApi): Promise<string[]> {
	const keys: string[] = [];
	for await (const key of api.storage.list('uploads/', { temporary: true })) keys.push(key);
	return keys.sort();
}

async function begin(api: TestApi, headers: Record<string, string> = {}, body?: Buffer): Promise<string> {
	const length = headers['upload-defer-length'] ? {} : { 'upload-length': String(bytes.length) };
	const response = await tus(`${api.url}/v1/uploads`, 'POST', { ...length, ...headers }, body);
	expect(response.status).toBe(201);
	return `${api.url}${response.headers.get('location')}`;
}

async function originalOf(api: TestApi, id: string): Promise<Buffer> {
	return Buffer.from(await (await fetch(`${api.url}/v1/pictures/${id}/original`)).arrayBuffer());
}

describe('a resumable upload', () => {
	it('by tus-js-client becomes a picture with the requested fields', async () => {
		const api = await startTestApi();
		await api.startWorker();
		const sent = await sendByTus(api.url, bytes, {
			metadata: { filename: 'höhe 1.jpg', filetype: 'image/jpeg', recipe: 'avatar', tags: 'a, b', priority: '3' },
		});
		expect(sent).toMatchObject({ status: 204, picture: expect.stringMatching(/^pic_/) });
		const picture = await untilFinished(api, sent.picture ?? '');
		expect(picture).toMatchObject({
			state: 'ready',
			source: { filename: 'höhe 1.jpg', bytes: bytes.length },
			recipe: { name: 'avatar' },
			tags: ['a', 'b'],
			priority: 3,
		});
		expect(await originalOf(api, sent.picture ?? '')).toEqual(bytes);
		const shown = await json(await fetch(sent.url ?? ''));
		expect(shown).toMatchObject({
			state: 'complete',
			offset: bytes.length,
			length: bytes.length,
			picture: sent.picture,
			isNew: true,
			links: { picture: `/v1/pictures/${sent.picture}` },
		});
		// The bytes lie with the picture now, and only there.
		expect(await stored(api)).toEqual([expect.stringMatching(/\/upload\.json$/)]);
	});

	it('accepts the metadata of Uppy', async () => {
		const api = await startTestApi();
		const uppy = { relativePath: 'null', name: 'a.jpg', type: 'image/jpeg', filetype: 'image/jpeg' };
		for (const [fields, filename] of [
			[uppy, 'a.jpg'],
			[{ ...uppy, filename: 'b.jpg' }, 'b.jpg'],
		] as const) {
			const { picture } = await sendByTus(api.url, bytes, { metadata: fields });
			expect((await json(await fetch(`${api.url}/v1/pictures/${picture}`))).source.filename).toBe(filename);
		}
	});

	it('is complete despite a connection that breaks repeatedly at any place', { timeout: 60_000 }, async () => {
		const api = await startTestApi();
		for (const seed of [1, 2, 3]) {
			const random = randomNumbers(seed);
			const file = withComment(bytes, `seed ${seed}`);
			const file2 = Buffer.concat([large, Buffer.from(`seed ${seed}`)]);
			for (const one of [file, file2]) {
				const line = await breakingLine(api.url, () => 200 + Math.floor(random() * one.length * 0.6));
				const isChunked = random() < 0.5;
				const chunkSize = isChunked ? Math.ceil(one.length / 3) : Number.POSITIVE_INFINITY;
				// Whoever sends everything while it is created never hears of an upload to go on with.
				const uploadDataDuringCreation = isChunked;
				const options = { chunkSize, uploadDataDuringCreation, retryDelays: Array(60).fill(1), metadata: {} };
				const sent = await sendByTus(line.url, one, options);
				expect(sent, `seed ${seed}`).toMatchObject({ picture: expect.stringMatching(/^pic_/) });
				expect(line.broken()).toBeGreaterThan(0);
				const sha256 = createHash('sha256').update(one).digest('hex');
				expect((await json(await fetch(`${api.url}/v1/pictures/${sent.picture}`))).source.sha256).toBe(sha256);
			}
		}
		expect((await json(await fetch(`${api.url}/v1/pictures`))).pictures).toHaveLength(6);
	});

	it('keeps the bytes of an interrupted body', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		const wire = await openWire(api.url);
		wire.send(
			head(`PATCH ${new URL(url).pathname}`, {
				...bytesAt(0),
				'Tus-Resumable': '1.0.0',
				'Content-Length': bytes.length,
			}),
		);
		wire.send(bytes.subarray(0, 5_000));
		await expect.poll(async () => (await stored(api)).filter((key) => key.endsWith('.tmp')).length).toBe(1);
		wire.socket.destroy();
		await expect.poll(async () => (await tus(url, 'HEAD')).headers.get('upload-offset')).toBe('5000');
		const rest = await tus(url, 'PATCH', bytesAt(5_000), bytes.subarray(5_000));
		expect(rest.status).toBe(204);
		expect(await originalOf(api, rest.headers.get('picpipe-picture') ?? '')).toEqual(bytes);
	});

	it('may be slow, as long as bytes arrive', async () => {
		const api = await startTestApi({ PICPIPE_IDLE_SECONDS: '1', PICPIPE_MIN_UPLOAD_SPEED: '0' });
		const url = await begin(api);
		const wire = await openWire(api.url);
		wire.send(
			head(`PATCH ${new URL(url).pathname}`, {
				...bytesAt(0),
				'Tus-Resumable': '1.0.0',
				'Content-Length': bytes.length,
			}),
		);
		const steps = 9;
		for (let step = 0; step < steps; step++) {
			await new Promise((resolve) => setTimeout(resolve, 300));
			wire.send(bytes.subarray((bytes.length * step) / steps, (bytes.length * (step + 1)) / steps));
		}
		await wire.until(/^HTTP\/1\.1 204 [\s\S]*Picpipe-Picture: pic_/);
	});

	it('that stalls is ended with 408, and the received bytes count', { timeout: 20_000 }, async () => {
		const api = await startTestApi({ PICPIPE_SLOW_SECONDS: '1' });
		const url = await begin(api);
		const wire = await openWire(api.url);
		const headers = { ...bytesAt(0), 'Tus-Resumable': '1.0.0', 'Content-Length': bytes.length };
		wire.send(head(`PATCH ${new URL(url).pathname}`, headers), bytes.subarray(0, 4_000));
		await wire.until(/^HTTP\/1\.1 408 [\s\S]*upload-too-slow/);
		await expect.poll(async () => (await tus(url, 'HEAD')).headers.get('upload-offset')).toBe('4000');
	});

	it('can be created with its first bytes, or all of them', async () => {
		const api = await startTestApi();
		const length = { 'upload-length': String(bytes.length), 'content-type': 'application/offset+octet-stream' };
		const some = await tus(`${api.url}/v1/uploads`, 'POST', length, bytes.subarray(0, 100));
		expect(some.headers.get('upload-offset')).toBe('100');
		expect(await json(some)).toMatchObject({ state: 'incomplete', offset: 100 });
		const all = await tus(`${api.url}/v1/uploads`, 'POST', length, bytes);
		expect(all.status).toBe(201);
		expect(await json(all)).toMatchObject({ state: 'complete', picture: all.headers.get('picpipe-picture') });
	});

	it('can declare its length later', async () => {
		const api = await startTestApi({ PICPIPE_MAX_BYTES: String(bytes.length) });
		const url = await begin(api, { 'upload-defer-length': '1' });
		expect((await tus(url, 'PATCH', bytesAt(0), bytes.subarray(0, 1_000))).status).toBe(204);
		const shown = await tus(url, 'HEAD');
		expect([shown.headers.get('upload-defer-length'), shown.headers.get('upload-length')]).toEqual(['1', null]);
		const tooLong = { ...bytesAt(1_000), 'upload-length': String(bytes.length + 1) };
		expect((await tus(url, 'PATCH', tooLong, bytes.subarray(1_000))).status).toBe(413);
		const told = { ...bytesAt(1_000), 'upload-length': String(bytes.length) };
		expect((await tus(url, 'PATCH', told, bytes.subarray(1_000, 2_000))).status).toBe(204);
		const changed = { ...bytesAt(2_000), 'upload-length': String(bytes.length - 1) };
		expect(await json(await tus(url, 'PATCH', changed, bytes.subarray(2_000)))).toMatchObject({
			code: 'invalid-upload-header',
			detail: expect.stringContaining(String(bytes.length)),
		});
		expect(
			(await tus(url, 'PATCH', bytesAt(2_000), bytes.subarray(2_000))).headers.get('picpipe-picture'),
		).toBeTruthy();
	});

	it('returns the same picture after a lost response, whatever the request', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		const first = (await tus(url, 'PATCH', bytesAt(0), bytes)).headers.get('picpipe-picture');
		expect(first).toMatch(/^pic_/);
		const end = bytesAt(bytes.length);
		for (const again of [await tus(url, 'HEAD'), await fetch(url), await tus(url, 'PATCH', end)]) {
			expect(again.ok).toBe(true);
			expect(again.headers.get('picpipe-picture')).toBe(first);
		}
		expect((await json(await fetch(`${api.url}/v1/pictures`))).pictures).toHaveLength(1);
	});

	it('is used by one request at a time, and the newer one wins', { timeout: 30_000 }, async () => {
		const api = await startTestApi();
		const url = await begin(api);
		const wire = await openWire(api.url);
		wire.send(
			head(`PATCH ${new URL(url).pathname}`, {
				...bytesAt(0),
				'Tus-Resumable': '1.0.0',
				'Content-Length': bytes.length,
			}),
		);
		wire.send(bytes.subarray(0, 3_000));
		await expect.poll(async () => (await stored(api)).filter((key) => key.endsWith('.tmp')).length).toBe(1);
		// The first one stands still; whoever comes now gets what it has brought.
		expect((await tus(url, 'HEAD')).headers.get('upload-offset')).toBe('3000');
		await wire.untilEnded();
		const both = await Promise.all([0, 1].map(() => tus(url, 'PATCH', bytesAt(3_000), bytes.subarray(3_000))));
		const statuses = both.map(({ status }) => status).sort();
		// The second one found it complete, or its connection was cut while the first was at it.
		expect(statuses[0]).toBe(204);
		expect([204, 409]).toContain(statuses[1]);
		expect((await json(await fetch(`${api.url}/v1/pictures`))).pictures).toHaveLength(1);
	});

	it('is locked across APIs, and any of them can resume it', async () => {
		const api = await startTestApi();
		const other = await startTestApi({
			PICPIPE_STORAGE: api.config.storage,
			PICPIPE_REDIS_PREFIX: api.config.redisPrefix,
		});
		for (const { url } of [api, other]) await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(200);
		const url = await begin(api);
		const elsewhere = url.replace(api.url, other.url);
		const wire = await openWire(api.url);
		wire.send(
			head(`PATCH ${new URL(url).pathname}`, {
				...bytesAt(0),
				'Tus-Resumable': '1.0.0',
				'Content-Length': bytes.length,
			}),
		);
		wire.send(bytes.subarray(0, 3_000));
		await expect.poll(async () => (await stored(api)).filter((key) => key.endsWith('.tmp')).length).toBe(1);
		const refused = await fetch(elsewhere);
		expect([refused.status, refused.headers.get('retry-after')]).toEqual([423, '1']);
		expect(await json(refused)).toMatchObject({ code: 'upload-locked' });
		wire.socket.destroy();
		await expect.poll(async () => (await tus(elsewhere, 'HEAD')).headers.get('upload-offset')).toBe('3000');
		expect((await tus(elsewhere, 'PATCH', bytesAt(3_000), bytes.subarray(3_000))).status).toBe(204);
	});

	it('is deleted by its client, and leaves nothing', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		await tus(url, 'PATCH', bytesAt(0), bytes.subarray(0, 2_000));
		expect(await stored(api)).toHaveLength(2);
		expect((await tus(url, 'DELETE')).status).toBe(204);
		expect(await stored(api)).toEqual([]);
		for (const method of ['HEAD', 'GET', 'DELETE']) expect((await tus(url, method)).status).toBe(404);
		expect(await json(await tus(url, 'PATCH', bytesAt(2_000), 'x'))).toMatchObject({ code: 'upload-not-found' });
	});

	it('expires if it is not resumed', async () => {
		const api = await startTestApi({ PICPIPE_RESUMABLE_SECONDS: '4', PICPIPE_UPLOAD_SECONDS: '1' });
		const asked = Date.now();
		const created = await tus(`${api.url}/v1/uploads`, 'POST', { 'upload-length': String(bytes.length) });
		const url = `${api.url}${created.headers.get('location')}`;
		const expires = Date.parse(created.headers.get('upload-expires') ?? '');
		// Told in whole seconds.
		expect(expires).toBeGreaterThan(asked + 4_000 - 1_100);
		expect(expires).toBeLessThan(Date.now() + 4_000 + 1_100);
		// Whoever goes on has the whole time again.
		await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(expires - 2_000);
		const patched = await tus(url, 'PATCH', bytesAt(0), bytes.subarray(0, 100));
		expect(Date.parse(patched.headers.get('upload-expires') ?? '')).toBeGreaterThanOrEqual(expires);
		expect((await api.sweep()).expired).toBe(0);
		await expect.poll(async () => (await tus(url, 'HEAD')).status, { timeout: 10_000 }).toBe(410);
		expect(await json(await tus(url, 'PATCH', bytesAt(100), 'x'))).toMatchObject({ code: 'upload-expired' });
		const whole = await begin(api);
		expect((await api.sweep()).expired).toBe(1);
		expect((await tus(url, 'HEAD')).status).toBe(404);
		expect((await tus(whole, 'HEAD')).status).toBe(200);
	});
});

describe('after a crash while an upload becomes a picture', () => {
	/** An upload that has become a picture, put back to what was there before its outcome was written. */
	async function almostDone(api: TestApi) {
		const url = await begin(api);
		const picture = (await tus(url, 'PATCH', bytesAt(0), bytes)).headers.get('picpipe-picture') ?? '';
		const id = url.split('/').at(-1) ?? '';
		const upload = await readUpload(api.storage, id);
		if (!upload) throw new Error('There is no upload.');
		const { outcome: _outcome, endedAt: _endedAt, ...before } = upload;
		await writeUpload(api.storage, before);
		await api.storage.put(uploadPartKey(id, 0), bytes);
		return { url, picture };
	}

	/** Takes back what is kept for whoever does it again: the answer, or all of it. */
	async function forgetAnswer(api: TestApi): Promise<void> {
		for await (const key of api.storage.list('idempotency/')) {
			const { results: _results, ...record } = JSON.parse(String(await readObject(api.storage, key)));
			await api.storage.put(key, Buffer.from(JSON.stringify(record)));
		}
	}

	it.each<[string, (api: TestApi, picture: string) => Promise<void>]>([
		['after the picture was accepted', async () => {}],
		['before that was noted', forgetAnswer],
		[
			'before the manifest',
			async (api, picture) => {
				await forgetAnswer(api);
				await api.storage.delete(manifestKey(folderOf(picture)));
			},
		],
	])('%s, the next question finds the same picture', async (_when, kill) => {
		const api = await startTestApi();
		for (const ask of ['HEAD', 'GET', 'PATCH']) {
			const { url, picture } = await almostDone(api);
			await kill(api, picture);
			const answer = await tus(url, ask, ask === 'PATCH' ? bytesAt(bytes.length) : {});
			expect([ask, answer.ok, answer.headers.get('picpipe-picture')]).toEqual([ask, true, picture]);
			expect(await originalOf(api, picture)).toEqual(bytes);
		}
		expect((await json(await fetch(`${api.url}/v1/pictures`))).pictures).toHaveLength(3);
		expect((await api.keys()).filter((key) => key.includes('/original'))).toHaveLength(3);
	});

	it('before anything of the picture exists, the next request creates it', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		await api.storage.put(uploadPartKey(url.split('/').at(-1) ?? '', 0), bytes);
		const picture = (await tus(url, 'HEAD')).headers.get('picpipe-picture') ?? '';
		expect(await originalOf(api, picture)).toEqual(bytes);
	});
});

describe('a checksum', () => {
	const sum = (algorithm: string, of: Buffer) => ({
		'upload-checksum': `${algorithm} ${createHash(algorithm).update(of).digest('base64')}`,
	});

	it.each(['sha1', 'sha256', 'sha512'])(
		'of %s is verified, and nothing counts unless it matches',
		async (algorithm) => {
			const api = await startTestApi();
			const url = await begin(api);
			const first = bytes.subarray(0, 4_000);
			const wrong = await tus(url, 'PATCH', { ...bytesAt(0), ...sum(algorithm, bytes) }, first);
			expect(wrong.status).toBe(460);
			expect(await json(wrong)).toMatchObject({ code: 'checksum-mismatch' });
			expect((await tus(url, 'HEAD')).headers.get('upload-offset')).toBe('0');
			expect(await stored(api)).toHaveLength(1);
			expect((await tus(url, 'PATCH', { ...bytesAt(0), ...sum(algorithm, first) }, first)).status).toBe(204);
			const rest = bytes.subarray(4_000);
			const last = await tus(url, 'PATCH', { ...bytesAt(4_000), ...sum(algorithm, rest) }, rest);
			expect(await originalOf(api, last.headers.get('picpipe-picture') ?? '')).toEqual(bytes);
		},
	);

	it('of an interrupted body counts as wrong', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		const wire = await openWire(api.url);
		const headers = { ...bytesAt(0), ...sum('sha1', bytes), 'Tus-Resumable': '1.0.0', 'Content-Length': bytes.length };
		wire.send(head(`PATCH ${new URL(url).pathname}`, headers), bytes.subarray(0, 5_000));
		await expect.poll(async () => (await stored(api)).filter((key) => key.endsWith('.tmp')).length).toBe(1);
		wire.socket.destroy();
		await expect.poll(() => stored(api)).toHaveLength(1);
		expect((await tus(url, 'HEAD')).headers.get('upload-offset')).toBe('0');
	});

	it('with an unknown algorithm is refused before the body is read', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		const answer = await tus(url, 'PATCH', { ...bytesAt(0), 'upload-checksum': 'crc32 AAAA' }, bytes);
		expect(await json(answer)).toMatchObject({ status: 400, code: 'invalid-upload-header' });
	});
});

describe('partial uploads', () => {
	async function partial(api: TestApi, part: Buffer): Promise<string> {
		const headers = { 'upload-length': String(part.length), 'upload-concat': 'partial' };
		const url = await begin(api, headers);
		expect((await tus(url, 'PATCH', bytesAt(0), part)).headers.get('picpipe-picture')).toBeNull();
		return url;
	}

	it('by tus-js-client become one picture', async () => {
		const api = await startTestApi();
		const sent = await sendByTus(api.url, bytes, {
			parallelUploads: 3,
			metadata: { filename: 'a.jpg', tags: 'three' },
		});
		expect(sent).toMatchObject({ status: 201, picture: expect.stringMatching(/^pic_/) });
		expect(await originalOf(api, sent.picture ?? '')).toEqual(bytes);
		expect(await json(await fetch(`${api.url}/v1/pictures/${sent.picture}`))).toMatchObject({
			tags: ['three'],
			source: { filename: 'a.jpg' },
		});
		expect(await stored(api)).toHaveLength(1);
	});

	it('become the same picture after a lost response, and accept no more bytes', async () => {
		const api = await startTestApi();
		const parts = [await partial(api, bytes.subarray(0, 3_000)), await partial(api, bytes.subarray(3_000))];
		const paths = parts.map((url) => new URL(url).pathname);
		const headers = { 'upload-concat': `final;${parts[0]} ${paths[1]}`, 'upload-metadata': metadata({ tags: 'x' }) };
		const first = await tus(`${api.url}/v1/uploads`, 'POST', headers);
		expect(first.status).toBe(201);
		const again = await tus(`${api.url}/v1/uploads`, 'POST', headers);
		for (const name of ['location', 'picpipe-picture'])
			expect([again.status, again.headers.get(name)]).toEqual([201, first.headers.get(name)]);
		const url = `${api.url}${first.headers.get('location')}`;
		const shown = await tus(url, 'HEAD');
		expect(shown.headers.get('upload-concat')).toBe(headers['upload-concat']);
		expect(shown.headers.get('upload-length')).toBe(String(bytes.length));
		expect(await json(await tus(url, 'PATCH', bytesAt(bytes.length), 'x'))).toMatchObject({
			code: 'upload-concatenated',
		});
	});

	it.each([
		['that are not complete', 409, 'upload-unfinished'],
		['that are not there', 404, 'upload-not-found'],
		['that are none', 400, 'invalid-upload-header'],
		['that are too large together', 413, 'file-too-large'],
		['with a recipe that is not there', 400, 'unknown-recipe'],
		['with a length of their own', 400, 'invalid-upload-header'],
	])('%s are refused', async (what, status, code) => {
		const api = await startTestApi({ PICPIPE_MAX_BYTES: String(bytes.length) });
		const good = await partial(api, bytes.subarray(0, 3_000));
		const second = {
			'that are not complete': () => begin(api, { 'upload-concat': 'partial' }),
			'that are not there': async () => `${api.url}/v1/uploads/upl_01arz3ndektsv4rrffq69g5fav`,
			'that are none': () => begin(api),
			'that are too large together': () => partial(api, bytes.subarray(0, bytes.length - 2_000)),
		}[what];
		const headers = {
			'upload-concat': `final;${good} ${second ? await second() : good}`,
			...(what.includes('recipe') && { 'upload-metadata': metadata({ recipe: 'nothing' }) }),
			...(what.includes('length') && { 'upload-length': '6000' }),
		};
		const refused = await tus(`${api.url}/v1/uploads`, 'POST', headers);
		expect([refused.status, (await json(refused)).code]).toEqual([status, code]);
		expect(await api.keys()).toEqual([]);
	});
});

describe('a file that is not a picture', () => {
	it('is refused with its last bytes, leaves nothing, and stays refused', async () => {
		const api = await startTestApi();
		const text = Buffer.from('This is a text and no picture. '.repeat(1_000));
		const sent = await sendByTus(api.url, text, { metadata: { filename: 'a.jpg' }, chunkSize: 20_000 });
		expect(sent).toMatchObject({ status: 415, problem: { code: 'unsupported-type' } });
		expect(await stored(api)).toHaveLength(1);
		expect(await api.keys()).toEqual([]);
		const shown = await fetch(sent.url ?? '');
		expect(await json(shown)).toMatchObject({ state: 'refused', problem: { code: 'unsupported-type', status: 415 } });
		expect((await tus(sent.url ?? '', 'HEAD')).status).toBe(415);
		expect((await tus(sent.url ?? '', 'PATCH', bytesAt(text.length))).status).toBe(415);
		expect((await tus(sent.url ?? '', 'DELETE')).status).toBe(204);
		expect(await stored(api)).toEqual([]);
	});

	it.each<[string, Record<string, string>, number, string]>([
		['too large', { 'upload-length': '5001' }, 413, 'file-too-large'],
		['empty', { 'upload-length': '0' }, 400, 'empty-file'],
		['of no recipe there is', { 'upload-metadata': metadata({ recipe: 'none' }) }, 400, 'unknown-recipe'],
		['with a misspelt field', { 'upload-metadata': metadata({ recpie: 'web' }) }, 400, 'unknown-field'],
		['with a token as a field', { 'upload-metadata': metadata({ token: 'x' }) }, 400, 'unknown-field'],
		['with a bad tag', { 'upload-metadata': metadata({ tags: '!' }) }, 400, 'invalid-field'],
		['with metadata that is none', { 'upload-metadata': 'filename $$$' }, 400, 'invalid-upload-header'],
		['with a name twice', { 'upload-metadata': 'tags YQ==,tags Yg==' }, 400, 'invalid-upload-header'],
		['with a length that is none', { 'upload-length': '-1' }, 400, 'invalid-upload-header'],
		['with two lengths', { 'upload-defer-length': '1' }, 400, 'invalid-upload-header'],
		['in another version', { 'tus-resumable': '0.2.2' }, 412, 'unsupported-tus-version'],
		['with a wrong concatenation', { 'upload-concat': 'final;elsewhere' }, 400, 'invalid-upload-header'],
	])('and %s is refused before a byte is sent', async (_what, headers, status, code) => {
		const api = await startTestApi({ PICPIPE_MAX_BYTES: '5000' });
		const answer = await tus(`${api.url}/v1/uploads`, 'POST', { 'upload-length': '100', ...headers });
		expect(answer.headers.get('content-type')).toContain('application/problem+json');
		expect(answer.headers.get('tus-resumable')).toBe('1.0.0');
		expect([answer.status, (await json(answer)).code]).toEqual([status, code]);
		expect(await stored(api)).toEqual([]);
		if (status === 412) expect(answer.headers.get('tus-version')).toBe('1.0.0');
	});

	it('and a file in a thousand tiny parts is refused', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		const folder = join(api.config.dataFolder, 'uploads', url.split('/').at(-1) ?? '');
		for (let at = 0; at < maximumParts; at++) await writeFile(join(folder, String(at).padStart(16, '0')), 'x');
		const refused = await tus(url, 'PATCH', bytesAt(maximumParts), 'x');
		expect([refused.status, (await json(refused)).code]).toEqual([413, 'too-many-parts']);
	});

	it('and a body beyond the declared length is refused, and the declared bytes can still be sent', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		const more = await tus(url, 'PATCH', bytesAt(0), Buffer.concat([bytes, Buffer.from('x')]));
		expect([more.status, (await json(more)).code]).toEqual([413, 'file-too-large']);
		const elsewhere = await tus(url, 'PATCH', bytesAt(7), bytes);
		expect([elsewhere.status, (await json(elsewhere)).code]).toEqual([409, 'wrong-offset']);
		const untyped = await tus(url, 'PATCH', { 'upload-offset': '0', 'content-type': 'image/jpeg' }, bytes);
		expect(untyped.status).toBe(415);
		expect((await tus(url, 'PATCH', bytesAt(0), bytes)).status).toBe(204);
	});
});

describe('the protocol', () => {
	it('tells what there is of it', async () => {
		const api = await startTestApi({ PICPIPE_MAX_BYTES: '12345' });
		const { status, headers } = await fetch(`${api.url}/v1/uploads`, { method: 'OPTIONS' });
		expect(status).toBe(204);
		expect(headers.get('tus-version')).toBe('1.0.0');
		expect(headers.get('tus-max-size')).toBe('12345');
		expect(headers.get('tus-checksum-algorithm')).toBe('sha1,sha256,sha512');
		expect(headers.get('tus-extension')?.split(',').sort()).toEqual([
			'checksum',
			'concatenation',
			'creation',
			'creation-defer-length',
			'creation-with-upload',
			'expiration',
			'termination',
		]);
	});

	it('takes other methods as a POST where nothing else gets through', async () => {
		const api = await startTestApi();
		const sent = await sendByTus(api.url, bytes, { overridePatchMethod: true });
		expect(sent.picture).toMatch(/^pic_/);
		const ended = await tus(sent.url ?? '', 'POST', { 'x-http-method-override': 'DELETE' });
		expect(ended.status).toBe(204);
		expect((await fetch(sent.url ?? '')).status).toBe(404);
	});

	it('answers a POST that stands for a HEAD without announcing a body that never comes', async () => {
		const api = await startTestApi();
		const url = await begin(api);
		const found = await tus(url, 'POST', { 'x-http-method-override': 'HEAD' });
		expect([found.status, found.headers.get('upload-offset'), await found.text()]).toEqual([200, '0', '']);
		const missing = await tus(`${url.slice(0, -2)}00`, 'POST', { 'x-http-method-override': 'HEAD' });
		expect([missing.status, await missing.text()]).toEqual([404, '']);
	});
});
