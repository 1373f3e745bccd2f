import { describe, expect, it } from 'vitest';
import { json, startTestApi } from '../../helpers/api.ts';
import { bytesOf, key, ready, renderJobs, salt, sharedReady, signed, upload } from '../../helpers/delivery.ts';
import { photograph } from '../../helpers/pictures.ts';
import { head, openWire } from '../../helpers/wire.ts';

describe('a missing render', () => {
	const anyReady = sharedReady();

	it('gets 202 with respond-async, and never 404', async () => {
		const { api, id, renders } = await anyReady();
		const path = signed(`/w:77/plain/${id}@png`);
		const asked = await fetch(api.url + path, { headers: { prefer: 'respond-async' } });
		expect(asked.status).toBe(202);
		expect(asked.headers.get('retry-after')).toBe('1');
		expect(asked.headers.get('location')).toBe(path);
		expect((await fetch(api.url + path)).status).toBe(200);
		expect(await renders()).toBe(1);
	});

	it('is made once for many requests to two APIs', async () => {
		const { api, id, renders } = await anyReady();
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
		expect(await renders()).toBe(1);
	});

	it('does not delay uploads, however many there are', async () => {
		const photo = await photograph({ width: 1600, height: 1200 });
		const { api, id } = await ready({ PICPIPE_RENDER_SECONDS: '50' }, photo);
		let answered = 0;
		const renders = Array.from({ length: 200 }, async (_, at) => {
			const answer = await fetch(api.url + signed(`/w:${at + 200}/plain/${id}@webp`));
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

	it('is refused while too many are waiting', async () => {
		const api = await startTestApi({
			PICPIPE_DELIVERY_KEYS: `${key}:${salt}`,
			PICPIPE_RENDER_QUEUE: '5',
			PICPIPE_RENDER_SECONDS: '2',
		});
		const worker = await api.startWorker();
		const id = await upload(api, await photograph({ width: 300, height: 200 }));
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

describe('a failed render', () => {
	it('reports the reason and is not tried again at once', async () => {
		const { api, id } = await ready({ PICPIPE_MAX_OUTPUT_DIMENSION: '1000' });
		const path = signed(`/rs:force:3000:3000/el:1/plain/${id}@webp`);
		for (const _ of [1, 2]) {
			const answer = await fetch(api.url + path);
			expect([answer.status, (await json(answer)).code]).toEqual([422, 'output-too-large']);
		}
		expect(await renderJobs(api)).toBe(1);
	});

	it('is tried again after the configured time', async () => {
		const photo = await photograph({ width: 900, height: 600 });
		const { api, id } = await ready({ PICPIPE_RENDER_FROM: 'original', PICPIPE_RENDER_FAILURE_SECONDS: '5' }, photo);
		const original = (await api.keys()).find((one) => one.includes(`${id}/original`)) ?? '';
		const get = async () => (await fetch(api.url + signed(`/w:80/plain/${id}@webp`))).status;
		await api.storage.put(original, Buffer.from('no picture any more'));
		expect(await get()).toBe(500);
		await api.storage.put(original, photo);
		expect(await get()).toBe(500);
		await expect.poll(get, { timeout: 20_000, interval: 500 }).toBe(200);
	});
});

describe('a client that leaves', () => {
	it('is no longer waited for, but its render is completed', async () => {
		const api = await startTestApi({ PICPIPE_DELIVERY_KEYS: `${key}:${salt}`, PICPIPE_RENDER_QUEUE: '2' });
		const worker = await api.startWorker();
		const id = await upload(api, await photograph({ width: 300, height: 200 }));
		await worker.stop();
		const ask = async (width: number) => {
			const wire = await openWire(api.url);
			wire.send(head(`GET ${signed(`/w:${width}/plain/${id}@webp`)}`));
			return wire;
		};
		const wires = await Promise.all([10, 11].map(ask));
		await expect.poll(() => renderJobs(api)).toBe(2);
		for (const { socket } of wires) socket.destroy();
		// Nobody works on them, so they have to be taken away for another to find room; had their requests been waited for, there would be none.
		expect((await fetch(`${api.url}/v1/queues/renders/drain`, { method: 'POST' })).status).toBe(200);
		const another = fetch(api.url + signed(`/w:12/plain/${id}@webp`));
		await expect.poll(() => renderJobs(api)).toBe(1);

		const leaving = await ask(13);
		await expect.poll(() => renderJobs(api)).toBe(2);
		leaving.socket.destroy();
		await api.startWorker();
		expect((await another).status).toBe(200);
		const renders = async () => (await api.keys()).filter((one) => one.includes('/render-')).length;
		await expect.poll(renders, { timeout: 20_000 }).toBe(2);
	});
});
