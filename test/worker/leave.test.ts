import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { folderOf, readManifest } from '../../src/catalog/manifest.ts';
import { openRenders } from '../../src/delivery/single-flight.ts';
import type { Picture } from '../../src/domain/picture.ts';
import type { Recipe } from '../../src/domain/recipe.ts';
import { listenToRenders } from '../../src/queue/events.ts';
import { jobOf, renderJob, renderJobId } from '../../src/queue/jobs.ts';
import { openQueues, type Queues } from '../../src/queue/queues.ts';
import { manifestKey } from '../../src/storage/keys.ts';
import { readObject } from '../../src/storage/storage.ts';
import { form, json, startTestApi, type TestApi, untilFinished } from '../helpers/api.ts';
import { connected } from '../helpers/connection.ts';
import { until } from '../helpers/faults.ts';
import { photograph } from '../helpers/pictures.ts';

const small = { steps: [{ resize: { width: 16 } }], encode: [{ webp: {} }] };
const recipe = { analyse: ['dominant'], variants: { small } };
const later = { deep: ['x'] };
let bytes: Buffer;

beforeAll(async () => {
	bytes = await photograph({ width: 64, height: 48 });
});

interface Opened {
	readonly api: TestApi;
	readonly queues: Queues;
	readonly id: string;
}

/** An api with a picture that was accepted, and no worker. */
async function open(): Promise<Opened> {
	const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true' });
	const queues = openQueues(await connected(), { ...api.config, prefix: api.config.redisPrefix });
	onTestFinished(() => queues.close());
	const body = form([['a.jpg', bytes]], ['recipe', JSON.stringify(recipe)]);
	const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
	return { api, queues, id };
}

