import { describe, expect, it } from 'vitest';
import { form, json, startTestApi, type TestApi } from '../../helpers/api.ts';
import { photograph } from '../../helpers/pictures.ts';

const picture = (seed = 1) => photograph({ width: 64, height: 48, seed });

async function upload(api: TestApi, bytes: Buffer, query = ''): Promise<Response> {
	return fetch(`${api.url}/v1/pictures${query}`, {
		method: 'POST',
		body: new Uint8Array(bytes),
		headers: { 'content-type': 'image/jpeg' },
	});
}

/** An api whose index is whole, as a worker leaves it after its first sweep. */
async function start(): Promise<TestApi> {
	const api = await startTestApi();
	await api.reindex();
	return api;
}

describe('uploading the same bytes again', () => {
	it('creates another picture by default', async () => {
		const api = await start();
		const [one, other] = [
			await json(await upload(api, await picture())),
			await json(await upload(api, await picture())),
		];
		expect(one.id).not.toBe(other.id);
		expect(one.source.sha256).toBe(other.source.sha256);
	});

	it('returns the existing picture with link', async () => {
		const api = await start();
		const first = await json(await upload(api, await picture(), '?tags=first'));
		const again = await upload(api, await picture(), '?duplicates=link&tags=second');
		expect(again.status).toBe(200);
		expect(again.headers.get('location')).toBe(`/v1/pictures/${first.id}`);
		expect(await json(again)).toEqual(first);
		expect((await upload(api, await picture(2), '?duplicates=link')).status).toBe(202);
	});

	it('is refused with refuse, naming the existing picture', async () => {
		const api = await start();
		const first = await json(await upload(api, await picture(), '?duplicates=refuse'));
		const keys = await api.keys();
		const again = await upload(api, await picture(), '?duplicates=refuse');
		expect(again.status).toBe(409);
		const problem = await json(again);
		expect(problem).toMatchObject({ code: 'duplicate-picture', class: 'request', pictureId: first.id });
		expect(problem.detail).toContain(first.id);
		expect(await api.keys()).toEqual(keys);
	});

	it('is checked for each file of a form, also within one form', async () => {
		const api = await start();
		const first = await json(await upload(api, await picture()));
		const files = [
			['same.jpg', await picture()],
			['new.jpg', await picture(2)],
			['new-again.jpg', await picture(2)],
		] as const;
		const post = (policy: string) =>
			fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form(files, ['duplicates', policy]) });
		const refused = await post('refuse');
		expect(refused.status).toBe(202);
		const body = await json(refused);
		expect(body.pictures).toHaveLength(1);
		const [{ id }] = body.pictures;
		expect(body.refused).toMatchObject([
			{ filename: 'same.jpg', problem: { code: 'duplicate-picture', pictureId: first.id } },
			{ filename: 'new-again.jpg', problem: { code: 'duplicate-picture', pictureId: id } },
		]);
		const linked = await post('link');
		expect(linked.status).toBe(200);
		const all = await json(linked);
		expect(all.pictures.map((one: { id: string }) => one.id)).toEqual([first.id, id, id]);
		expect(all).toMatchObject({ refused: [], linked: [first.id, id, id] });
		expect((await api.keys()).filter((key) => key.startsWith('pending/'))).toHaveLength(2);
	});

	it('fifty times simultaneously creates one picture', async () => {
		const api = await start();
		const bytes = await picture();
		const answers = await Promise.all(Array.from({ length: 50 }, () => upload(api, bytes, '?duplicates=link')));
		const statuses = answers.map(({ status }) => status).sort();
		expect(statuses).toEqual([...Array.from({ length: 49 }, () => 200), 202]);
		const ids = new Set((await Promise.all(answers.map(json))).map(({ id }) => id));
		expect(ids.size).toBe(1);
		const [id] = ids;
		const keys = await api.keys();
		expect(keys).toHaveLength(3);
		expect(keys.every((key) => key.includes(id))).toBe(true);
	});

	it('is new after a deletion', async () => {
		const api = await start();
		const first = await json(await upload(api, await picture()));
		await fetch(`${api.url}/v1/pictures/${first.id}`, { method: 'DELETE' });
		const again = await upload(api, await picture(), '?duplicates=refuse');
		expect(again.status).toBe(202);
		expect((await json(again)).id).not.toBe(first.id);
	});

	it('is detected after the index was lost and rebuilt, and undecided until then', async () => {
		const api = await start();
		const first = await json(await upload(api, await picture()));
		await api.loseIndex();
		const between = await upload(api, await picture(), '?duplicates=link');
		expect(between.status).toBe(503);
		expect(between.headers.get('retry-after')).toBe('5');
		expect(await json(between)).toMatchObject({ code: 'duplicate-undecided', class: 'transient' });
		await api.reindex();
		expect((await json(await upload(api, await picture(), '?duplicates=link'))).id).toBe(first.id);
	});

	it('is undecided without Redis, and nothing is kept', async () => {
		const api = await startTestApi({ REDIS_URL: 'redis://127.0.0.1:1' });
		const answer = await upload(api, await picture(), '?duplicates=refuse');
		expect(answer.status).toBe(503);
		expect(await json(answer)).toMatchObject({ code: 'queue-unavailable' });
		expect(await api.keys()).toEqual([]);
		expect((await upload(api, await picture())).status).toBe(202);
	});

	it('accepts no other values', async () => {
		const api = await start();
		const answer = await upload(api, await picture(), '?duplicates=maybe');
		expect(answer.status).toBe(400);
		expect(await json(answer)).toMatchObject({ code: 'invalid-field' });
	});
});
