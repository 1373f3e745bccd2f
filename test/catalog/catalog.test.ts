import { describe, expect, it, onTestFinished } from 'vitest';
import { type Catalog, openCatalog } from '../../src/catalog/catalog.ts';
import { raiseEpoch, wholenessKeys } from '../../src/catalog/epoch.ts';
import type { ListQuery } from '../../src/catalog/lists/list.ts';
import { summaryOf } from '../../src/catalog/lists/summary.ts';
import { firstPictureIdAt, newPictureId, type Picture, type PictureState } from '../../src/domain/picture.ts';
import { createLogger } from '../../src/observe/log.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { connected } from '../helpers/connection.ts';
import { makeAwaited, makePicture, makeRecipe } from '../helpers/manifest.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';
import { thrownBy } from '../helpers/thrown.ts';

async function open(prefix = freshPrefix()) {
	// One that waits: hundreds of commands at once may take longer than an api waits for each.
	const redis = await connected('worker');
	return { redis, prefix, catalog: openCatalog(redis, prefix) };
}

/** The ids of all pages, and how many pages there were. */
async function listAll(catalog: Catalog, query: Omit<ListQuery, 'before'>): Promise<{ ids: string[]; pages: number }> {
	const ids: string[] = [];
	let before: string | undefined;
	for (let pages = 1; ; pages++) {
		const page = await catalog.list({ ...query, before });
		expect(page.pictures.length).toBeLessThanOrEqual(query.limit);
		ids.push(...page.pictures.map(({ id }) => id));
		before = page.next;
		if (before === undefined) return { ids, pages };
	}
}

/** Ids in the order in which they were made. */
const newIds = (count: number) => Array.from({ length: count }, () => newPictureId()).sort();

describe('get', () => {
	it('returns the stored picture, and undefined for an unknown one', async () => {
		const { catalog } = await open();
		const picture = makePicture({ tags: ['a', 'b'], priority: 3, analysis: { thumbhash: 'AAAA' } });
		await catalog.put(picture);
		expect(await catalog.get(picture.id)).toEqual(summaryOf(picture));
		expect(await catalog.get(newPictureId())).toBeUndefined();
	});

	it('preserves what Lua could corrupt: empty lists, large numbers, any text', async () => {
		const { catalog } = await open();
		const source = { ...makePicture().source, bytes: 2 ** 40, filename: 'ünï "quoted" \\ 東京 🏔.jpg' };
		const picture = makePicture({ tags: [], variants: [], source });
		await catalog.put(picture);
		await catalog.put({ ...picture, revision: 2, tags: ['東京/🏔'.slice(0, 2)] });
		expect(await catalog.get(picture.id)).toMatchObject({
			variants: [],
			source: { bytes: 2 ** 40, filename: source.filename },
			tags: ['東京'],
		});
	});
});

describe('list', () => {
	it('returns the newest first, in pages without gaps and repetitions', async () => {
		const { catalog } = await open();
		const ids = newIds(23);
		// In another order than they were made.
		for (const id of [...ids].sort(() => 0.5 - Math.random())) await catalog.put(makePicture({ id }));
		for (const limit of [1, 5, 22, 23, 24, 200]) {
			const { ids: found, pages } = await listAll(catalog, { limit });
			expect(found).toEqual([...ids].reverse());
			expect(pages).toBeLessThanOrEqual(Math.ceil(23 / limit) + 1);
		}
	});

	it('continues after its cursor while pictures are added and removed', async () => {
		const { catalog } = await open();
		const [a, b, c, d] = newIds(4) as [string, string, string, string];
		for (const id of [a, b, c, d]) await catalog.put(makePicture({ id }));
		const first = await catalog.list({ limit: 2 });
		expect(first.pictures.map(({ id }) => id)).toEqual([d, c]);
		await catalog.put(makePicture());
		await catalog.remove(c);
		const second = await catalog.list({ limit: 2, before: first.next });
		expect(second.pictures.map(({ id }) => id)).toEqual([b, a]);
	});

	it('is empty, without a next page, if nothing matches', async () => {
		const { catalog } = await open();
		expect(await catalog.list({ limit: 10 })).toEqual({ pictures: [], next: undefined });
		expect(await catalog.list({ limit: 10, tag: 'x', state: 'ready', recipe: 'web' })).toEqual({
			pictures: [],
			next: undefined,
		});
	});

	it('filters by state, tag and recipe, alone and together', async () => {
		const { catalog } = await open();
		const states: PictureState[] = ['queued', 'processing', 'ready', 'failed'];
		const pictures: Picture[] = [];
		for (const state of states) {
			for (const tags of [[], ['red'], ['red', 'blue']]) {
				for (const recipe of [makeRecipe('small'), makeRecipe('other')]) {
					pictures.push(makePicture({ state, tags, recipe }));
				}
			}
		}
		for (const picture of pictures) await catalog.put(picture);
		const queries: Omit<ListQuery, 'limit'>[] = [undefined, ...states].flatMap((state) =>
			[undefined, 'red', 'blue', 'green'].flatMap((tag) =>
				[undefined, 'small', 'other', 'none'].map((recipe) => ({ state, tag, recipe })),
			),
		);
		for (const query of queries) {
			const expected = pictures
				.filter(({ state }) => query.state === undefined || state === query.state)
				.filter(({ tags }) => query.tag === undefined || tags.includes(query.tag))
				.filter(({ recipe }) => query.recipe === undefined || recipe.name === query.recipe)
				.map(({ id }) => id);
			const { ids } = await listAll(catalog, { ...query, limit: 4 });
			expect(ids, JSON.stringify(query)).toEqual(expected.sort().reverse());
		}
	});

	it('skips an entry whose picture is missing', async () => {
		const { catalog, redis, prefix } = await open();
		const [lost, kept] = [makePicture(), makePicture()];
		await catalog.put(lost);
		await catalog.put(kept);
		await redis.del(`${prefix}:catalog:v8:picture:${lost.id}`);
		expect((await listAll(catalog, { limit: 10 })).ids).toEqual([kept.id]);
	});
});

