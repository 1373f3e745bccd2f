import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLogger } from '../../src/observe/log.ts';
import { startArena } from '../../src/roles/arena.ts';
import { json, startTestApi, type TestApi, untilFinished } from '../helpers/api.ts';
import { photograph } from '../helpers/pictures.ts';
import { fetchesFromHere, type Remote, says, sends, startRemote } from '../helpers/remote.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 64, height: 48 });
});

interface Opened {
	readonly api: TestApi;
	readonly remote: Remote;
	/** A picture that is accepted by its address. */
	readonly id: string;
	readonly jobId: string;
	/** A request to Arena below the queue of fetches. */
	ask(method: string, path: string, body?: unknown): Promise<Response>;
	data(): Promise<object>;
}

async function open(): Promise<Opened> {
	const api = await startTestApi({ ...fetchesFromHere, PICPIPE_ARENA_PORT: '0' });
	const arena = await startArena(api.config, createLogger('arena', api.config.logLevel));
	onTestFinished(() => arena.stop());
	const remote = await startRemote(says(404));
	const response = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ url: `${remote.url}/a.jpg?signature=secret` }),
	});
	const { id, links } = await json(response);
	const jobId = new URL(links.job).pathname.split('/').at(-1) ?? '';
	return {
		api,
		remote,
		id,
		jobId,
		ask: (method, path, body) =>
			fetch(`${arena.address}/api/queue/picpipe/fetches${path}`, {
				method,
				...(body !== undefined && {
					headers: { 'content-type': 'application/json' },
					body: JSON.stringify(body),
				}),
			}),
		async data() {
			const page = await fetch(`${arena.address}/picpipe/fetches/${jobId}?json=true`);
			return (await json(page)).data;
		},
	};
}

describe('the job of a fetch in Arena', () => {
	it('can be retried after a failure, and its picture is processed', async () => {
		const { api, remote, id, jobId, ask } = await open();
		await api.startWorker();
		expect(await untilFinished(api, id)).toMatchObject({ state: 'failed' });
		// The manifest says so a moment before the job does.
		const failedJobs = async () => {
			const { queues } = await json(await fetch(`${api.url}/v1/queues`));
			return queues.find(({ name }: { name: string }) => name === 'fetches').counts.failed;
		};
		await expect.poll(failedJobs, { timeout: 10_000 }).toBe(1);
		remote.answer(sends(bytes));
		expect((await ask('PATCH', `/job/${jobId}`)).status).toBe(200);
		await expect
			.poll(async () => (await json(await fetch(`${api.url}/v1/pictures/${id}`))).state, { timeout: 20_000 })
			.toBe('ready');
	});

	it('shows no secrets of its URL, and keeps the data that its id is derived from', async () => {
		const { jobId, ask, data, remote } = await open();
		const before = await data();
		expect(before).toMatchObject({ source: { url: `${remote.url}/a.jpg?…`, filename: 'a.jpg' } });
		expect(JSON.stringify(before)).not.toContain('secret');
		expect((await ask('PUT', `/job/${jobId}/data`, { ...before, requestId: 'req-2' })).status).toBe(200);
		expect(await data()).toEqual({ ...before, requestId: 'req-2' });
		const other = { ...before, source: { url: 'http://other.example/', digest: '0123456789ab' } };
		expect((await ask('PUT', `/job/${jobId}/data`, other)).status).toBe(500);
		expect((await ask('PUT', `/job/${jobId}/data`, { pictureId: 'x' })).status).toBe(500);
		expect(await data()).toEqual({ ...before, requestId: 'req-2' });
	});

	it('can be created once more, with its derived id', async () => {
		const { api, jobId, ask, data } = await open();
		const work = await data();
		expect((await ask('DELETE', `/job/${jobId}`)).status).toBe(200);
		for (const _time of [1, 2]) expect((await ask('POST', '/job', { name: 'fetch', data: work })).status).toBe(200);
		expect(await data()).toEqual(work);
		const { queues } = await json(await fetch(`${api.url}/v1/queues`));
		expect(queues.find(({ name }: { name: string }) => name === 'fetches').counts.waiting).toBe(1);
		expect((await ask('POST', '/job', { name: 'process', data: work })).status).toBe(500);
		expect((await ask('POST', '/job', { name: 'fetch', data: {} })).status).toBe(500);
	});
});
