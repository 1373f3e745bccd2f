import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type Job, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { summaryOf } from '../../src/catalog/lists/summary.ts';
import { purgePicture, readManifest, revise, writeManifest } from '../../src/catalog/manifest.ts';
import { isReceived, type Picture } from '../../src/domain/picture.ts';
import { PicpipeError } from '../../src/errors.ts';
import { admitUrl } from '../../src/intake/admit.ts';
import { createLogger } from '../../src/observe/log.ts';
import { jobOf } from '../../src/queue/jobs.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { readObject } from '../../src/storage/storage.ts';
import { type FetchContext, type FetchResult, fetchPicture } from '../../src/worker/fetch-picture.ts';
import { openFirstSeen } from '../../src/worker/first-seen.ts';
import { settle } from '../../src/worker/record.ts';
import { sweep } from '../../src/worker/sweep.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture, makeRecipe } from '../helpers/manifest.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { type Remote, says, sends, sendsHalf, startRemote } from '../helpers/remote.ts';
import { type WatchedStorage, watchedStorage } from '../helpers/storage.ts';

const log = createLogger('test', 'silent');
const running = new AbortController().signal;
/** Nothing of idempotency keys, resumable uploads and batches is tested here. */
const upkeep = {
	idempotencySeconds: 60,
	resumableSeconds: 60,
	sweepSeconds: 60,
	batchSeconds: 60,
	firstSeen: openFirstSeen(),
};
let bytes: Buffer;

beforeEach(async () => {
	bytes ??= await photograph({ width: 64, height: 48 });
});

interface Opened extends FetchContext {
	readonly storage: WatchedStorage;
	readonly redis: Redis;
	readonly prefix: string;
	readonly remote: Remote;
	/** Accepted, and not fetched yet. */
	readonly picture: Picture;
	readonly job: Job;
}

async function open(attempts = 5): Promise<Opened> {
	const redis = await connected('worker');
	const prefix = freshPrefix();
	const queues = openQueues(redis, { prefix, attempts, retryDelay: 1_000 });
	onTestFinished(() => queues.close());
	const to = { storage: await watchedStorage(), catalog: openCatalog(redis, prefix), queues };
	const remote = await startRemote(sends(bytes));
	const url = new URL(`${remote.url}/a/photo.jpg?signature=secret`);
	const picture = await admitUrl(to, url, { recipe: makeRecipe(), tags: [], priority: 7, owner: 'shop' }, log);
	return {
		...to,
		redis,
		prefix,
		remote,
		picture,
		job: await jobOfPicture(to, picture),
		fetching: {
			rules: { schemes: ['http'], hosts: '*', ports: '*', networks: ['127.0.0.0/8'], settings: 'PICPIPE_FETCH' },
			maxBytes: 1_000_000,
			redirects: 3,
			connectSeconds: 5,
			idleSeconds: 5,
			seconds: 30,
		},
		receiving: { maxBytes: 1_000_000 },
		log,
	};
}

async function jobOfPicture({ queues }: Pick<FetchContext, 'queues'>, picture: Picture): Promise<Job> {
	const { queue, id } = jobOf(picture);
	const job = await queues.byName[queue].getJob(id);
	if (!job) throw new Error(`There is no job ${id} in ${queue}.`);
	return job;
}

function run(to: Opened, context: Partial<FetchContext> = {}): Promise<FetchResult> {
	return fetchPicture(to.job, { ...to, ...context }, running);
}

async function manifestOf(to: Opened): Promise<Picture> {
	const picture = await readManifest(to.storage, to.picture.id);
	if (!picture) throw new Error('The manifest is gone.');
	return picture;
}

describe('a picture that was accepted by URL', () => {
	it('has marker, placeholder and manifest in storage, and a job that leaves the secrets of the URL out', async () => {
		const to = await open();
		const { storage, picture, job, remote } = to;
		expect(storage.changes).toEqual(['put pending/*', 'put pictures/*/original.url', 'put pictures/*/picture.json']);
		expect(await readManifest(storage, picture.id)).toEqual(picture);
		expect(picture).toMatchObject({
			state: 'queued',
			revision: 1,
			source: { url: `${remote.url}/a/photo.jpg?signature=secret`, filename: 'photo.jpg' },
		});
		expect(isReceived(picture)).toBe(false);
		expect(job.queueName).toBe('fetches');
		expect(job.opts).toMatchObject({ attempts: 5 });
		expect(job.data).toMatchObject({ priority: 7 });
		expect(job.data).toMatchObject({ pictureId: picture.id, source: { url: `${remote.url}/a/photo.jpg?…` } });
		expect(JSON.stringify(job.data)).not.toContain('secret');
		expect(await to.catalog.get(picture.id)).toEqual(summaryOf(picture));
	});

	it('leaves nothing if the storage accepts only a part of it', async () => {
		const to = await open();
		const before = await to.storage.keys();
		to.storage.failOn(/^put .*picture\.json/);
		const url = new URL(to.remote.url);
		await expect(
			admitUrl(to, url, { recipe: makeRecipe(), tags: [], priority: 0, owner: 'shop' }, log),
		).rejects.toThrow();
		expect(await to.storage.keys()).toEqual(before);
	});
});

