import { describe, expect, it } from 'vitest';
import { json, startTestApi, untilFinished } from '../helpers/api.ts';
import { bytesOf, key, ready, renderJobs, salt, signed } from '../helpers/delivery.ts';
import { photograph } from '../helpers/pictures.ts';

describe('what is not there yet', () => {
	it('is answered 202 where nobody wants to wait, and 404 nowhere', async () => {
		const { api, id } = await ready();
		const path = signed(`/w:77/plain/${id}@png`);
		const asked = await fetch(api.url + path, { headers: { prefer: 'respond-async' } });
		expect(asked.status).toBe(202);
		expect(asked.headers.get('retry-after')).toBe('1');
		expect(asked.headers.get('location')).toBe(path);
		expect((await fetch(api.url + path)).status).toBe(200);
		expect(await renderJobs(api)).toBe(1);
	});

	it('is made once for many requests at two apis', async () => {
		const { api, id } = await ready();
		const other = await startTestApi({
			PICPIPE_DELIVERY_KEYS: `${key}:${salt}`,
			PICPIPE_REDIS_PREFIX: api.config.redisPrefix,
			PICPIPE_STORAGE: api.config.storage,
		});
		const path = signed(`/rs:fit:444:444/plain/${id}@webp`);
		const answers = await Promise.all(
			Array.from({ length: 500 }, async (_, at) => {
				const answer = await fetch((at % 2 ? api : other).url + path);
				return `${answer.status} ${(await bytesOf(answer)).length}`;
			}),
		);
		expect(new Set(answers).size).toBe(1);
		expect(answers[0]).toMatch(/^200 /);
		expect(await renderJobs(api)).toBe(1);
	});

	it('does not keep uploads waiting, however many are asked for', async () => {
		const photo = await photograph({ width: 1600, height: 1200 });
		const { api, id } = await ready({}, photo);
		let answered = 0;
		const renders = Array.from({ length: 200 }, async (_, at) => {
			const answer = await fetch(api.url + signed(`/w:${at + 400}/plain/${id}@webp`));
			await answer.arrayBuffer();
			answered += 1;
			return answer.status;
		});
		await expect.poll(() => answered, { timeout: 20_000, interval: 20 }).toBeGreaterThan(0);
		const headers = { 'content-type': 'image/jpeg', prefer: 'wait=50' };
		const uploads = [1, 2, 3].map(async (seed) => {
			const body = new Uint8Array(await photograph({ width: 300, height: 200, seed }));
			return (await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', headers, body }))).state;
		});
		expect(await Promise.all(uploads)).toEqual(['ready', 'ready', 'ready']);
		// Had they waited for their turn behind all of these, none would be left.
		expect(answered).toBeLessThan(190);
		expect(new Set(await Promise.all(renders))).toEqual(new Set([200]));
	});

	it('is refused when too many wait already', async () => {
		const api = await startTestApi({
			PICPIPE_DELIVERY_KEYS: `${key}:${salt}`,
			PICPIPE_RENDER_QUEUE: '5',
			PICPIPE_RENDER_SECONDS: '2',
		});
		const worker = await api.startWorker();
		const created = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			headers: { 'content-type': 'image/jpeg' },
			body: new Uint8Array(await photograph({ width: 300, height: 200 })),
		});
		const { id } = await json(created);
		await untilFinished(api, id);
		await worker.stop();
		const statuses = await Promise.all(
			Array.from({ length: 20 }, async (_, at) => {
				const answer = await fetch(api.url + signed(`/w:${at + 10}/plain/${id}@webp`));
				return `${answer.status} ${answer.headers.get('retry-after')}`;
			}),
		);
		expect(statuses.filter((status) => status === '202 1')).toHaveLength(5);
		expect(statuses.filter((status) => status === '503 5')).toHaveLength(15);
	});
});

describe('a render that fails', () => {
	it('says why, and is not tried again at once', async () => {
		const { api, id } = await ready({ PICPIPE_MAX_OUTPUT_DIMENSION: '1000' });
		const path = signed(`/rs:force:3000:3000/el:1/plain/${id}@webp`);
		for (const _ of [1, 2]) {
			const answer = await fetch(api.url + path);
			expect([answer.status, (await json(answer)).code]).toEqual([422, 'output-too-large']);
		}
		expect(await renderJobs(api)).toBe(1);
	});
});
