import { describe, expect, it, onTestFinished } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import type { ListQuery } from '../../src/catalog/lists/list.ts';
import { firstPictureIdAt, type Picture, type PictureState } from '../../src/domain/picture.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture, makeRecipe } from '../helpers/manifest.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';

const base = Date.UTC(2026, 0, 1);

/** Sorted ids, one a minute, whose ends differ as those of real ids do. */
function idAt(number: number): string {
	const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
	const end = Array.from({ length: 6 }, (_, place) => alphabet[(number * (place + 7) * 2_654_435_761) % 32]).join('');
	return firstPictureIdAt(base + number * 60_000).slice(0, -6) + end;
}

async function open() {
	const server = await startRedis();
	onTestFinished(() => server.stop());
	const redis = await connected('worker', server.url);
	const prefix = freshPrefix();
	const catalog = openCatalog(redis, prefix);
	/** Calls of Redis commands, by name, without those of the test. */
	const callsOf = async (work: () => Promise<unknown>) => {
		await redis.config('RESETSTAT');
		await work();
		const stats = await redis.info('commandstats');
		const calls = [...stats.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)].map(([, name, count]) => [name, Number(count)]);
		return Object.fromEntries(calls) as Record<string, number>;
	};
	const allIds = async (query: Omit<ListQuery, 'limit'>, limit = 50) => {
		const ids: string[] = [];
		let before: string | undefined;
		for (let pages = 0; pages < 1_000; pages++) {
			const page = await catalog.list({ ...query, before, limit });
			ids.push(...page.pictures.map(({ id }) => id));
			before = page.next;
			if (before === undefined) return ids;
		}
		throw new Error('The list does not end.');
	};
	return { redis, prefix, catalog, callsOf, allIds };
}

const owners = ['press', 'shop', undefined] as const;
const states: PictureState[] = ['queued', 'ready', 'ready', 'ready', 'failed'];

/** Pictures of every mixture. */
function mixed(count: number): Picture[] {
	return Array.from({ length: count }, (_, number) => {
		const owner = owners[number % 3];
		const state = states[number % 5] as PictureState;
		return makePicture({
			id: idAt(number),
			state,
			...(owner && { owner }),
			tags: [`t${number % 7}`, ...(number % 2 ? ['odd'] : [])],
			recipe: makeRecipe(number % 4 ? 'web' : 'print'),
			batch: `batch_${number % 11}`,
			source: {
				...makePicture().source,
				filename: `${number % 2 ? 'IMG' : 'img'}_${String(number % 400).padStart(4, '0')}.jpg`,
			},
			...(state === 'failed' && {
				failure: {
					class: 'corrupt',
					code: 'corrupt-picture',
					message: 'x',
					attempt: 1,
					at: '2026-01-01T00:00:00.000Z',
				},
			}),
		} as Partial<Picture> as never);
	});
}