/** The manifest as JSON, whatever it holds. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests of every version
async function rawManifest({ api, id }: Opened): Promise<any> {
	return JSON.parse(String(await readObject(api.storage, manifestKey(folderOf(id)))));
}

// biome-ignore lint/suspicious/noExplicitAny: as above
async function changeManifest(to: Opened, change: (manifest: any) => void): Promise<void> {
	const manifest = await rawManifest(to);
	change(manifest);
	await to.api.storage.put(manifestKey(folderOf(to.id)), Buffer.from(JSON.stringify(manifest)));
}

async function view({ api, id }: Opened) {
	return json(await fetch(`${api.url}/v1/pictures/${id}`));
}

async function call({ api, id }: Opened, method: string, path = '', body?: object) {
	const response = await fetch(`${api.url}/v1/pictures/${id}${path}`, {
		method,
		...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
	});
	return { status: response.status, body: response.status === 204 ? undefined : await json(response) };
}

async function jobOfPicture({ queues, id, api }: Opened) {
	const picture = (await readManifest(api.storage, id)) as Picture;
	const job = await queues.byName.pictures.getJob(jobOf(picture).id);
	if (!job) throw new Error('There is no job.');
	return job;
}

describe('fields of a newer version in a manifest', () => {
	it('are kept by a worker that does the work, and not shown', async () => {
		const to = await open();
		await changeManifest(to, (manifest) => {
			Object.assign(manifest, { later });
			for (const inner of [manifest.source, manifest.recipe, manifest.analysis]) Object.assign(inner, { later });
			manifest.facts = { ...factsOf(), later };
		});
		await to.api.startWorker();
		const shown = await untilFinished(to.api, to.id);
		expect(shown).toMatchObject({ state: 'ready', analysis: { dominant: expect.any(String) } });
		expect(JSON.stringify(shown)).not.toContain('later');
		const made = await rawManifest(to);
		const kept = { later };
		expect(made).toMatchObject({ ...kept, source: kept, recipe: kept, analysis: kept, facts: { ...kept, width: 64 } });
		expect(made).toMatchObject({ state: 'ready', revision: 2, variants: [{ name: 'small', width: 16 }] });

		// What a newer version has made beside, and named where nobody here looks, is not swept away.
		const beside = made.variants[0].key.replace('small-', 'poster-');
		await to.api.storage.put(beside, Buffer.from('x'));
		await changeManifest(to, (manifest) => {
			Object.assign(manifest.variants[0], { later });
			manifest.posters = [{ key: beside }];
		});
		const more = { ...recipe, variants: { ...recipe.variants, more: { ...small, encode: [{ png: {} }] } } };
		// The manifest is ready a moment before the job has ended; until then the picture is busy (409).
		await expect.poll(async () => (await call(to, 'POST', '/process', { recipe: more })).status).toBe(202);
		await untilFinished(to.api, to.id);
		const again = await rawManifest(to);
		expect(again.variants).toEqual([{ ...made.variants[0], later }, expect.objectContaining({ name: 'more' })]);
		expect(again).toMatchObject({ ...kept, analysis: kept, facts: kept, posters: [{ key: beside }] });
		expect(await to.api.storage.stat(beside)).toBeDefined();
	});
});

function factsOf() {
	return { format: 'jpeg', width: 1, height: 1, frames: 1, alpha: false, orientation: 1, colourSpace: 'srgb' };
}

describe('a picture whose recipe a newer version has written', () => {
	it('is left without an attempt, is shown, and is processed by a worker that can', async () => {
		const to = await open();
		await changeManifest(to, ({ recipe: { definition } }) => definition.variants.small.steps.push({ blur_faces: {} }));
		const { definition } = (await rawManifest(to)).recipe;
		await to.api.startWorker();
		await until('it is left for the third time', async () => {
			const { progress } = await jobOfPicture(to);
			return (progress as { left?: { times: number } }).left?.times === 3;
		});
		const sweeps = await to.api.sweep();
		expect(sweeps).toMatchObject({ queued: 0, lost: 0, pending: 1 });

		const job = await jobOfPicture(to);
		expect(await job.getState()).toBe('delayed');
		expect([job.attemptsMade, job.failedReason]).toEqual([0, undefined]);
		// Twice as long each time: 1, 2, 4 seconds, of which a part is left to chance.
		expect(job.delay).toBeGreaterThan(3_000);
		expect(job.progress).toMatchObject({ percent: 0, step: 'waiting for a worker that knows operation "blur_faces"' });
		const { logs } = await to.queues.byName.pictures.getJobLogs(job.id ?? '');
		const told = logs.filter((line) => line.includes('operation "blur_faces"'));
		expect(told).toHaveLength(1);

		const shown = await view(to);
		expect(shown).toMatchObject({ state: 'queued', waiting: { since: expect.any(String) } });
		expect(shown.waiting.reason).toBe(
			'No worker that has seen this job knows operation "blur_faces". It waits for a newer worker.',
		);
		const list = await json(await fetch(`${to.api.url}/v1/pictures?state=queued`));
		expect(list.pictures).toMatchObject([{ id: shown.id, state: 'queued', waiting: shown.waiting }]);
		const manifest = await rawManifest(to);
		expect(manifest).toMatchObject({ state: 'queued', revision: 1, recipe: { definition } });
		expect(manifest).not.toHaveProperty('waiting');
		expect(await to.api.keys()).toHaveLength(3);

		// The same as a worker that knows the operation.
		await changeManifest(to, ({ recipe: { definition } }) => definition.variants.small.steps.pop());
		await job.promote();
		const made = await untilFinished(to.api, to.id);
		expect(made).toMatchObject({ state: 'ready', variants: [{ name: 'small' }] });
		expect(made).not.toHaveProperty('waiting');
		// The job ends after its picture.
		await expect.poll(async () => (await jobOfPicture(to)).attemptsMade).toBe(1);
	});

	it('can be queued again and deleted, and keeps its recipe', async () => {
		const to = await open();
		await changeManifest(to, ({ recipe: { definition } }) =>
			Object.assign(definition.variants.small, { layers: [{}] }),
		);
		const { recipe: before } = await rawManifest(to);
		expect((await call(to, 'POST', '/retry')).body.code).toBe('not-failed');
		expect((await call(to, 'POST', '/process')).status).toBe(202);
		expect(await rawManifest(to)).toMatchObject({ revision: 2, recipe: before });
		expect((await call(to, 'GET', '/variants/small')).body.code).toBe('variant-not-found');
		const worker = await to.api.startWorker();
		await until('it is left', async () =>
			(await view(to)).waiting?.reason.includes('field "layers" of variant "small"'),
		);
		// It looks at the job again each second, and must not have it while the manifest is changed by hand.
		await worker.stop();
		await changeManifest(to, (manifest) =>
			Object.assign(manifest, {
				state: 'failed',
				failure: { class: 'lost', code: 'too-ugly', message: 'No.', attempt: 1, at: new Date().toISOString(), later },
			}),
		);
		expect((await call(to, 'POST', '/retry')).status).toBe(202);
		expect(await rawManifest(to)).toMatchObject({ state: 'queued', recipe: before });
		expect((await call(to, 'DELETE')).status).toBe(204);
		expect(await to.api.keys()).toEqual([]);
	});

	it('is queued again, in the index too, after the worker that had begun it was killed', async () => {
		const to = await open();
		const catalog = openCatalog(await connected(), to.api.config.redisPrefix);
		await changeManifest(to, ({ recipe: { definition } }) => definition.analyse.push('faces'));
		await catalog.markProcessing((await readManifest(to.api.storage, to.id)) as Picture);
		await to.api.startWorker();
		await until('it is left', async () => (await view(to)).waiting !== undefined);
		expect(await view(to)).toMatchObject({ state: 'queued', waiting: { reason: expect.stringContaining('"faces"') } });
	});

	it('waits for five minutes at most, and its count is limited', async () => {
		const to = await open();
		await changeManifest(to, ({ recipe: { definition } }) => Object.assign(definition, { mood: 'blue' }));
		const since = '2026-01-31T12:00:00.000Z';
		await (await jobOfPicture(to)).updateProgress({ percent: 0, step: '', left: { since, times: 30 } });
		await to.api.startWorker();
		await until('it is left', async () => (await (await jobOfPicture(to)).getState()) === 'delayed');
		const job = await jobOfPicture(to);
		expect(job.delay).toBeGreaterThanOrEqual(4 * 60_000);
		expect(job.delay).toBeLessThanOrEqual(5 * 60_000);
		expect(job.progress).toMatchObject({ left: { since, times: 30 } });
		expect((await view(to)).waiting.since).toBe(since);
	});
});

describe('a manifest that only a newer version can read', () => {
	it.each<[string, (to: Opened) => Promise<void>, string]>([
		[
			'a manifest',
			(to) => changeManifest(to, (manifest) => Object.assign(manifest, { version: 2 })),
			'manifest version 2',
		],
		[
			'the data of a job',
			async (to) => {
				const job = await jobOfPicture(to);
				await job.updateData({ ...job.data, version: 2 });
			},
			'job data version 2',
		],
	])('is left: %s', async (_what, change, unknown) => {
		const to = await open();
		const id = (await jobOfPicture(to)).id ?? '';
		await change(to);
		await to.api.startWorker();
		const find = async () => to.queues.byName.pictures.getJob(id);
		await until('it is left', async () => (await (await find())?.getState()) === 'delayed');
		const job = await find();
		expect(job?.attemptsMade).toBe(0);
		expect(job?.progress).toMatchObject({ step: `waiting for a worker that knows ${unknown}` });
		expect(await rawManifest(to)).toMatchObject({ state: 'queued', revision: 1 });
	});
});

describe('a render for a newer version', () => {
	async function openRender() {
		const to = await open();
		await to.api.startWorker();
		await untilFinished(to.api, to.id);
		const redis = await connected('worker');
		const endings = listenToRenders(redis, to.api.config.redisPrefix);
		onTestFinished(() => endings.close());
		const renders = openRenders({ storage: to.api.storage, queues: to.queues, endings, failureSeconds: 60, most: 9 });
		const definition = { analyse: [], variants: { render: { ...small, steps: [{ blur_faces: {} }] } } } as Recipe;
		const key = `${folderOf(to.id)}render-0123456789ab.webp`;
		const job = renderJob({ pictureId: to.id, recipe: definition, digest: '0123456789ab', key });
		return { ...to, renders, job, find: () => to.queues.byName.renders.getJob(renderJobId(job)) };
	}
	const signal = new AbortController().signal;

	it('is left without an attempt, and the waiting request is answered in time', async () => {
		const to = await openRender();
		expect(await to.renders.make(to.job, { milliseconds: 1_500, signal })).toBeUndefined();
		await until('it is left', async () => (await (await to.find())?.getState()) === 'delayed');
		const job = await to.find();
		expect(job?.attemptsMade).toBe(0);
		expect(job?.progress).toMatchObject({ step: 'waiting for a worker that knows operation "blur_faces"' });
		expect((await rawManifest(to)).revision).toBe(2);

		// The same as a worker that knows the operation; what it makes has another digest, which tells that it was done.
		await job?.updateData({ ...to.job, recipe: { analyse: [], variants: { render: small } } });
		await until('it is done', async () => (await (await to.find())?.getState()) === 'failed');
		expect((await to.find())?.failedReason).toContain('asset-changed');
	});

	it('ends if no worker can make it for ten minutes, so that it does not take a place for ever', async () => {
		const to = await openRender();
		await to.queues.byName.renders.pause();
		await to.renders.request(to.job, 'now');
		const since = new Date(Date.now() - 11 * 60_000).toISOString();
		await (await to.find())?.updateProgress({ percent: 0, step: '', left: { since, times: 30 } });
		await to.queues.byName.renders.resume();
		await until('it ends', async () => (await (await to.find())?.getState()) === 'failed');
		expect((await to.find())?.failedReason).toMatch(/invalid-job.*operation "blur_faces"/);
	});
});