describe('a fetch', () => {
	it('stores the original, writes the manifest, and queues the next job', async () => {
		const to = await open();
		expect(await run(to)).toMatchObject({ outcome: 'fetched', bytes: bytes.length });
		const picture = await manifestOf(to);
		expect(picture).toMatchObject({
			state: 'queued',
			revision: 2,
			source: {
				type: 'image/jpeg',
				bytes: bytes.length,
				sha256: createHash('sha256').update(bytes).digest('hex'),
				filename: 'photo.jpg',
				url: `${to.remote.url}/a/photo.jpg?signature=secret`,
			},
		});
		expect((await readObject(to.storage, picture.source.key))?.equals(bytes)).toBe(true);
		expect(await to.catalog.get(picture.id)).toEqual(summaryOf(picture));
		const next = await jobOfPicture(to, picture);
		expect(next.queueName).toBe('pictures');
		expect(next.data.priority).toBe(7);
		expect(JSON.stringify(next.data)).not.toContain('secret');
		expect(await to.storage.keys()).toContain(`pending/${picture.id}`);
	});

	it('reports its steps to the job, without secrets', async () => {
		const to = await open();
		to.remote.answer((request, response) => {
			if (request.url !== '/b') says(302, { location: '/b' })(request, response);
			else sends(bytes, { 'content-disposition': 'inline; filename="named.jpg"' })(request, response);
		});
		await run(to);
		const { logs } = await to.queues.byName.fetches.getJobLogs(to.job.id ?? '');
		const told = logs.join('\n');
		for (const step of [
			'read the manifest',
			'from http',
			'302 of',
			'fetch',
			`receive.*${bytes.length} bytes`,
			'record',
		]) {
			expect(told).toMatch(new RegExp(step));
		}
		expect(told).not.toContain('secret');
		expect((await manifestOf(to)).source.filename).toBe('named.jpg');
		expect((await jobOfPicture(to, to.picture)).progress).toMatchObject({ percent: 100 });
	});

	it('that was already done only queues the next job, whatever happened to it', async () => {
		const to = await open();
		await run(to);
		const picture = await manifestOf(to);
		await to.queues.forgetPicture(picture);
		expect(await run(to)).toMatchObject({ outcome: 'already-fetched' });
		expect(to.remote.requests).toHaveLength(1);
		expect((await jobOfPicture(to, picture)).queueName).toBe('pictures');

		const ready = revise(picture, { state: 'ready' });
		await writeManifest(to.storage, ready);
		expect(await run(to)).toMatchObject({ outcome: 'already-fetched' });
		expect((await to.storage.keys()).filter((key) => /pending|\.url$/.test(key))).toEqual([]);
	});

	it('counts although Redis is away at its end; the sweep queues the next job', async () => {
		const to = await open();
		const away = { ...to.queues, enqueuePicture: () => Promise.reject(new PicpipeError('queue-unavailable')) };
		expect(await run(to, { queues: away })).toMatchObject({ outcome: 'fetched' });
		const picture = await manifestOf(to);
		await to.catalog.markComplete();
		// The worker ends the job.
		await to.queues.byName.fetches.drain();
		expect(await sweep({ ...to, ...upkeep, abandonedSeconds: 3_600 })).toMatchObject({ pending: 1, queued: 1 });
		expect((await jobOfPicture(to, picture)).queueName).toBe('pictures');
	});
});