describe('lists of many blocks', () => {
	it('agree with the pictures in every mixture, after additions in any order, moves and removals', {
		timeout: 120_000,
	}, async () => {
		const { catalog, redis, prefix, allIds } = await open();
		const pictures = mixed(1_500);
		const shuffled = [...pictures].sort((a, b) => (a.id.slice(-3) + a.id < b.id.slice(-3) + b.id ? -1 : 1));
		await catalog.putAll(shuffled.slice(0, 700));
		for (const picture of shuffled.slice(700)) await catalog.put(picture);
		const kept = new Map(pictures.map((picture) => [picture.id, picture]));
		for (const [at, picture] of pictures.entries()) {
			if (at % 9 === 0) {
				await catalog.remove(picture.id);
				kept.delete(picture.id);
			} else if (at % 9 === 1) {
				const moved: Picture = { ...picture, revision: 2, state: 'ready', tags: ['moved'] };
				delete moved.failure;
				await catalog.put(moved);
				kept.set(picture.id, moved);
			}
		}
		expect(await redis.exists(`${prefix}:catalog:v8:state:ready#`)).toBe(1);
		const expected = (query: Omit<ListQuery, 'limit'>) =>
			[...kept.values()]
				.filter(
					(one) =>
						(query.state === undefined || one.state === query.state) &&
						(query.tag === undefined || one.tags.includes(query.tag)) &&
						(query.recipe === undefined || one.recipe.name === query.recipe) &&
						(query.owner === undefined || one.owner === query.owner) &&
						(query.batch === undefined || one.batch === query.batch) &&
						(query.since === undefined || Date.parse(one.createdAt) >= query.since) &&
						(query.until === undefined || Date.parse(one.createdAt) < query.until) &&
						(query.class === undefined || one.failure?.class === query.class),
				)
				.map(({ id }) => id)
				.sort()
				.reverse();
		const queries: Omit<ListQuery, 'limit'>[] = [];
		for (const state of [undefined, 'queued', 'ready', 'failed'] as const)
			for (const tag of [undefined, 't3', 'odd', 'moved', 'none'])
				for (const owner of [undefined, 'shop'])
					for (const recipe of [undefined, 'print']) queries.push({ state, tag, owner, recipe });
		queries.push({ batch: 'batch_3' }, { batch: 'batch_3', state: 'failed' }, { class: 'corrupt', owner: 'press' });
		queries.push({ since: base + 6e6, until: base + 12e6 }, { since: base + 6e6, until: base + 12e6, tag: 't1' });
		for (const query of queries) expect(await allIds(query, 37), JSON.stringify(query)).toEqual(expected(query));
		for (const query of queries) {
			const { total } = await catalog.list({ ...query, limit: 20, isCounted: true });
			const count = expected(query).length;
			if (total?.isExact) expect(total.count, JSON.stringify(query)).toBe(count);
			else expect(count).toBeGreaterThanOrEqual(total?.count ?? Number.NaN);
			const filters = Object.values(query).filter((value) => value !== undefined).length;
			if (filters <= 1 && query.since === undefined) expect(total?.isExact, JSON.stringify(query)).toBe(true);
		}
		const counts = await catalog.countStates();
		for (const state of ['queued', 'ready', 'failed'] as const)
			expect(counts[state], state).toBe(expected({ state }).length);

		for (const id of kept.keys()) await catalog.remove(id);
		const left = (await redis.keys(`${prefix}:catalog:*`)).filter((key) => !key.includes(':deleted:'));
		expect(left).toEqual([]);
	});

	it('keep nothing of a removed picture in the names of blocks', async () => {
		const { catalog, redis, prefix } = await open();
		const pictures = mixed(600);
		await catalog.putAll(pictures);
		const gone = pictures.filter((_, at) => at % 3 !== 0);
		for (const { id } of gone) await catalog.remove(id);
		const begins = (await redis.keys(`${prefix}:catalog:v8:*#*`))
			.map((key) => key.slice(key.indexOf('#') + 1))
			.filter(Boolean);
		const text = JSON.stringify([begins, await redis.keys('*')]);
		for (const { id } of gone) expect(text.replaceAll(`deleted:${id}`, '')).not.toContain(id);
		expect(begins.length).toBeGreaterThan(10);
	});

	it('are split before Redis stores them as skip lists', async () => {
		const { catalog, redis, prefix } = await open();
		await catalog.putAll(mixed(1_500));
		const keys = (await redis.keys(`${prefix}:catalog:v8:*`)).filter((key) =>
			/v8:(state|owner|recipe|names|bytes)/.test(key),
		);
		const blocks = keys.filter((key) => !key.endsWith('#'));
		const encodings = await Promise.all(blocks.map((key) => redis.object('ENCODING', key)));
		const large = encodings.filter((encoding) => encoding === 'skiplist').length;
		expect(blocks.length).toBeGreaterThan(50);
		expect(large).toBeLessThanOrEqual(blocks.length / 10);
	});
});

