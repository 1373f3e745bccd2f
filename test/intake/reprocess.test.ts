import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { folderOf, markPending, readManifest, writeManifest } from '../../src/catalog/manifest.ts';
import { maximumPriority, type Picture, type ReceivedPicture } from '../../src/domain/picture.ts';
import type { NamedRecipe } from '../../src/domain/recipe.ts';
import type { Admission } from '../../src/intake/admit.ts';
import { type ReprocessOptions, reprocess } from '../../src/intake/reprocess.ts';
import { createLogger } from '../../src/observe/log.ts';
import { planVariants } from '../../src/pipeline/recipe/parse-recipe.ts';
import { analysisDigest, variantDigest } from '../../src/pipeline/recipe/variant-digest.ts';
import { jobOf } from '../../src/queue/jobs.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { manifestKey, variantKey } from '../../src/storage/keys.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture, makeRecipe } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { type WatchedStorage, watchedStorage } from '../helpers/storage.ts';

const log = createLogger('test', 'silent');
const recipes = new Map([makeRecipe('small', 400), makeRecipe('wide', 900)].map((recipe) => [recipe.name, recipe]));
const [small, wide] = [...recipes.values()] as [NamedRecipe, NamedRecipe];

type Open = Admission & { readonly storage: WatchedStorage };

async function open(redis?: Awaited<ReturnType<typeof connected>>, prefix = freshPrefix()): Promise<Open> {
	const connection = redis ?? (await connected());
	const queues = openQueues(connection, { prefix, attempts: 5, retryDelay: 1_000 });
	onTestFinished(() => queues.close());
	return { storage: await watchedStorage(), catalog: openCatalog(connection, prefix), queues };
}

/** A picture with its original and what its recipe asks for, as a worker leaves it. */
async function store(to: Open, recipe: NamedRecipe, change: Partial<ReceivedPicture> = {}): Promise<Picture> {
	const picture = makePicture({ recipe, state: 'ready', revision: 2, priority: 3, ...change });
	const { sha256 } = picture.source;
	const [variant] = planVariants(recipe.definition);
	const [encoding] = variant?.encodings ?? [];
	if (!variant || !encoding) throw new Error('no variant');
	const digest = variantDigest(sha256, variant, encoding);
	const key = variantKey(folderOf(picture.id), variant.name, digest, 'webp');
	const whole: Picture = {
		...picture,
		facts: { format: 'jpeg', width: 9, height: 9, frames: 1, alpha: false, orientation: 1, colourSpace: 'srgb' },
		analysisDigest: analysisDigest(sha256, recipe.definition),
		variants: [
			{
				name: variant.name,
				key,
				format: 'webp',
				type: 'image/webp',
				width: 9,
				height: 9,
				bytes: 4,
				digest,
				sha256: 'cd'.repeat(32),
				milliseconds: 1,
			},
		],
		...change,
	};
	await to.storage.put(picture.source.key, Buffer.from('jpg'));
	await to.storage.put(key, Buffer.from('webp'));
	await writeManifest(to.storage, whole);
	return whole;
}

const run = (to: Open, options: Partial<ReprocessOptions> = {}) => reprocess(to, { recipes, log, ...options });
const nothing = { pictures: 0, queued: 0, upToDate: 0, waiting: 0, others: 0, deleted: 0, left: 0 };

/** The recipe `small` as it once was. */
const older = makeRecipe('small', 399);

