import { describe, expect, it, onTestFinished } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { hammingDistance, maximumDistance } from '../../src/catalog/lists/similar.ts';
import { summaryOf } from '../../src/catalog/lists/summary.ts';
import { writeManifest } from '../../src/catalog/manifest.ts';
import { reindex } from '../../src/catalog/reindex.ts';
import { newPictureId, type ReceivedPicture } from '../../src/domain/picture.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';

async function open() {
	const redis = await connected();
	const prefix = freshPrefix();
	return { redis, prefix, catalog: openCatalog(redis, prefix) };
}

const hashed = (phash: string, change: Partial<ReceivedPicture> = {}) =>
	makePicture({ state: 'ready', analysis: { phash }, ...change });

/** Numbers that look random and are the same in every run (Steele and others, "Fast splittable pseudorandom number generators", 2014). */
function* numbers(seed: bigint): Generator<bigint, never> {
	for (let state = seed; ; ) {
		state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
		let mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
		mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
		yield mixed ^ (mixed >> 31n);
	}
}

const hex = (value: bigint) => value.toString(16).padStart(16, '0');

/** The hash with so many bits turned, spread over all bands. */
function turned(phash: string, count: number, random: Generator<bigint, never>): string {
	const bits = new Set<bigint>();
	while (bits.size < count) bits.add(random.next().value % 64n);
	return hex([...bits].reduce((value, bit) => value ^ (1n << bit), BigInt(`0x${phash}`)));
}

const asked = '58e695be68c3069d';

describe('hammingDistance', () => {
	it('counts the bits that differ', () => {
		const random = numbers(1n);
		for (let round = 0; round < 200; round++) {
			const [one, other] = [random.next().value, random.next().value];
			const ones = [...(one ^ other).toString(2)].filter((bit) => bit === '1').length;
			expect(hammingDistance(hex(one), hex(other))).toBe(ones);
		}
		expect(hammingDistance('0'.repeat(16), 'f'.repeat(16))).toBe(64);
	});
});