describe('a failed fetch', () => {
	it('that is retried does not change the picture', async () => {
		const to = await open();
		to.remote.answer(says(503));
		const before = await to.storage.keys();
		await expect(run(to)).rejects.toThrow('transient (remote-unavailable) at fetch');
		expect(await manifestOf(to)).toEqual(to.picture);
		expect(await to.storage.keys()).toEqual(before);
	});

	it('leaves nothing of a partial download', async () => {
		const to = await open();
		const before = await to.storage.keys();
		to.remote.answer(sendsHalf(bytes, (response) => response.destroy()));
		await expect(run(to)).rejects.toThrow('transient (remote-unavailable) at receive');
		expect(await to.storage.keys()).toEqual(before);
		const { progress } = await jobOfPicture(to, to.picture);
		expect((progress as { percent: number }).percent).toBeLessThan(90);
	});

	it.each([
		[
			'at once where trying again is no use',
			5,
			says(404),
			{ class: 'unsupported', code: 'remote-missing', step: 'fetch' },
		],
		['after the last attempt', 1, says(503), { class: 'transient', code: 'remote-unavailable', step: 'fetch' }],
		[
			'when it is no picture',
			5,
			sends(Buffer.from('<!doctype html>')),
			{ class: 'unsupported', code: 'unsupported-type' },
		],
		['when there is nothing', 5, sends(Buffer.alloc(0)), { class: 'unsupported', code: 'remote-refused' }],
		[
			'when it is too large',
			5,
			(_request: unknown, response: ServerResponse) =>
				void response.writeHead(200).end(Buffer.concat([bytes, Buffer.alloc(1_000_000)])),
			{ class: 'limit', code: 'file-too-large', step: 'receive' },
		],
	] as const)('%s, and can be tried again', async (_when, attempts, answer, failure) => {
		const to = await open(attempts);
		to.remote.answer(answer);
		await expect(run(to)).rejects.toThrow(failure.code);
		const failed = await manifestOf(to);
		expect(failed).toMatchObject({ state: 'failed', revision: 2, source: to.picture.source, failure });
		expect(await to.catalog.get(failed.id)).toEqual(summaryOf(failed));
		const folder = failed.source.key.replace('original.url', '');
		expect(await to.storage.keys()).toEqual([`${folder}original.url`, `${folder}picture.json`]);

		// As Arena's button does it.
		to.remote.answer(sends(bytes));
		expect(await run(to)).toMatchObject({ outcome: 'fetched' });
		const picture = await manifestOf(to);
		expect(picture).toMatchObject({ state: 'queued', revision: 4 });
		expect(picture.failure).toBeUndefined();
		expect(await to.storage.keys()).toContain(`pending/${picture.id}`);
	});

	it('reports the content type of a file that is not a picture', async () => {
		const to = await open();
		to.remote.answer(sends(Buffer.from('<!doctype html>'), { 'content-type': 'text/html' }));
		await expect(run(to)).rejects.toThrow('The server declared them as text/html.');
	});

	it('ends at its time limit, however steadily the server drips', async () => {
		const to = await open();
		to.remote.answer((_request, response) => {
			response.writeHead(200, { 'content-length': bytes.length });
			let sent = 0;
			const drip = setInterval(() => response.write(bytes.subarray(sent, ++sent)), 20);
			response.once('close', () => clearInterval(drip));
		});
		const fetching = { ...to.fetching, seconds: 0.3 };
		await expect(run(to, { fetching })).rejects.toThrow('transient (remote-timeout) at receive');
		await expect.poll(() => to.remote.open).toBe(0);
	});
});

describe('a deletion', () => {
	it('before the fetch', async () => {
		const to = await open();
		await purgePicture(to.storage, to.picture.id);
		expect(await run(to)).toMatchObject({ outcome: 'deleted' });
		expect(to.remote.requests).toEqual([]);
		expect(await to.catalog.get(to.picture.id)).toBeUndefined();
		expect(await to.storage.keys()).toEqual([]);
	});

	it('during the download', async () => {
		const to = await open();
		const half = new Promise<ServerResponse>((resolve) => to.remote.answer(sendsHalf(bytes, resolve)));
		const fetching = run(to);
		const response = await half;
		await purgePicture(to.storage, to.picture.id);
		response.end(bytes.subarray(bytes.length / 2));
		expect(await fetching).toMatchObject({ outcome: 'deleted' });
		expect(await to.storage.keys()).toEqual([]);
	});

	it('during the download, when the fetch fails for good', async () => {
		const to = await open(1);
		const half = new Promise<ServerResponse>((resolve) => to.remote.answer(sendsHalf(bytes, resolve)));
		const fetching = run(to);
		const response = await half;
		await purgePicture(to.storage, to.picture.id);
		response.destroy();
		expect(await fetching).toMatchObject({ outcome: 'deleted' });
		expect(await to.storage.keys()).toEqual([]);
	});

	it.each(['original is there', 'manifest is written'])('when the %s', async (moment) => {
		const to = await open();
		const put = to.storage.put;
		const deletes = async () => purgePicture({ ...to.storage, put }, to.picture.id);
		const storage: WatchedStorage = {
			...to.storage,
			async put(key, body) {
				const isMoment = key.endsWith(moment === 'original is there' ? '.jpg' : 'picture.json');
				if (isMoment && moment === 'manifest is written') await deletes();
				const stored = await put(key, body);
				if (isMoment && moment === 'original is there') await deletes();
				return stored;
			},
		};
		expect(await run(to, { storage })).toMatchObject({ outcome: 'deleted' });
		expect(await to.storage.keys()).toEqual([]);
	});

	it('while a failure is being recorded', async () => {
		const to = await open();
		to.remote.answer(says(404));
		const put = to.storage.put;
		const storage: WatchedStorage = {
			...to.storage,
			async put(key, body) {
				await purgePicture({ ...to.storage, put }, to.picture.id);
				return put(key, body);
			},
		};
		await expect(run(to, { storage })).rejects.toThrow('remote-missing');
		expect(await to.storage.keys()).toEqual([]);
	});
});