describe('the pictures of an owner', () => {
	it('are listed without reading those of others, and the cursor is never an id of theirs', async () => {
		const { catalog } = await open();
		const ids = newIds(9);
		const owners = ['shop', 'press', undefined];
		for (const [at, id] of ids.entries()) {
			const owner = owners[at % 3];
			await catalog.put(makePicture({ id, state: at % 2 ? 'ready' : 'failed', ...(owner && { owner }), tags: ['t'] }));
		}
		const own = ids.filter((_, at) => at % 3 === 0).reverse();
		for (const limit of [1, 2, 200]) {
			expect((await listAll(catalog, { owner: 'shop', limit })).ids).toEqual(own);
			expect((await listAll(catalog, { owner: 'shop', tag: 't', recipe: 'small', limit })).ids).toEqual(own);
		}
		const ready = own.filter((id) => ids.indexOf(id) % 2 === 1);
		expect((await listAll(catalog, { owner: 'shop', state: 'ready', limit: 10 })).ids).toEqual(ready);
		expect((await listAll(catalog, { owner: 'nobody', limit: 10 })).ids).toEqual([]);
		const page = await catalog.list({ owner: 'shop', tag: 't', limit: 1 });
		expect(own).toContain(page.next);
	});

	it('move with their state, and leave nothing behind when they are removed', async () => {
		const { catalog, redis, prefix } = await open();
		const picture = makePicture({ owner: 'shop', analysis: { phash: '0'.repeat(16) } });
		await catalog.put(picture);
		await catalog.put({ ...picture, revision: 2, state: 'ready' });
		const listed = async (state: PictureState) =>
			(await catalog.list({ owner: 'shop', state, limit: 1 })).pictures.length;
		expect([await listed('queued'), await listed('ready')]).toEqual([0, 1]);
		await catalog.remove(picture.id);
		expect(await redis.keys(`${prefix}:catalog:*`)).toEqual([`${prefix}:catalog:deleted:${picture.id}`]);
	});
});