describe('a page', () => {
	it('reads no more documents than it has, and tells at once that there is none', { timeout: 60_000 }, async () => {
		const { catalog, callsOf } = await open();
		const pictures = mixed(3_000).map((one, at) => ({
			...one,
			state: 'ready' as const,
			tags: ['all', ...(at % 100 ? [] : ['rare'])],
		}));
		await catalog.putAll(pictures.map(({ failure: _, ...one }) => one as Picture));
		await catalog.list({ limit: 50 });
		const queries: Omit<ListQuery, 'limit'>[] = [
			{ tag: 'all', state: 'queued' },
			{ owner: 'shop', state: 'failed' },
			{ recipe: 'web', state: 'processing' },
			{ batch: 'batch_1', state: 'queued' },
			{ tag: 'all', since: base + 9e9 },
			{ tag: 'all', state: 'ready', until: base },
		];
		for (const query of queries) {
			const calls = await callsOf(async () => {
				expect(await catalog.list({ ...query, limit: 50 })).toMatchObject({ pictures: [], next: undefined });
			});
			expect(calls.mget ?? 0, JSON.stringify(query)).toBe(0);
			expect((calls.zrevrangebylex ?? 0) + (calls.zrangebylex ?? 0), JSON.stringify(query)).toBeLessThan(20);
		}
		const full: Omit<ListQuery, 'limit'>[] = [
			{ tag: 'all', state: 'ready' },
			{ owner: 'shop', state: 'ready' },
			{ recipe: 'web', state: 'ready' },
			{ tag: 'all', owner: 'shop', recipe: 'print' },
			{ since: base + 6e7, until: base + 9e7 },
		];
		for (const query of full) {
			const calls = await callsOf(async () => {
				expect((await catalog.list({ ...query, limit: 50 })).pictures).toHaveLength(50);
			});
			expect(calls.mget, JSON.stringify(query)).toBe(1);
			expect((calls.zrevrangebylex ?? 0) + (calls.zrangebylex ?? 0), JSON.stringify(query)).toBeLessThan(150);
		}
	});

	it('of filters that share nothing ends within its bound, with a cursor', { timeout: 60_000 }, async () => {
		const { catalog, callsOf, allIds } = await open();
		// Neighbours alternate between the tags, so that every jump is as short as can be.
		const pictures = Array.from({ length: 4_000 }, (_, at) =>
			makePicture({
				id: idAt(at),
				state: 'ready',
				tags: [at % 2 ? 'a' : 'b'],
				recipe: makeRecipe('web'),
				owner: at % 2 ? 'x' : 'y',
			}),
		);
		await catalog.putAll(pictures);
		const calls = await callsOf(async () => {
			expect(await catalog.list({ tag: 'a', owner: 'y', limit: 50 })).toMatchObject({ pictures: [] });
		});
		expect(Object.values(calls).reduce((sum, count) => sum + count, 0)).toBeLessThan(1_200);
		expect(await allIds({ tag: 'a', owner: 'y' })).toEqual([]);
		expect(await allIds({ tag: 'a', owner: 'x' })).toHaveLength(2_000);
	});

	it('shows what is being processed as such, and counts it', async () => {
		const { catalog, allIds } = await open();
		const pictures = Array.from({ length: 30 }, (_, at) =>
			makePicture({ id: idAt(at), tags: ['a'], batch: 'batch_1' }),
		);
		await catalog.putAll(pictures);
		const [working, ...waiting] = pictures as [Picture, ...Picture[]];
		await catalog.markProcessing(working);
		expect(await allIds({ state: 'processing' })).toEqual([working.id]);
		expect(await allIds({ state: 'processing', tag: 'a' })).toEqual([working.id]);
		expect(await allIds({ state: 'queued', tag: 'a' })).toEqual(waiting.map(({ id }) => id).reverse());
		expect((await catalog.list({ state: 'queued', tag: 'a', limit: 5, isCounted: true })).total).toEqual({
			count: 29,
			isExact: true,
		});
		expect(await catalog.countStates()).toMatchObject({ queued: 29, processing: 1 });
		expect(await catalog.countBatch('batch_1')).toMatchObject({ queued: 29, processing: 1 });
		await catalog.put({ ...working, state: 'ready', revision: 2 });
		expect(await catalog.countBatch('batch_1')).toMatchObject({ queued: 29, processing: 0, ready: 1 });
	});
});