describe('two concurrent fetches of the same picture', () => {
	it('of a URL with changing bytes: one original wins, and the manifest matches it', async () => {
		const to = await open();
		const servings: ServerResponse[] = [];
		to.remote.answer((_request, response) => servings.push(response));
		const both = [run(to), run(to)];
		await expect.poll(() => servings.length).toBe(2);
		const sent = [1, 2].map((number) => withComment(bytes, `serving ${number}`));
		for (const [number, response] of servings.entries()) {
			response.end(sent[number]);
			await once(response, 'close');
		}
		expect((await Promise.all(both)).map(({ outcome }) => outcome)).toContain('fetched');
		const picture = await manifestOf(to);
		if (!isReceived(picture)) throw new Error('It was not fetched.');
		const original = (await readObject(to.storage, picture.source.key)) ?? Buffer.alloc(0);
		expect(createHash('sha256').update(original).digest('hex')).toBe(picture.source.sha256);
		expect(sent.some((one) => one.equals(original))).toBe(true);
		await settle(to, { ...picture, state: 'ready' });
		expect((await to.storage.keys()).filter((key) => key.includes('original'))).toEqual([picture.source.key]);
	});

	it('delete their own original if the other one won', async () => {
		const to = await open();
		const half = new Promise<ServerResponse>((resolve) => to.remote.answer(sendsHalf(bytes, resolve)));
		const fetching = run(to);
		const response = await half;
		const other = revise(to.picture, { recipe: makeRecipe('wide', 999) });
		await writeManifest(to.storage, other);
		response.end(bytes.subarray(bytes.length / 2));
		expect(await fetching).toMatchObject({ outcome: 'superseded' });
		expect(await manifestOf(to)).toEqual(other);
		expect((await to.storage.keys()).filter((key) => key.endsWith('.jpg'))).toEqual([]);
	});
});

describe('the sweep', () => {
	it('restores a lost fetch under the same id, and leaves a live one alone', async () => {
		const to = await open();
		await to.catalog.markComplete();
		const context = { ...to, ...upkeep, abandonedSeconds: 0 };
		expect(await sweep(context)).toMatchObject({ pending: 1, queued: 0, abandoned: 0 });
		await to.queues.byName.fetches.obliterate({ force: true });
		expect(await sweep(context)).toMatchObject({ pending: 1, queued: 1, abandoned: 0 });
		expect((await jobOfPicture(to, to.picture)).data.reason).toBe('sweep');
	});

	it('records that a worker was lost too often during a fetch', async () => {
		const to = await open();
		await to.catalog.markComplete();
		const worker = new Worker('fetches', undefined, { connection: to.redis, prefix: to.prefix, autorun: false });
		const job = await worker.getNextJob('token');
		// As BullMQ does it with such a job.
		await job?.moveToFailed(new UnrecoverableError('job stalled more than allowable limit'), 'token');
		await worker.close();
		expect(await sweep({ ...to, ...upkeep, abandonedSeconds: 0 })).toMatchObject({ lost: 1 });
		expect(await manifestOf(to)).toMatchObject({ state: 'failed', failure: { code: 'worker-lost' } });
	});
});

describe('invalid data of a fetch', () => {
	it('ends the job and touches no picture', async () => {
		const to = await open();
		const job = await to.queues.byName.fetches.add('fetch', { version: 1, pictureId: makePicture().id });
		await expect(fetchPicture(job, to, running)).rejects.toThrow('invalid-job');
	});
});