describe('put', () => {
	it('moves a picture from its old lists to its new ones', async () => {
		const { catalog } = await open();
		const picture = makePicture({ tags: ['old', 'both'] });
		await catalog.put(picture);
		const recipe = makeRecipe('other');
		await catalog.put({ ...picture, revision: 2, state: 'ready', tags: ['both', 'new'], recipe });
		const isListed = async (query: Partial<ListQuery>) =>
			(await catalog.list({ ...query, limit: 10 })).pictures.length === 1;
		for (const query of [{ state: 'queued' }, { tag: 'old' }, { recipe: 'small' }] as const) {
			expect(await isListed(query), JSON.stringify(query)).toBe(false);
		}
		for (const query of [{}, { state: 'ready' }, { tag: 'both' }, { tag: 'new' }, { recipe: 'other' }] as const) {
			expect(await isListed(query), JSON.stringify(query)).toBe(true);
		}
	});

	it('leaves no empty sets behind', async () => {
		const { catalog, redis, prefix } = await open();
		const picture = makePicture({ tags: ['a'] });
		await catalog.put(picture);
		await catalog.put({ ...picture, revision: 2, state: 'failed', tags: ['b'] });
		expect((await redis.keys(`${prefix}:catalog:*`)).sort()).toEqual(
			[
				'bytes',
				'names',
				`picture:${picture.id}`,
				'recipe-uses',
				'recipe:small:failed',
				'recipes',
				'state:failed',
				'tag:b:failed',
				'tags',
			].map((name) => `${prefix}:catalog:v8:${name}`),
		);
	});

	it('accepts a picture without bytes, which has no duplicates, and later with them', async () => {
		const { catalog, redis, prefix } = await open();
		const awaited = makeAwaited();
		await catalog.put(awaited);
		expect(await catalog.get(awaited.id)).toEqual(summaryOf(awaited));
		expect(await redis.keys(`${prefix}:catalog:v8:bytes*`)).toEqual([]);
		await catalog.markComplete();

		const { source } = makePicture();
		const other = newPictureId();
		expect(await catalog.claim(source.sha256, other)).toEqual({ outcome: 'claimed', id: other });
		await catalog.release(source.sha256, other);
		await catalog.put({ ...awaited, revision: 2, source });
		expect(await catalog.claim(source.sha256, other)).toEqual({ outcome: 'there', id: awaited.id });

		const third = makeAwaited();
		await catalog.put(third);
		for (const { id } of [awaited, third]) await catalog.remove(id);
		const left = await redis.keys(`${prefix}:catalog:*`);
		expect(left.filter((key) => !/:(deleted:|whole$)/.test(key))).toEqual([]);
	});

	/** The revision and state that are there, those that come, and whether they win. */
	const cases: readonly (readonly [number, PictureState, number, PictureState, boolean])[] = [
		[1, 'queued', 2, 'ready', true],
		[2, 'ready', 1, 'queued', false],
		[2, 'ready', 3, 'queued', true],
		[3, 'queued', 2, 'ready', false],
		[1, 'queued', 1, 'processing', true],
		[1, 'processing', 1, 'queued', false],
		[2, 'ready', 2, 'processing', false],
		[2, 'failed', 2, 'queued', false],
		[1, 'processing', 2, 'failed', true],
		[2, 'ready', 2, 'ready', true],
		[10, 'queued', 9, 'ready', false],
		[9, 'queued', 10, 'queued', true],
	];
	it.each(cases)(
		'over revision %i (%s) of revision %i (%s): %s',
		async (revision, state, newRevision, newState, wins) => {
			const { catalog } = await open();
			const picture = makePicture({ revision, state, priority: 1 });
			await catalog.put(picture);
			await catalog.put({ ...picture, revision: newRevision, state: newState, priority: 2 });
			expect(await catalog.get(picture.id)).toMatchObject(
				wins ? { revision: newRevision, state: newState, priority: 2 } : { revision, state, priority: 1 },
			);
			expect((await catalog.list({ state: wins ? newState : state, limit: 10 })).pictures).toHaveLength(1);
		},
	);

	it('keeps the newest revision, in whatever order they arrive', async () => {
		const { catalog } = await open();
		const picture = makePicture();
		const revisions = Array.from({ length: 30 }, (_, index) => index + 1).sort(() => 0.5 - Math.random());
		await Promise.all(revisions.map((revision) => catalog.put({ ...picture, revision, tags: [`r${revision}`] })));
		expect(await catalog.get(picture.id)).toMatchObject({ revision: 30, tags: ['r30'] });
		expect((await catalog.list({ limit: 10 })).pictures).toHaveLength(1);
		expect((await catalog.list({ limit: 10, tag: 'r29' })).pictures).toHaveLength(0);
	});
});

describe('markProcessing', () => {
	it('shows that processing has begun, without a new revision', async () => {
		const { catalog } = await open();
		const picture = makePicture();
		await catalog.put(picture);
		await catalog.markProcessing(picture);
		expect(await catalog.get(picture.id)).toEqual(summaryOf({ ...picture, state: 'processing' }));
	});

	it('has no effect after processing has ended or begun again', async () => {
		const { catalog } = await open();
		const picture = makePicture();
		await catalog.put({ ...picture, revision: 2, state: 'ready' });
		await catalog.markProcessing(picture);
		expect((await catalog.get(picture.id))?.state).toBe('ready');
		await catalog.put({ ...picture, revision: 3, state: 'queued' });
		await catalog.markProcessing({ ...picture, revision: 2 });
		expect((await catalog.get(picture.id))?.state).toBe('queued');
	});
});

