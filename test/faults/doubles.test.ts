import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import { openStorage } from '../../src/storage/index.ts';
import { listed } from '../contract/storage.ts';
import { json, untilFinished } from '../helpers/api.ts';
import { until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { photograph } from '../helpers/pictures.ts';
import { PicpipeProcess } from '../helpers/processes.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { endWithTest, shared } from '../helpers/shared.ts';
import { head, openWire } from '../helpers/wire.ts';

/** Three apis, of which tests kill the first and then the second, and a worker of one installation, each a process of its own. */
async function startInstallation() {
	const folder = await temporaryFolder();
	const environment = {
		PICPIPE_STORAGE: `file:${folder}/storage`,
		PICPIPE_REDIS_PREFIX: freshPrefix(),
		PICPIPE_SWEEP_SECONDS: '1',
		REDIS_URL: inject('redisUrl'),
	};
	const run = (command: 'api' | 'worker') => {
		const one = new PicpipeProcess({ folder, command, environment });
		endWithTest(() => one.destroy());
		return one;
	};
	const apis = Array.from({ length: 3 }, () => run('api'));
	const worker = run('worker');
	const urls = await Promise.all(
		apis.map(async (api) => String((await api.waitFor(({ msg }) => msg === 'api is ready')).address)),
	);
	await worker.waitFor(({ msg }) => msg === 'worker is ready');
	const storage = openStorage(environment.PICPIPE_STORAGE);
	return {
		apis,
		urls,
		storage,
		pictures: async () => (await listed(storage, 'pictures/')).filter((key) => key.endsWith('/picture.json')),
	};
}

const once = (url: string, bytes: Buffer, query = '', key?: string) =>
	fetch(`${url}/v1/pictures${query}`, {
		method: 'POST',
		body: new Uint8Array(bytes),
		headers: { 'content-type': 'image/jpeg', ...(key !== undefined && { 'idempotency-key': `"${key}"` }) },
		signal: AbortSignal.timeout(60_000),
	});

/** Sends as a client does that wants an answer: again to the next api, as long as it gets none or is told to wait. */
async function untilAnswered(urls: readonly string[], first: number, bytes: Buffer, key: string): Promise<string> {
	for (let tries = first, end = Date.now() + 60_000; Date.now() < end; tries++) {
		const answer = await once(urls[tries % urls.length] ?? '', bytes, '', key).catch(() => undefined);
		if (answer?.ok) return (await json(answer)).id;
		if (answer) expect([409, 503]).toContain(answer.status);
		await sleep(200);
	}
	throw new Error('not answered within 60 s');
}

const running = shared(startInstallation);

describe('fifty equal simultaneous uploads over two APIs', () => {
	it('with dedupe create one picture, and all responses name it', { timeout: 120_000 }, async () => {
		const { urls, pictures, storage } = running();
		const bytes = await photograph({ width: 640, height: 480 });
		await until('the index is whole', async () => {
			const probe = await once(urls[0] ?? '', await photograph({ width: 64, height: 48 }), '?duplicates=dedupe');
			return probe.status !== 503;
		});
		const before = new Set(await pictures());
		const sent = Array.from({ length: 50 }, (_, at) => once(urls[at % 2] ?? '', bytes, '?duplicates=dedupe'));
		const answers = await Promise.all(sent);
		const statuses = answers.map(({ status }) => status);
		expect(statuses.filter((status) => status === 202)).toHaveLength(1);
		expect(statuses.filter((status) => status === 200)).toHaveLength(49);
		const ids = new Set((await Promise.all(answers.map(json))).map(({ id }) => id));
		expect(ids.size).toBe(1);
		expect((await pictures()).filter((key) => !before.has(key))).toHaveLength(1);
		const [id] = ids;
		expect((await untilFinished({ url: urls[0] ?? '' }, id)).state).toBe('ready');
		await until('nothing is left of the others', async () => (await listed(storage, 'pending/')).length === 0);
		const folders = (await listed(storage, 'pictures/', { temporary: true })).map((key) => key.split('/')[4]);
		expect(new Set(folders).size).toBe(2);
	});
});

describe('an API killed during an upload with a key', () => {
	it('blocks the key only briefly: the retry at another API succeeds', { timeout: 120_000 }, async () => {
		const { apis, urls, storage, pictures } = running();
		const before = (await pictures()).length;
		const bytes = await photograph({ width: 1600, height: 1200 });
		const wire = await openWire(urls[0] ?? '');
		const headers = { 'Idempotency-Key': '"one"', 'Content-Type': 'image/jpeg', 'Content-Length': bytes.length };
		wire.send(head('POST /v1/pictures', headers), bytes.subarray(0, bytes.length / 2));
		await until('half an original lies in storage', async () =>
			(await listed(storage, 'pictures/', { temporary: true })).some((key) => key.endsWith('.tmp')),
		);
		expect((await once(urls[1] ?? '', bytes, '', 'one')).status).toBe(409);
		apis[0]?.kill('SIGKILL');
		// It would be kept for a day.
		const id = await untilAnswered(urls.slice(1), 0, bytes, 'one');
		expect(await untilAnswered(urls.slice(1), 0, bytes, 'one')).toBe(id);
		expect(await pictures()).toHaveLength(before + 1);
	});
});

describe('fifty equal simultaneous uploads over two APIs, one of which is killed', () => {
	it('create one picture if they share an Idempotency-Key and every client retries', {
		timeout: 180_000,
	}, async () => {
		const { apis, urls, pictures } = running();
		const before = (await pictures()).length;
		const bytes = await photograph({ width: 1600, height: 1200 });
		const sent = Array.from({ length: 50 }, (_, at) => untilAnswered(urls.slice(1), at, bytes, 'all the same'));
		await sleep(Math.random() * 150);
		apis[1]?.kill('SIGKILL');
		const ids = new Set(await Promise.all(sent));
		expect(ids.size).toBe(1);
		expect(await pictures()).toHaveLength(before + 1);
		const [id = ''] = ids;
		expect((await untilFinished({ url: urls[2] ?? '' }, id)).state).toBe('ready');
	});
});