describe('reprocess', () => {
	it('queues outdated pictures behind all other work, and skips the others', async () => {
		const to = await open();
		const [stale, gone, fine] = [await store(to, older), await store(to, small), await store(to, wide)];
		await to.storage.delete(gone.variants[0]?.key ?? '');
		expect(await run(to)).toEqual({ ...nothing, pictures: 3, queued: 2, upToDate: 1 });
		for (const picture of [stale, gone]) {
			const again = (await readManifest(to.storage, picture.id)) ?? expect.fail();
			expect(again).toMatchObject({
				state: 'queued',
				revision: 3,
				priority: 3,
				recipe: { name: 'small', digest: small.digest },
				variants: picture.variants,
			});
			const { backlogs, byName } = to.queues;
			const waiting = await backlogs.pictures.read(again.id);
			const job = await byName.pictures.getJob(jobOf(again).id);
			expect(waiting?.level ?? job?.data.priority).toBe(maximumPriority);
			expect(waiting?.data ?? job?.data).toMatchObject({ reason: 'reprocess' });
		}
		expect(await readManifest(to.storage, fine.id)).toEqual(fine);
		expect(await run(to)).toEqual({ ...nothing, pictures: 3, waiting: 2, upToDate: 1 });
	});

	it('checks the pictures of one recipe, or those whose recipe has changed', async () => {
		const to = await open();
		const gone = await store(to, small);
		await to.storage.delete(gone.variants[0]?.key ?? '');
		await store(to, older);
		await store(to, makeRecipe('wide', 899));
		expect(await run(to, { recipe: 'wide' })).toEqual({ ...nothing, pictures: 3, queued: 1, others: 2 });
		expect(await run(to, { stale: true })).toEqual({ ...nothing, pictures: 3, queued: 1, upToDate: 2 });
	});

	it('with force queues all, once', async () => {
		const to = await open();
		const picture = await store(to, small);
		const waiting = await store(to, small, { state: 'queued' });
		expect(await run(to, { force: true })).toEqual({ ...nothing, pictures: 2, queued: 2 });
		for (const { id } of [picture, waiting]) expect((await readManifest(to.storage, id))?.force).toBe(true);
		expect(await run(to, { force: true })).toEqual({ ...nothing, pictures: 2, waiting: 2 });
	});

	it('takes an inline recipe from the picture itself', async () => {
		const to = await open();
		const inline = makeRecipe('inline', 123);
		await store(to, inline);
		const old = await store(to, { ...inline, digest: 'of another engine' });
		expect(await run(to)).toEqual({ ...nothing, pictures: 2, queued: 1, upToDate: 1 });
		expect((await readManifest(to.storage, old.id))?.recipe.digest).toBe(inline.digest);
	});

	it('counts pictures that it cannot queue, and continues', async () => {
		const to = await open();
		await store(to, makeRecipe('forgotten'));
		const torn = await store(to, small);
		await to.storage.put(manifestKey(folderOf(torn.id)), Buffer.from('{"version":1,'));
		const stale = await store(to, older);
		expect(await run(to)).toEqual({ ...nothing, pictures: 3, queued: 1, left: 2 });
		expect((await readManifest(to.storage, stale.id))?.state).toBe('queued');
	});

	it('does not restore a picture that was deleted in the meantime', async () => {
		const to = await open();
		const picture = await store(to, older);
		await to.storage.delete(picture.source.key);
		expect(await run(to)).toEqual({ ...nothing, pictures: 1, deleted: 1 });
		expect(await readManifest(to.storage, picture.id)).toBeUndefined();
	});

	it('without Redis ends at once and changes nothing', async () => {
		const away = connectRedis('redis://127.0.0.1:1', 'producer');
		away.on('error', () => {});
		onTestFinished(() => away.disconnect());
		const to = await open(away);
		const picture = await store(to, older);
		await expect(run(to)).rejects.toMatchObject({ code: 'queue-unavailable' });
		expect(await readManifest(to.storage, picture.id)).toEqual(picture);
	});

	it('continues after an interruption', async () => {
		const to = await open();
		for (let count = 0; count < 20; count++) await store(to, older);
		// As if it had been killed after the first few: those wait, the others are untouched.
		const stopped = run(to, {
			onProgress({ queued }) {
				if (queued >= 8) throw new Error('killed');
			},
		});
		await expect(stopped).rejects.toThrow('killed');
		expect(await run(to, { stale: true })).toEqual({ ...nothing, pictures: 20, queued: 12, upToDate: 8 });
		expect((await to.queues.countWaiting('pictures')).waiting).toBe(20);
	});

	it('does not fill Redis: it waits for workers, if any are running', async () => {
		const redis = await connected('worker');
		const prefix = freshPrefix();
		const to = await open(redis, prefix);
		for (let count = 0; count < 40; count++) await store(to, older);
		const backlogs: number[] = [];
		const work = async () => {
			backlogs.push(await to.queues.byName.pictures.getJobCountByTypes('waiting', 'prioritized'));
			await sleep(10);
		};
		const worker = new Worker('pictures', work, { connection: redis, prefix });
		onTestFinished(() => worker.close());
		await worker.waitUntilReady();
		expect(await run(to, { maximumBacklog: 8 })).toEqual({ ...nothing, pictures: 40, queued: 40 });
		// Eight that may wait, and eight that are looked at side by side.
		expect(Math.max(...backlogs)).toBeLessThanOrEqual(16);
	});

	it('leaves no marker for skipped pictures', async () => {
		const to = await open();
		const [fine, stale] = [await store(to, small), await store(to, older)];
		await markPending(to.storage, stale.id);
		await run(to);
		const pending = (await to.storage.keys()).filter((key) => key.startsWith('pending/'));
		expect(pending).toEqual([`pending/${stale.id}`]);
		expect(pending).not.toContain(`pending/${fine.id}`);
	});

	it('does not touch a picture whose inline recipe belongs to a newer version', async () => {
		const to = await open();
		const own = makeRecipe('inline');
		const picture = await store(to, own);
		const { small: variant } = own.definition.variants;
		const definition = { ...own.definition, variants: { small: { ...variant, layers: [] } as never } };
		const newer = { ...picture, recipe: { ...own, definition } };
		await writeManifest(to.storage, newer);
		expect(await run(to)).toEqual({ ...nothing, pictures: 1, left: 1 });
		expect(await run(to, { force: true })).toEqual({ ...nothing, pictures: 1, left: 1 });
		expect(await readManifest(to.storage, picture.id)).toEqual(newer);
	});
});
