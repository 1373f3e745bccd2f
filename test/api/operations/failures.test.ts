import { Writable } from 'node:stream';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { folderOf, markPending, readManifest, writeManifest } from '../../../src/catalog/manifest.ts';
import { PicpipeError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/observe/log.ts';
import { startWorker } from '../../../src/roles/worker.ts';
import { originalKey } from '../../../src/storage/keys.ts';
import { failureOf } from '../../../src/worker/record.ts';
import { form, json, startTestApi, type TestApi, untilFinished } from '../../helpers/api.ts';
import { until } from '../../helpers/faults.ts';
import { startKeyedApi } from '../../helpers/keys.ts';
import { makePicture } from '../../helpers/manifest.ts';
import { photograph } from '../../helpers/pictures.ts';
import { secret, startSink, webhooksToHere } from '../../helpers/sink.ts';

let good: Buffer;
let broken: Buffer;
beforeAll(async () => {
	good = await photograph({ width: 320, height: 240 });
	broken = good.subarray(0, 3_000);
});

async function ask(api: Pick<TestApi, 'url'>, path: string, init: RequestInit = {}) {
	const response = await fetch(`${api.url}${path}`, init);
	return { status: response.status, body: await json(response) };
}

function post(api: Pick<TestApi, 'url'>, path: string, body: object = {}) {
	const headers = { 'content-type': 'application/json' };
	return ask(api, path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** Uploads and waits for the end. */
async function upload(api: TestApi, bytes: Buffer, ...fields: [string, string][]) {
	const { body } = await ask(api, '/v1/pictures', { method: 'POST', body: form([['a.jpg', bytes]], ...fields) });
	expect(body.id, JSON.stringify(body)).toBeDefined();
	return untilFinished(api, body.id);
}

/** A picture that failed for this reason, as storage and index have it. */
async function failedPicture(api: TestApi, error: PicpipeError) {
	const picture = makePicture({ state: 'failed', revision: 2, failure: failureOf(error, 5) });
	const key = originalKey(folderOf(picture.id), 'jpg');
	await api.storage.put(key, good);
	await writeManifest(api.storage, { ...picture, source: { ...picture.source, bytes: good.length } });
	await markPending(api.storage, picture.id);
	await api.sweep();
	return picture.id;
}

const limits = { PICPIPE_DEFAULT_RECIPE: 'avatar', PICPIPE_MAX_DIMENSION: '1000' };

describe('variants that failed', () => {
	const encode = [{ webp: {} }];
	const variants = {
		small: { steps: [{ resize: { width: 40 } }], encode },
		large: { steps: [{ resize: { width: 900 } }], encode },
		second: { page: 2, encode },
	};

	it('are found, counted apart from failed pictures and from each other, told, and retried alone', async () => {
		const sink = await startSink();
		const api = await startTestApi({
			PICPIPE_INLINE_RECIPES: 'true',
			PICPIPE_MAX_OUTPUT_DIMENSION: '800',
			PICPIPE_WEBHOOK_SECRETS: secret(),
			...webhooksToHere,
		});
		await api.startWorker();
		const made = (await post(api, '/v1/batches', { webhook: `${sink.url}/batch` })).body;
		const recipe: [string, string] = ['recipe', JSON.stringify({ variants })];
		const fields: [string, string][] = [recipe, ['batch', made.id]];
		const lacking = await upload(api, good, ...fields, ['webhook', `${sink.url}/picture`]);
		const damaged = await upload(api, broken, ...fields);
		const whole = await upload(api, good, ['batch', made.id]);
		expect([lacking.state, damaged.state, whole.state, whole.failures]).toEqual([
			'ready',
			'failed',
			'ready',
			undefined,
		]);
		const reasons = lacking.failures.map((one: Record<string, unknown>) => [one.variant, one.class, one.code]);
		expect(reasons).toEqual([
			['large', 'limit', 'output-too-large'],
			['second', 'unsupported', 'no-such-page'],
		]);

		const { body } = await ask(api, '/v1/failures');
		expect([body.total, body.classes]).toEqual([
			2,
			{ corrupt: 1, unsupported: 1, limit: 1, transient: 0, internal: 0 },
		]);
		for (const { code, links } of body.failures) {
			const { pictures } = (await ask(api, links.pictures)).body;
			expect(
				pictures.map(({ id }: { id: string }) => id),
				code,
			).toEqual([code === 'corrupt-picture' ? damaged.id : lacking.id]);
		}
		const idsOf = async (query: string) =>
			(await ask(api, `/v1/pictures?${query}`)).body.pictures.map(({ id }: { id: string }) => id);
		expect(await idsOf('failures=true')).toEqual([damaged.id, lacking.id]);
		expect(await idsOf('failures=true&state=ready')).toEqual([lacking.id]);
		expect((await ask(api, '/v1/pictures?failures=yes')).status).toBe(400);
		expect((await ask(api, `/v1/pictures/${lacking.id}/variants/large.webp`)).body).toMatchObject({
			...{ status: 422, code: 'output-too-large', class: 'limit' },
			detail: expect.stringContaining('PICPIPE_MAX_OUTPUT_DIMENSION'),
		});
		const metrics = await (await fetch(`${api.url}/metrics`)).text();
		expect(metrics).toMatch(/^picpipe_incomplete_pictures 1$/m);
		expect(metrics).toMatch(/^picpipe_failed_pictures\{class="limit",code="output-too-large"\} 1$/m);

		const told = () => sink.received.find(({ path }) => path === '/picture')?.message;
		await expect.poll(told, { timeout: 10_000 }).toMatchObject({
			type: 'picture.ready',
			data: { id: lacking.id, state: 'ready', failures: lacking.failures },
		});
		const { counts } = (await post(api, `/v1/batches/${made.id}/close`)).body;
		expect(counts).toMatchObject({ ready: 2, failed: 1, withFailures: 1, total: 3 });
		const ended = () => sink.received.find(({ path }) => path === '/batch')?.message;
		await expect.poll(ended, { timeout: 10_000 }).toMatchObject({ data: { ready: 2, failed: 1, withFailures: 1 } });
		expect((await ask(api, `/v1/batches/${made.id}`)).body.finished).toMatchObject({ withFailures: 1 });

		expect((await post(api, '/v1/failures/retry', { class: 'limit' })).body).toMatchObject({ queued: 1, more: false });
		const again = await untilFinished(api, lacking.id);
		expect(again.variants).toEqual(lacking.variants);
		expect(again.failures).toMatchObject([{ variant: 'large' }, { variant: 'second' }]);
		expect((await ask(api, `/v1/pictures/${whole.id}/retry`, { method: 'POST' })).body.code).toBe('not-failed');
	});
});

describe('GET /v1/failures', () => {
	it('groups failures by cause, links to the pictures, and keeps their originals', {
		timeout: 60_000,
	}, async () => {
		const api = await startTestApi(limits);
		await api.startWorker();
		const wide = await photograph({ width: 1_200, height: 30 });
		const files = [broken, broken, wide, good];
		const uploaded = await Promise.all(files.map((bytes) => upload(api, bytes)));
		const { body } = await ask(api, '/v1/failures');
		expect(body).toMatchObject({
			total: 3,
			classes: { corrupt: 2, unsupported: 0, limit: 1, transient: 0, internal: 0 },
			failures: [
				{ class: 'corrupt', code: 'corrupt-picture', count: 2, retried: false },
				{ class: 'limit', code: 'too-wide-or-high', count: 1, retried: false },
			],
		});
		for (const group of body.failures) {
			const { pictures } = (await ask(api, group.links.pictures)).body;
			expect(pictures.map(({ id }: { id: string }) => id).sort()).toEqual([...group.latest].sort());
			const times = pictures.map(({ failure }: { failure: { at: string } }) => failure.at).sort();
			expect([group.firstAt, group.lastAt]).toEqual([times[0], times.at(-1)]);
		}
		for (const [at, { links, state }] of uploaded.entries()) {
			expect(state).toBe(at === 3 ? 'ready' : 'failed');
			const original = Buffer.from(await (await fetch(api.url + links.original)).arrayBuffer());
			expect(original.equals(files[at] as Buffer)).toBe(true);
		}
		await api.loseIndex();
		expect((await ask(api, '/v1/failures')).body.total).toBe(0);
		await api.reindex();
		expect((await ask(api, '/v1/failures')).body).toEqual(body);
	});

	it('refuses unknown codes and classes', async () => {
		const api = await startTestApi();
		for (const query of ['code=toString', 'code=no-such-code', 'class=request']) {
			expect(await ask(api, `/v1/pictures?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid-field' } });
		}
	});
});

describe('the class and the code of a failure', () => {
	it('are the same in the manifest, the API, the job and the log', { timeout: 60_000 }, async () => {
		const api = await startTestApi(limits);
		const lines: string[] = [];
		const destination = new Writable({
			write(chunk, _encoding, done) {
				lines.push(String(chunk));
				done();
			},
		});
		const worker = await startWorker(api.config, createLogger('worker', 'info', destination as never));
		onTestFinished(() => worker.stop());
		const shown = await upload(api, broken);
		const expected = { class: 'corrupt', code: 'corrupt-picture' };
		expect(shown.failure).toMatchObject(expected);
		expect((await readManifest(api.storage, shown.id))?.failure).toEqual(shown.failure);
		// The job ends after what it was about is recorded.
		const failedJobs = async () => (await ask(api, '/v1/queues')).body.queues[0].counts.failed;
		await until('the job to fail', async () => (await failedJobs()) === 1);
		const line = lines.map((one) => JSON.parse(one)).find(({ msg }) => msg === 'attempt failed');
		expect(line).toMatchObject({ ...expected, pictureId: shown.id, attempt: 1 });
		const reason = await failedReason(api, shown.links.job.split('/').at(-1));
		expect(reason).toContain(`${expected.class} (${expected.code})`);
	});
});

describe('POST /v1/failures/retry', () => {
	it('queues a group, or all, behind all other work, up to a limit', async () => {
		const api = await startTestApi();
		const ids: string[] = [];
		for (let number = 0; number < 5; number++) ids.push(await failedPicture(api, new PicpipeError('storage-full')));
		const other = await failedPicture(api, new PicpipeError('corrupt-picture'));
		expect((await post(api, '/v1/failures/retry', { code: 'storage-full', limit: 2 })).body).toEqual({
			queued: 2,
			passed: 0,
			left: 0,
			more: true,
		});
		expect((await post(api, '/v1/failures/retry', { class: 'transient' })).body).toMatchObject({
			queued: 3,
			more: false,
		});
		const counts = (await ask(api, '/v1/queues')).body.queues[0].counts;
		expect(counts).toMatchObject({ prioritized: 0, waiting: 5 });
		expect((await ask(api, `/v1/pictures/${other}`)).body.state).toBe('failed');
		const { body: again } = await ask(api, `/v1/pictures/${ids[0]}`);
		expect([again.state, again.failure]).toEqual(['queued', undefined]);
		expect(await post(api, '/v1/failures/retry')).toMatchObject({ status: 202, body: { queued: 1 } });
		expect((await ask(api, '/v1/failures')).body).toMatchObject({ total: 0, classes: { limit: 0 }, failures: [] });
		expect((await post(api, '/v1/failures/retry')).body).toMatchObject({ queued: 0, more: false });
	});

	it('completes pictures whose cause of failure is gone', { timeout: 60_000 }, async () => {
		const small = await startTestApi({ ...limits, PICPIPE_MAX_DIMENSION: '100' });
		const worker = await small.startWorker();
		const { id, failure } = await upload(small, good);
		expect(failure.code).toBe('too-wide-or-high');
		await worker.stop();
		const larger = await startWorker({ ...small.config, maxDimension: 1_000 }, createLogger('worker', 'silent'));
		onTestFinished(() => larger.stop());
		expect((await post(small, '/v1/failures/retry', { code: failure.code })).body.queued).toBe(1);
		expect(await untilFinished(small, id)).toMatchObject({ state: 'ready' });
	});

	it('requires the scope admin and reports invalid input', async () => {
		const { ask: askAs } = await startKeyedApi({ upload: { scopes: ['upload'] }, admin: {} });
		const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
		expect((await askAs('upload', '/v1/failures/retry', init)).status).toBe(403);
		const wrong = await askAs('admin', '/v1/failures/retry', { ...init, body: '{"code":"nothing"}' });
		expect(await json(wrong)).toMatchObject({ code: 'invalid-field' });
	});
});

describe('GET /v1/failures/quarantine', () => {
	it('lists pictures that killed a process, in pages, newest first, and no others', async () => {
		const api = await startTestApi();
		const seen = { lastStep: 'decode', megapixels: 12, residentBytes: 900_000_000 };
		const deadly: string[] = [];
		for (const code of ['imaging-process-died', 'picture-timeout', 'worker-lost', 'imaging-process-died'] as const)
			deadly.push(await failedPicture(api, new PicpipeError(code, undefined, { seen })));
		await failedPicture(api, new PicpipeError('corrupt-picture'));
		const first = (await ask(api, '/v1/failures/quarantine?limit=3')).body;
		expect(first.pictures[0].failure).toMatchObject({ code: 'imaging-process-died', attempt: 5, seen });
		const second = (await ask(api, `/v1/failures/quarantine?limit=3&cursor=${first.next}`)).body;
		const found = [...first.pictures, ...second.pictures].map(({ id }) => id);
		expect(found).toEqual([...deadly].reverse());
		expect(second.next).toBeUndefined();
	});
});

async function failedReason(api: TestApi, jobId: string): Promise<string> {
	const { Queue } = await import('bullmq');
	const { connected } = await import('../../helpers/connection.ts');
	const queue = new Queue('pictures', { connection: await connected('worker'), prefix: api.config.redisPrefix });
	onTestFinished(() => queue.close());
	return String((await queue.getJob(decodeURIComponent(jobId)))?.failedReason);
}
