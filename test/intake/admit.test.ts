import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { summaryOf } from '../../src/catalog/lists/summary.ts';
import { readManifest, writeManifest } from '../../src/catalog/manifest.ts';
import { newPictureId, type Picture, pictureIdTime } from '../../src/domain/picture.ts';
import { type Admission, admit, admitAgain } from '../../src/intake/admit.ts';
import type { Received } from '../../src/intake/receive.ts';
import { createLogger } from '../../src/observe/log.ts';
import { jobOf } from '../../src/queue/jobs.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture, makeRecipe } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { type WatchedStorage, watchedStorage } from '../helpers/storage.ts';
import { thrownBy } from '../helpers/thrown.ts';

const log = createLogger('test', 'silent');
const fields = { recipe: makeRecipe(), tags: ['holiday'], priority: 7, owner: 'shop', requestId: 'request-1' };

type Open = Admission & { readonly storage: WatchedStorage };

/** @param options.away Redis can't be reached */
async function open(options: { away?: boolean } = {}): Promise<Open> {
	const redis = options.away ? connectRedis('redis://127.0.0.1:1', 'producer') : await connected();
	redis.on('error', () => {});
	const prefix = freshPrefix();
	const queues = openQueues(redis, { prefix, attempts: 5, retryDelay: 1_000 });
	onTestFinished(async () => {
		await queues.close();
		redis.disconnect();
	});
	return { storage: await watchedStorage(), catalog: openCatalog(redis, prefix), queues };
}

function received(): Received {
	const { id, source } = makePicture();
	return { id, source };
}

describe('admit', () => {
	it('writes the manifest, then the index, then the queue', async () => {
		const to = await open();
		const spies = {
			write: vi.spyOn(to.storage, 'put'),
			index: vi.spyOn(to.catalog, 'put'),
			queue: vi.spyOn(to.queues, 'enqueuePicture'),
		};
		const from = received();
		const picture = await admit(to, from, fields, log);
		const orders = Object.values(spies).map((spy) => spy.mock.invocationCallOrder[0] ?? 0);
		expect(Math.min(...orders)).toBeGreaterThan(0);
		expect(orders).toEqual([...orders].sort((a, b) => a - b));
		expect(picture).toMatchObject({
			id: from.id,
			state: 'queued',
			revision: 1,
			createdAt: new Date(pictureIdTime(from.id)).toISOString(),
			source: from.source,
			recipe: { name: 'small', digest: fields.recipe.digest },
			tags: ['holiday'],
			priority: 7,
			owner: 'shop',
			requestId: 'request-1',
			variants: [],
		});
		expect(await readManifest(to.storage, picture.id)).toEqual(picture);
		expect(await to.catalog.get(picture.id)).toEqual(summaryOf(picture));
		const job = await to.queues.byName.pictures.getJob(jobOf(picture).id);
		expect(job?.data).toMatchObject({ pictureId: picture.id, reason: 'upload', requestId: 'request-1' });
		expect(job?.data.priority).toBe(7);
	});

	it('accepts while Redis is away: the manifest exists, and the sweep does the rest', async () => {
		const to = await open({ away: true });
		const started = performance.now();
		const picture = await admit(to, received(), fields, log);
		expect(performance.now() - started).toBeLessThan(3_000);
		expect(await readManifest(to.storage, picture.id)).toEqual(picture);
	});

	it('accepts nothing that it could not write', async () => {
		const to = await open();
		to.storage.failOn(/picture\.json/);
		const from = received();
		await expect(admit(to, from, fields, log)).rejects.toMatchObject({ code: 'ENOSPC' });
		expect(await to.catalog.get(from.id)).toBeUndefined();
		expect(await to.queues.byName.pictures.count()).toBe(0);
	});
});

describe('admitAgain', () => {
	async function finished(to: Open) {
		const picture = makePicture({
			state: 'failed',
			owner: 'shop',
			revision: 2,
			failure: {
				class: 'corrupt',
				code: 'corrupt-picture',
				message: 'The picture ends too early.',
				attempt: 1,
				at: '2026-01-31T12:00:00.000Z',
			},
		});
		await to.storage.put(picture.source.key, Buffer.from('jpg'));
		await writeManifest(to.storage, picture);
		await to.catalog.put(picture);
		return picture;
	}

	it('reopens the picture: marker, then manifest, without the failure, and queued', async () => {
		const to = await open();
		const picture = await finished(to);
		const from = to.storage.changes.length;
		const again = await admitAgain(to, picture, 'retry', log);
		expect(to.storage.changes.slice(from)).toEqual(['put pending/*', 'put pictures/*/picture.json']);
		expect(again).toMatchObject({ id: picture.id, state: 'queued', revision: 3, owner: 'shop' });
		expect(again.failure).toBeUndefined();
		expect(await readManifest(to.storage, picture.id)).toEqual(again);
		expect(await to.catalog.get(picture.id)).toEqual(summaryOf(again));
		const job = await to.queues.byName.pictures.getJob(jobOf(picture).id);
		expect(job?.data).toMatchObject({ reason: 'retry', owner: 'shop' });
	});

	it('accepts another recipe, with another job', async () => {
		const to = await open();
		const picture = await finished(to);
		const recipe = makeRecipe('wide', 999);
		const again = await admitAgain(to, picture, 'reprocess', log, { recipe });
		expect(again.recipe).toEqual({ name: 'wide', digest: recipe.digest, definition: recipe.definition });
		expect(jobOf(again).id).not.toBe(jobOf(picture).id);
		expect(await to.queues.byName.pictures.getJob(jobOf(again).id)).toBeDefined();
	});

	it('remembers a forced run until it is done or something else is requested', async () => {
		const to = await open();
		const picture = await finished(to);
		const forced = await admitAgain(to, picture, 'reprocess', log, { force: true });
		expect(forced.force).toBe(true);
		expect((await admitAgain(to, forced, 'reprocess', log)).force).toBe(true);
		const failed: Picture = { ...forced, state: 'failed' };
		expect((await admitAgain(to, failed, 'retry', log)).force).toBe(true);
		expect(await admitAgain(to, failed, 'reprocess', log)).not.toHaveProperty('force');
	});

	it('queues with another priority without changing that of the picture', async () => {
		const to = await open();
		const again = await admitAgain(to, await finished(to), 'reprocess', log, { priority: 1_000 });
		expect(again.priority).toBe(0);
		expect((await to.queues.byName.pictures.getJob(jobOf(again).id))?.data.priority).toBe(1_000);
	});

	it('does not change a picture that a worker is processing', async () => {
		const to = await open();
		const picture = await finished(to);
		vi.spyOn(to.queues, 'forgetPicture').mockResolvedValue(false);
		const before = await to.storage.keys();
		expect((await thrownBy(() => admitAgain(to, picture, 'retry', log))).code).toBe('picture-busy');
		expect(await to.storage.keys()).toEqual(before);
		expect(await readManifest(to.storage, picture.id)).toEqual(picture);
	});

	it('changes nothing without Redis, because only Redis knows which pictures are busy', async () => {
		const to = await open({ away: true });
		const picture = makePicture({ id: newPictureId(), state: 'failed', revision: 2 });
		await writeManifest(to.storage, picture);
		expect((await thrownBy(() => admitAgain(to, picture, 'retry', log))).code).toBe('queue-unavailable');
		expect(await readManifest(to.storage, picture.id)).toEqual(picture);
		expect((await to.storage.keys()).some((key) => key.startsWith('pending/'))).toBe(false);
	});
});
