import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis } from '../../../src/queue/redis.ts';
import { listed } from '../../contract/storage.ts';
import { json, startTestApi, type TestApi } from '../../helpers/api.ts';
import { bearer, startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { startRedis } from '../../helpers/redis.ts';
import { bytesAt, tus } from '../../helpers/tus.ts';

const megabyte = 1_000_000;
const partial = (length: number) => ({ 'upload-length': String(length), 'upload-concat': 'partial' });
const offsetBytes = { 'content-type': 'application/offset+octet-stream' };

/** Statuses, with how often each came. */
function tally(answers: readonly { readonly status: number }[]): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
	return counts;
}

async function storedBytes({ storage }: TestApi): Promise<number> {
	let bytes = 0;
	for (const key of await listed(storage, 'uploads/', { temporary: true }))
		bytes += (await storage.stat(key))?.bytes ?? 0;
	return bytes;
}

async function tokenOf({ url }: TestApi, key: string, wishes: object): Promise<Record<string, string>> {
	const response = await fetch(`${url}/v1/upload-tokens`, {
		method: 'POST',
		headers: { ...bearer(key), 'content-type': 'application/json' },
		body: JSON.stringify(wishes),
	});
	return bearer((await json(response)).token);
}

describe('an upload token', () => {
	it('of 1 MB cannot leave 77 partial uploads of 1 MB behind', async () => {
		const { api, keys } = await startKeyedApi({ key: {} });
		const token = await tokenOf(api, keys.key, { maxBytes: megabyte, maxPictures: 1 });
		const send = () =>
			tus(
				`${api.url}/v1/uploads`,
				'POST',
				{ ...token, ...partial(megabyte), ...offsetBytes },
				Buffer.alloc(megabyte, 7),
			);
		const first = await send();
		expect(first.status).toBe(201);
		const refused = await send();
		expect(await json(refused)).toMatchObject({
			status: 429,
			code: 'too-many-unfinished-uploads',
			detail: expect.stringMatching(/1000000 bytes of unfinished uploads with this upload token.* there are 1000000/),
		});
		for (let index = 2; index < 77; index++) expect((await send()).status).toBe(429);
		expect(await storedBytes(api)).toBeLessThan(1.01 * megabyte);
		// What is deleted makes room.
		const gone = await tus(api.url + first.headers.get('location'), 'DELETE', token);
		expect(gone.status).toBe(204);
		expect((await send()).status).toBe(201);
	});

	it('of the usual number of pictures is bounded as well, as are lengths told later', async () => {
		const { api, keys } = await startKeyedApi({ key: {} }, { PICPIPE_TOKEN_UNFINISHED_FILES: '3' });
		const token = await tokenOf(api, keys.key, { maxBytes: megabyte });
		const create = (headers: Record<string, string>) => tus(`${api.url}/v1/uploads`, 'POST', { ...token, ...headers });
		const deferred = await Promise.all(Array.from({ length: 10 }, () => create({ 'upload-defer-length': '1' })));
		expect(tally(deferred)).toEqual({ 201: 3, 429: 7 });
		// Of known length, it is smaller than it might have been.
		const at = deferred.find(({ status }) => status === 201)?.headers.get('location');
		const told = await tus(
			api.url + at,
			'PATCH',
			{ ...token, ...bytesAt(0), 'upload-length': '1000' },
			Buffer.alloc(10, 7),
		);
		expect(told.status).toBe(204);
		expect((await create(partial(megabyte))).status).toBe(429);
		expect((await create(partial(megabyte - 1_000))).status).toBe(201);
	});

	it('has so many tries, refused ones included', async () => {
		const { api, keys } = await startKeyedApi({ key: {} }, { PICPIPE_TOKEN_UNFINISHED: '4' });
		const token = await tokenOf(api, keys.key, { maxBytes: megabyte, maxPictures: 1 });
		const tries: Response[] = [];
		for (let index = 0; index < 6; index++) {
			const created = await tus(`${api.url}/v1/uploads`, 'POST', { ...token, 'upload-length': '5' });
			tries.push(created);
			if (created.status !== 201) continue;
			const patched = await tus(
				api.url + created.headers.get('location'),
				'PATCH',
				{ ...token, ...bytesAt(0) },
				'hello',
			);
			expect(patched.status).toBe(415);
		}
		expect(tally(tries)).toEqual({ 201: 4, 429: 2 });
	});
});