describe('similar', () => {
	it('finds every picture within the distance, whichever bits differ, and no others', async () => {
		const { catalog } = await open();
		const random = numbers(2n);
		const pictures: { id: string; distance: number }[] = [];
		for (let distance = 0; distance <= maximumDistance + 3; distance++) {
			for (let copy = 0; copy < 12; copy++) {
				const picture = hashed(turned(asked, distance, random));
				pictures.push({ id: picture.id, distance });
				await catalog.put(picture);
			}
		}
		for (let other = 0; other < 100; other++) await catalog.put(hashed(hex(random.next().value)));
		for (let distance = 0; distance <= maximumDistance; distance++) {
			const { pictures: found, isComplete } = await catalog.similar({ phash: asked, distance, limit: 1_000 });
			expect(isComplete).toBe(true);
			const within = pictures.filter((picture) => picture.distance <= distance);
			expect(
				found.map(({ picture, distance }) => ({ id: picture.id, distance })),
				`distance ${distance}`,
			).toEqual(within.sort((a, b) => a.distance - b.distance || (a.id < b.id ? 1 : -1)));
		}
	});

	it('finds pictures whose differences are spread evenly, the hardest case for the bands', async () => {
		const { catalog } = await open();
		const masks = ['0001000100010001', '0003000300030003', '0007000300030003', '8001800180018001', '0000000000000fff'];
		for (const mask of masks) await catalog.put(hashed(hex(BigInt(`0x${asked}`) ^ BigInt(`0x${mask}`))));
		const distances = async (distance: number) =>
			(await catalog.similar({ phash: asked, distance, limit: 10 })).pictures.map((one) => one.distance);
		expect(await distances(3)).toEqual([]);
		expect(await distances(4)).toEqual([4]);
		expect(await distances(8)).toEqual([4, 8, 8]);
		expect(await distances(9)).toEqual([4, 8, 8, 9]);
		expect(await distances(11)).toEqual([4, 8, 8, 9]);
	});

	it('leaves out the picture itself, and stops at the limit with the nearest', async () => {
		const { catalog } = await open();
		const random = numbers(3n);
		const self = hashed(asked);
		await catalog.put(self);
		for (const distance of [9, 7, 5, 3, 1, 2, 8]) await catalog.put(hashed(turned(asked, distance, random)));
		const found = await catalog.similar({ phash: asked, distance: 10, limit: 3, except: self.id });
		expect(found.pictures.map(({ distance }) => distance)).toEqual([1, 2, 3]);
		expect(found.isComplete).toBe(true);
	});

	it('of one owner finds its pictures alone, whatever else is there', async () => {
		const { catalog } = await open();
		const own = hashed(asked, { owner: 'shop' });
		for (const owner of ['press', 'sho', 'shop2']) await catalog.put(hashed(asked, { owner }));
		await catalog.put(hashed(asked));
		await catalog.put(own);
		const found = await catalog.similar({ phash: asked, distance: 3, limit: 1, owner: 'shop' });
		expect(found).toEqual({ pictures: [{ picture: summaryOf(own), distance: 0 }], isComplete: true });
		expect((await catalog.similar({ phash: asked, distance: 3, limit: 9 })).pictures).toHaveLength(5);
	});

	it('follows a picture that is processed again, and forgets a removed one', async () => {
		const { catalog, redis, prefix } = await open();
		const other = hex(~BigInt(`0x${asked}`) & 0xffff_ffff_ffff_ffffn);
		const picture = hashed(asked);
		const ids = async (phash: string) =>
			(await catalog.similar({ phash, distance: 3, limit: 9 })).pictures.map(({ picture }) => picture.id);
		await catalog.put(picture);
		await catalog.markProcessing({ ...picture, revision: 2 });
		expect(await ids(asked)).toEqual([picture.id]);
		await catalog.put({ ...picture, revision: 3, analysis: { phash: other } });
		expect([await ids(asked), await ids(other)]).toEqual([[], [picture.id]]);
		await catalog.put({ ...picture, revision: 4, analysis: {} });
		expect([await ids(asked), await ids(other)]).toEqual([[], []]);
		await catalog.put({ ...picture, revision: 5 });
		await catalog.remove(picture.id);
		expect(await ids(asked)).toEqual([]);
		expect(await redis.keys(`${prefix}:catalog:*`)).toEqual([`${prefix}:catalog:deleted:${picture.id}`]);
	});

	it('is rebuilt by reindex', async () => {
		const { catalog } = await open();
		const storage = await watchedStorage();
		const picture = hashed(asked);
		await writeManifest(storage, picture);
		expect((await catalog.similar({ phash: asked, distance: 0, limit: 9 })).pictures).toEqual([]);
		await reindex(storage, catalog);
		expect((await catalog.similar({ phash: asked, distance: 0, limit: 9 })).pictures).toEqual([
			{ picture: summaryOf(picture), distance: 0 },
		]);
	});

	it('reads a bounded number of buckets among many pictures', async () => {
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const redis = await connected('worker', server.url);
		const catalog = openCatalog(redis, freshPrefix());
		const random = numbers(4n);
		for (let round = 0; round < 4; round++) {
			await Promise.all(Array.from({ length: 250 }, () => catalog.put(hashed(hex(random.next().value)))));
		}
		await redis.config('RESETSTAT');
		await catalog.similar({ phash: asked, distance: maximumDistance, limit: 20 });
		const stats = await redis.info('commandstats');
		const calls = (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
		// One script for each bucket, and at most two blocks of the list for each.
		expect(calls('evalsha')).toBeGreaterThanOrEqual(547);
		expect(calls('evalsha')).toBeLessThan(560);
		expect(calls('zrangebylex')).toBeLessThanOrEqual(548 * 3);
		expect(calls('mget')).toBeLessThanOrEqual(1);
		expect(stats).not.toMatch(/cmdstat_(keys|scan|zrange|hgetall|smembers):/);
	});

	it('reports if there are too many similar pictures to compare', async () => {
		const { catalog } = await open();
		// Empty white pages.
		await catalog.putAll(Array.from({ length: 1_100 }, () => hashed('0'.repeat(16))));
		const page = hashed('0'.repeat(16));
		await catalog.put(page);
		const { isComplete } = await catalog.similar({ phash: '0'.repeat(16), distance: 3, limit: 20 });
		expect(isComplete).toBe(false);
	});
});

describe('claim', () => {
	const sha256 = 'cd'.repeat(32);

	it('is granted to one of many, until it is released', async () => {
		const { catalog } = await open();
		const ids = Array.from({ length: 20 }, () => newPictureId());
		const claims = await Promise.all(ids.map((id) => catalog.claim(sha256, id)));
		const winners = claims.filter(({ outcome }) => outcome === 'claimed');
		expect(winners).toHaveLength(1);
		const [winner] = winners;
		expect(claims.every(({ id }) => id === winner?.id)).toBe(true);
		const loser = ids.find((id) => id !== winner?.id) ?? '';
		await catalog.release(sha256, loser);
		expect(await catalog.claim(sha256, loser)).toEqual({ outcome: 'held', id: winner?.id });
		expect(await catalog.claim(sha256, winner?.id ?? '')).toEqual({ outcome: 'claimed', id: winner?.id });
		await catalog.release(sha256, winner?.id ?? '');
		expect(await catalog.claim(sha256, loser)).toEqual({ outcome: 'claimed', id: loser });
	});

	it('among the pictures of an owner is not answered with another one', async () => {
		const { catalog, redis, prefix } = await open();
		const source = { ...makePicture().source, sha256 };
		const [foreign, own] = ['press', 'shop'].map((owner) => makePicture({ source, owner }));
		if (!foreign || !own) return expect.fail();
		const { digest: recipeDigest } = own.recipe;
		await catalog.put(foreign);
		for (const owner of ['shop', 'pres', 'press2']) {
			expect(await catalog.claim(sha256, 'x', { owner })).toEqual({ outcome: 'claimed', id: 'x' });
		}
		expect(await catalog.claim(sha256, 'x')).toEqual({ outcome: 'there', id: foreign.id });
		expect(await catalog.claim(sha256, 'x', { owner: 'press', recipeDigest })).toMatchObject({ id: foreign.id });
		expect(await catalog.claim(sha256, 'y', { owner: 'shop' }), 'another upload').toEqual({ outcome: 'held', id: 'x' });
		await catalog.put(own);
		await catalog.release(sha256, 'x');
		expect(await catalog.claim(sha256, 'y', { owner: 'shop' })).toEqual({ outcome: 'there', id: own.id });
		// Lost alone.
		await redis.del(`${prefix}:catalog:v8:picture:${own.id}`);
		expect(await catalog.claim(sha256, 'y', { owner: 'shop' })).toEqual({ outcome: 'claimed', id: 'y' });
	});

	it('ends when the picture is indexed, and its bytes are free when that is removed', async () => {
		const { catalog, redis, prefix } = await open();
		const source = { ...makePicture().source, sha256 };
		const [older, newer] = [makePicture({ source }), makePicture({ source })].sort((a, b) => (a.id < b.id ? -1 : 1));
		if (!older || !newer) return expect.fail();
		await catalog.claim(sha256, newer.id);
		const claims = await redis.keys(`${prefix}:catalog:v8:claim:*`);
		expect(claims).toHaveLength(1);
		expect(await redis.ttl(claims[0] as string)).toBeGreaterThan(100);
		await catalog.put(newer);
		expect(await redis.exists(claims)).toBe(0);
		expect(await catalog.claim(sha256, 'x')).toEqual({ outcome: 'there', id: newer.id });
		await catalog.put(older);
		expect(await catalog.claim(sha256, 'x')).toEqual({ outcome: 'there', id: older.id });
		await catalog.remove(older.id);
		expect(await catalog.claim(sha256, 'x')).toEqual({ outcome: 'there', id: newer.id });
		await catalog.remove(newer.id);
		expect(await catalog.claim(sha256, 'x')).toEqual({ outcome: 'claimed', id: 'x' });
	});
});