describe('file names', () => {
	it('are found by their beginning, in any case, of one owner, with other filters, page by page', async () => {
		const { catalog, allIds, callsOf } = await open();
		const pictures = mixed(900);
		await catalog.putAll(pictures);
		const expected = (query: { filename: string; owner?: string; state?: string }) =>
			pictures
				.filter(({ source }) => source.filename?.toLowerCase().startsWith(query.filename.toLowerCase()))
				.filter(({ owner }) => query.owner === undefined || owner === query.owner)
				.filter(({ state }) => query.state === undefined || state === query.state)
				.map(({ id }) => id)
				.sort();
		for (const query of [
			{ filename: 'img_00' },
			{ filename: 'IMG_0123.jpg' },
			{ filename: 'Img_01', owner: 'shop' },
			{ filename: 'img_', state: 'failed' as const },
			{ filename: 'none' },
		])
			expect((await allIds(query, 20)).sort(), JSON.stringify(query)).toEqual(expected(query));
		const calls = await callsOf(async () => {
			expect((await catalog.list({ filename: 'img_0', limit: 20 })).pictures).toHaveLength(20);
		});
		expect(calls.mget).toBe(1);
	});

	it('may be long, and have any letters', async () => {
		const { catalog, allIds } = await open();
		const long = `Ärger mit 東京 und 🏔 ${'x'.repeat(150)}`;
		const pictures = ['a.jpg', 'b.jpg'].map((end, at) =>
			makePicture({ id: idAt(at), source: { ...makePicture().source, filename: long + end } }),
		);
		await catalog.putAll(pictures);
		expect(await allIds({ filename: 'Ärger' }, 1)).toHaveLength(2);
		expect(await allIds({ filename: `${long}b` })).toEqual([pictures[1]?.id]);
	});
});

describe('tags', () => {
	it('are counted, the most frequent first, for everybody and for one owner', async () => {
		const { catalog } = await open();
		const pictures = mixed(100);
		await catalog.putAll(pictures);
		const counted = (owner?: string) => {
			const counts = new Map<string, number>();
			for (const one of pictures)
				if (owner === undefined || one.owner === owner)
					for (const tag of one.tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
			return Object.fromEntries(counts);
		};
		const listed = async (owner?: string) => {
			const found: { tag: string; count: number }[] = [];
			for (let offset: number | undefined = 0; offset !== undefined; ) {
				const page: Awaited<ReturnType<typeof catalog.tags>> = await catalog.tags({ owner, offset, limit: 3 });
				found.push(...page.tags);
				offset = page.next;
			}
			expect(found.map(({ count }) => count)).toEqual(found.map(({ count }) => count).sort((a, b) => b - a));
			return Object.fromEntries(found.map(({ tag, count }) => [tag, count]));
		};
		expect(await listed()).toEqual(counted());
		expect(await listed('shop')).toEqual(counted('shop'));
		expect((await catalog.tags({ prefix: 'od', offset: 0, limit: 5 })).tags).toEqual([{ tag: 'odd', count: 50 }]);
		for (const { id } of pictures) await catalog.remove(id);
		expect(await listed()).toEqual({});
	});
});

describe('memory', () => {
	it('of a kept picture is at most 2.0 kB, its recipe stored once', { timeout: 60_000 }, async () => {
		const { catalog, redis, prefix } = await open();
		const recipe = makeRecipe('web');
		const variant = (id: string, name: string) => ({
			name,
			key: `${id}/${name}`,
			format: 'webp',
			type: 'image/webp',
			width: 1600,
			height: 1067,
			bytes: 123_456,
			digest: 'ab'.repeat(32),
			sha256: 'cd'.repeat(32),
			milliseconds: 12,
		});
		const count = 5_000;
		const hexOf = (number: number) => ((number + 1) * 2_654_435_761).toString(16).padStart(16, '0').slice(-8);
		const pictures = Array.from({ length: count }, (_, at) => {
			const id = idAt(at);
			return makePicture({
				id,
				state: 'ready',
				revision: 3,
				recipe,
				owner: `team-${at % 8}`,
				batch: `batch_${String(at >> 7).padStart(26, '0')}`,
				tags: [`topic-${at % 200}`, `place-${at % 90}`],
				source: {
					...makePicture().source,
					bytes: 2_800_000 + at,
					sha256: hexOf(at).repeat(8),
					filename: `IMG_${20_260_000 + at}.jpg`,
				},
				analysis: { thumbhash: 'WQcKHwYIiHh4iIh4d3eIhwiHh3CIeA==', phash: hexOf(at * 7) + hexOf(at * 3) },
				variants: ['large', 'medium', 'small', 'thumb'].map((name) => variant(id, name)),
			});
		});
		const used = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
		await catalog.list({ limit: 1 });
		const before = await used();
		await catalog.putAll(pictures);
		expect(((await used()) - before) / count).toBeLessThanOrEqual(2_000);
		expect(await redis.hlen(`${prefix}:catalog:v8:recipes`)).toBe(1);
		for (const { id } of pictures) await catalog.remove(id);
		expect(await redis.exists(`${prefix}:catalog:v8:recipes`, `${prefix}:catalog:v8:recipe-uses`)).toBe(0);
	});
});
