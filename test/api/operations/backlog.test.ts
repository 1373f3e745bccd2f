import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readManifest } from '../../../src/catalog/manifest.ts';
import { openQueues } from '../../../src/queue/queues.ts';
import { form, json, startTestApi, type TestApi, untilFinished } from '../../helpers/api.ts';
import { connected } from '../../helpers/connection.ts';
import { startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { sendByTus } from '../../helpers/tus.ts';

let bytes: Buffer;

beforeAll(async () => {
	bytes = await photograph({ width: 64, height: 48 });
});

async function upload({ url }: TestApi, ...fields: [string, string][]) {
	const response = await fetch(`${url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]], ...fields) });
	return { status: response.status, body: await json(response) };
}

async function waitingOf({ url }: TestApi): Promise<number> {
	const { queues } = await json(await fetch(`${url}/v1/queues`));
	return queues[0].counts.waiting;
}

describe('priority', () => {
	it.each([
		['urgent', 0, true],
		['normal', 0, undefined],
		['bulk', 1_000, undefined],
		['17', 17, undefined],
	])('%s of a form is shown and stored as %d, urgent: %s', async (given, priority, urgent) => {
		const api = await startTestApi();
		const { body } = await upload(api, ['priority', given]);
		expect([body.priority, body.urgent]).toEqual([priority, urgent]);
		const manifest = await readManifest(api.storage, body.id);
		expect([manifest?.priority, manifest?.urgent]).toEqual([priority, urgent]);
	});

	it.each(['hurry', '-1', '1001', '1.5', ''])('%j is refused', async (given) => {
		const { status, body } = await upload(await startTestApi(), ['priority', given]);
		expect([status, body.code]).toEqual([400, 'invalid-field']);
		expect(body.detail).toContain('expected urgent, normal, bulk, or an integer from 0 to 1000');
	});

	it('of a URL in JSON takes names and numbers, and no other texts', async () => {
		const api = await startTestApi();
		const send = async (priority: unknown) =>
			fetch(`${api.url}/v1/pictures`, {
				method: 'POST',
				headers: { 'content-type': 'application/json' },
				body: JSON.stringify({ url: 'https://example.org/a.jpg', priority }),
			});
		expect(await json(await send('urgent'))).toMatchObject({ priority: 0, urgent: true });
		expect(await json(await send(3))).toMatchObject({ priority: 3 });
		expect((await send('3')).status).toBe(400);
	});

	it('of a resumable upload, and of an upload token, becomes that of the picture', async () => {
		const api = await startTestApi();
		const { picture } = await sendByTus(api.url, bytes, { metadata: { filename: 'a.jpg', priority: 'urgent' } });
		const id = picture?.split('/').at(-1);
		expect(await json(await fetch(`${api.url}/v1/pictures/${id}`))).toMatchObject({ priority: 0, urgent: true });
		const made = await fetch(`${api.url}/v1/upload-tokens`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ priority: 'urgent' }),
		});
		const { token, priority } = await json(made);
		expect(priority).toBe('urgent');
		const sent = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			headers: { authorization: `Bearer ${token}` },
			body: form([['a.jpg', bytes]]),
		});
		expect(await json(sent)).toMatchObject({ urgent: true });
	});
});

describe('pictures in the backlog', () => {
	it('count as waiting, are found by their job in Arena, and are drained and swept like others', async () => {
		const api = await startTestApi();
		const ids: string[] = [];
		for (let at = 0; at < 6; at++) ids.push((await upload(api)).body.id);
		expect(await waitingOf(api)).toBe(6);
		const metrics = await (await fetch(`${api.url}/metrics`)).text();
		expect(metrics).toContain('picpipe_jobs{queue="pictures",state="waiting"} 6');
		expect(await api.sweep()).toMatchObject({ pending: 6, queued: 0 });
		await fetch(`${api.url}/v1/queues/pictures/drain`, { method: 'POST' });
		expect(await waitingOf(api)).toBe(0);
		expect(await api.sweep()).toMatchObject({ pending: 6, queued: 6 });
		expect(await waitingOf(api)).toBe(6);
		await api.startWorker();
		for (const id of ids) expect(await untilFinished(api, id)).toMatchObject({ state: 'ready' });
	});

	it('can be deleted, and processed again with another recipe', async () => {
		const api = await startTestApi();
		const ids: string[] = [];
		for (let at = 0; at < 4; at++) ids.push((await upload(api)).body.id);
		const [, , third, last] = ids;
		expect((await fetch(`${api.url}/v1/pictures/${last}`, { method: 'DELETE' })).status).toBe(204);
		expect(await waitingOf(api)).toBe(3);
		const again = await fetch(`${api.url}/v1/pictures/${third}/process`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ recipe: 'avatar' }),
		});
		expect(again.status).toBe(202);
		expect(await waitingOf(api)).toBe(3);
		await api.startWorker();
		expect(await untilFinished(api, third ?? '')).toMatchObject({ state: 'ready', recipe: { name: 'avatar' } });
		expect(await api.sweep()).toMatchObject({ queued: 0 });
	});

	it('of one key do not keep a single picture of another key waiting, with real workers', async () => {
		const { api, ask } = await startKeyedApi({ many: {}, few: {} });
		const pause = (what: string) => ask('many', `/v1/queues/pictures/${what}`, { method: 'POST' });
		await pause('pause');
		const files = Array.from({ length: 40 }, (_, at): [string, Buffer] => [`${at}.jpg`, bytes]);
		const send = async (key: 'many' | 'few', some: [string, Buffer][]) => {
			const response = await ask(key, '/v1/pictures', { method: 'POST', body: form(some) });
			expect(response.status).toBe(202);
			return json(response);
		};
		await send('many', files);
		const single = await send('few', [['one.jpg', bytes]]);
		await api.startWorker();
		await pause('resume');
		const queues = openQueues(await connected(), { ...api.config, prefix: api.config.redisPrefix });
		onTestFinished(() => queues.close());
		await expect.poll(() => queues.byName.pictures.getCompletedCount(), { timeout: 60_000 }).toBe(41);
		const done = await queues.byName.pictures.getCompleted(0, -1);
		const begun = done.sort((one, other) => (one.processedOn ?? 0) - (other.processedOn ?? 0));
		// Nothing was under way, one was taken ahead, and one more. Jobs of the same millisecond are in any order.
		const own = begun.find(({ data }) => data.pictureId === single.id);
		const before = begun.filter(({ processedOn = 0 }) => processedOn < (own?.processedOn ?? 0));
		expect(before.length).toBeLessThanOrEqual(2);
	}, 90_000);

	it('of a paused queue wait on, and move on when it is resumed', async () => {
		const api = await startTestApi();
		await fetch(`${api.url}/v1/queues/pictures/pause`, { method: 'POST' });
		await api.startWorker();
		const ids: string[] = [];
		for (let at = 0; at < 4; at++) ids.push((await upload(api)).body.id);
		expect(await waitingOf(api)).toBe(4);
		await fetch(`${api.url}/v1/queues/pictures/resume`, { method: 'POST' });
		for (const id of ids) expect(await untilFinished(api, id)).toMatchObject({ state: 'ready' });
	});
});