describe('remove', () => {
	it('removes a picture everywhere, and no late write restores it', async () => {
		const { catalog, redis, prefix } = await open();
		const picture = makePicture({ tags: ['a', 'b'] });
		await catalog.put(picture);
		await catalog.remove(picture.id);
		await catalog.put({ ...picture, revision: 99, state: 'ready' });
		await catalog.markProcessing(picture);
		expect(await catalog.get(picture.id)).toBeUndefined();
		expect(await redis.keys(`${prefix}:catalog:*`)).toEqual([`${prefix}:catalog:deleted:${picture.id}`]);
	});

	it('remembers the deletion for a day, even of an unknown picture', async () => {
		const { catalog, redis, prefix } = await open();
		const picture = makePicture();
		await catalog.remove(picture.id);
		const seconds = await redis.ttl(`${prefix}:catalog:deleted:${picture.id}`);
		expect(seconds).toBeGreaterThan(86_000);
		expect(seconds).toBeLessThanOrEqual(86_400);
		await catalog.put(picture);
		expect(await catalog.get(picture.id)).toBeUndefined();
	});

	it('does not affect other pictures', async () => {
		const { catalog } = await open();
		const [one, other] = [makePicture({ tags: ['a'] }), makePicture({ tags: ['a'] })];
		await catalog.put(one);
		await catalog.put(other);
		await catalog.remove(one.id);
		expect((await catalog.list({ tag: 'a', limit: 10 })).pictures).toEqual([summaryOf(other)]);
	});
});

describe('idsBetween', () => {
	it('is complete between two ids, oldest first, beyond one batch', async () => {
		const { catalog } = await open();
		const ids = newIds(450);
		await catalog.putAll(ids.map((id) => makePicture({ id })));
		const found = async (after: string, last?: string) => {
			const between: string[] = [];
			for await (const id of catalog.idsBetween(after, last)) between.push(id);
			return between;
		};
		expect(await found(firstPictureIdAt(0))).toEqual(ids);
		expect(await found(ids[9] as string, ids[440])).toEqual(ids.slice(10, 441));
		expect(await found(ids[449] as string)).toEqual([]);
	});
});

describe('an index', () => {
	it('is complete from its reindex on, through a restart of Redis with its data, until these are lost', async () => {
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const redis = await connected('worker', server.url);
		const catalog = openCatalog(redis, freshPrefix());
		expect(await catalog.isComplete()).toBe(false);
		await catalog.markComplete();
		expect(await catalog.isComplete()).toBe(true);
		await server.restart();
		await redis.ping();
		expect(await catalog.isComplete()).toBe(true);
		await server.wipe();
		await server.restart();
		await redis.ping();
		expect(await catalog.isComplete()).toBe(false);
	});

	it('is not complete in a Redis that was set back, even before the next raise of the epoch', async () => {
		const { catalog, redis, prefix } = await open();
		const storage = await watchedStorage();
		const { epoch, complete, rebuild } = wholenessKeys(prefix);
		const raise = () => raiseEpoch(redis, [epoch, complete, rebuild], storage, createLogger('worker', 'silent'));
		await raise();
		await catalog.markComplete();
		const [before, mark] = await redis.mget(epoch, complete);
		await raise();
		expect(await catalog.isComplete()).toBe(true);
		await redis.mset(epoch, String(before), complete, String(mark));
		expect(await catalog.isComplete()).toBe(false);
		expect(await raise()).toBe('set back');
		await catalog.markComplete();
		expect(await catalog.isComplete()).toBe(true);
	});

	it('is separate for another prefix', async () => {
		const [one, other] = [await open(), await open()];
		const picture = makePicture();
		await one.catalog.put(picture);
		expect(await other.catalog.get(picture.id)).toBeUndefined();
		expect((await other.catalog.list({ limit: 10 })).pictures).toEqual([]);
	});

	it('reports that it is unavailable without Redis', async () => {
		const redis = connectRedis('redis://127.0.0.1:1', 'producer');
		onTestFinished(() => redis.disconnect());
		redis.on('error', () => {});
		const catalog = openCatalog(redis, freshPrefix());
		const picture = makePicture();
		const asks = [
			() => catalog.put(picture),
			() => catalog.get(picture.id),
			() => catalog.list({ limit: 1 }),
			() => catalog.remove(picture.id),
			() => catalog.similar({ phash: '0'.repeat(16), distance: 0, limit: 1 }),
			() => catalog.claim('ab', picture.id),
			() => catalog.release('ab', picture.id),
			() => catalog.putAll([picture]),
			() => catalog.idsBetween(picture.id)[Symbol.asyncIterator]().next(),
			() => catalog.isComplete(),
			() => catalog.markComplete(),
		];
		for (const ask of asks) expect((await thrownBy(ask)).code).toBe('queue-unavailable');
	});
});