describe('keys and all uploads together', () => {
	it('are bounded, however many uploads begin at once', async () => {
		const { api, ask } = await startKeyedApi(
			{ one: { group: 'shop' }, other: { group: 'shop' }, third: {} },
			{
				PICPIPE_MAX_BYTES: '1000',
				PICPIPE_KEY_UNFINISHED_BYTES: '10000',
				PICPIPE_UNFINISHED: '14',
			},
		);
		const create = (key: 'one' | 'other' | 'third') =>
			ask(key, '/v1/uploads', { method: 'POST', headers: { 'tus-resumable': '1.0.0', ...partial(1_000) } });
		const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => create(at % 2 ? 'one' : 'other')));
		// The keys of a group are one owner.
		expect(tally(answers)).toEqual({ 201: 10, 429: 30 });
		const refused = answers.find(({ status }) => status === 429);
		expect(refused?.headers.get('retry-after')).toBe('60');
		const others = await Promise.all(Array.from({ length: 20 }, () => create('third')));
		expect(tally(others)).toEqual({ 201: 4, 507: 16 });
		const full = others.find(({ status }) => status === 507);
		expect(full?.headers.get('retry-after')).toBe('60');
		expect(await json(full as Response)).toMatchObject({
			code: 'uploads-full',
			detail: expect.stringContaining('14 unfinished uploads (PICPIPE_UNFINISHED) but there are 14'),
		});
		expect(await listed(api.storage, 'uploads/')).toHaveLength(14);
	});

	it('release what became a picture, joined or not, without counting it twice', async () => {
		const bytes = await photograph({ width: 64, height: 48 });
		const { url } = await startTestApi({
			PICPIPE_MAX_BYTES: String(bytes.length),
			PICPIPE_KEY_UNFINISHED_BYTES: String(bytes.length),
			PICPIPE_KEY_UNFINISHED: '3',
		});
		const create = (headers: Record<string, string>, body?: Buffer) =>
			tus(`${url}/v1/uploads`, 'POST', { ...headers, ...(body && offsetBytes) }, body);
		for (let round = 0; round < 3; round++) {
			expect((await create({ 'upload-length': String(bytes.length) }, bytes)).status).toBe(201);
			const halves = [bytes.subarray(0, 500), bytes.subarray(500)];
			const parts = await Promise.all(halves.map((half) => create(partial(half.length), half)));
			expect(tally(parts)).toEqual({ 201: 2 });
			expect((await create(partial(1))).status).toBe(429);
			const urls = parts.map(({ headers }) => headers.get('location')).join(' ');
			const joined = await create({ 'upload-concat': `final;${urls}` });
			expect(joined.status).toBe(201);
			expect(joined.headers.get('picpipe-picture')).toMatch(/^pic_/);
		}
	});
});

describe('the count of unfinished uploads', () => {
	const bounds = { PICPIPE_MAX_BYTES: '1000', PICPIPE_UNFINISHED_BYTES: '5000' };
	const createMany = (url: string, count: number) =>
		Promise.all(Array.from({ length: count }, () => tus(`${url}/v1/uploads`, 'POST', partial(1_000))));

	it('is made again from the storage when Redis has lost it, and what expired is released', async () => {
		const api = await startTestApi({ ...bounds, PICPIPE_RESUMABLE_SECONDS: '601' });
		const redis = connectRedis(api.config.redisUrl ?? '', 'worker');
		onTestFinished(() => redis.disconnect());
		await once(redis, 'ready');
		const key = (name: string) => `${api.config.redisPrefix}:unfinished:${name}`;
		const created = await createMany(api.url, 9);
		expect(tally(created)).toEqual({ 201: 5, 507: 4 });
		await redis.del(['uploads', 'totals', 'checks', 'complete'].map(key));
		await api.sweep();
		expect(tally(await createMany(api.url, 1))).toEqual({ 507: 1 });
		expect(await redis.hgetall(key('totals'))).toMatchObject({ 'all#uploads': '5', 'all#bytes': '5000' });

		// The record goes without the api, as with an expired upload; the next check is due.
		const at =
			created
				.find(({ status }) => status === 201)
				?.headers.get('location')
				?.split('/')
				.at(-1) ?? '';
		await api.storage.deleteFolder(`uploads/${at}/`);
		await redis.zadd(key('checks'), 0, at);
		await api.sweep();
		expect(tally(await createMany(api.url, 2))).toEqual({ 201: 1, 507: 1 });
	});

	it('is kept by each process while Redis is away, and told to Redis afterwards', async () => {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		const api = await startTestApi({ ...bounds, REDIS_URL: redis.url });
		await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status).toBe(200);
		await redis.kill9();
		expect(tally(await createMany(api.url, 9))).toEqual({ 201: 5, 507: 4 });
		await redis.restart();
		await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status).toBe(200);
		expect(tally(await createMany(api.url, 3))).toEqual({ 507: 3 });
	});

	it('costs as many commands however many uploads there are', async () => {
		const own = await startRedis();
		onTestFinished(() => own.stop());
		const api = await startTestApi({ REDIS_URL: own.url });
		await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status).toBe(200);
		const redis = connectRedis(own.url, 'worker');
		onTestFinished(() => redis.disconnect());
		const counted = async () => {
			const info = await redis.info('commandstats');
			return ['hincrby', 'hget', 'hset', 'zadd'].map((name) =>
				Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0),
			);
		};
		const cost = async () => {
			const before = await counted();
			await createMany(api.url, 1);
			return (await counted()).map((calls, at) => calls - (before[at] ?? 0));
		};
		const first = await cost();
		await createMany(api.url, 60);
		expect(await cost()).toEqual(first);
		expect(first).toContain(1);
	});
});
