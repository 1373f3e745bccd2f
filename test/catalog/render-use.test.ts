import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { openRenderUse } from '../../src/catalog/render-use.ts';
import { openStorage } from '../../src/storage/index.ts';
import { connected } from '../helpers/connection.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { freshPrefix } from '../helpers/redis.ts';

const folder = 'pictures/2026/01/02/pic_01jzkwp9nbe0tvahm2q4c8s6rd';
const keyOf = (at: number) => `${folder}/render-00000000000${at}.webp`;

async function open(megabytes: number) {
	const storage = openStorage(`file:${await temporaryFolder()}`);
	const redis = await connected();
	const prefix = freshPrefix();
	const use = openRenderUse({ redis, prefix, storage, megabytes });
	const there = async () => {
		const keys: string[] = [];
		for await (const key of storage.list('pictures/')) keys.push(key);
		return keys.sort();
	};
	return { storage, redis, prefix, use, there };
}

describe('renders beyond their space', () => {
	it('are deleted by last use, and nothing else is', async () => {
		const { storage, redis, prefix, use, there } = await open(1);
		const variant = `${folder}/large-000000000000.webp`;
		await storage.put(variant, Buffer.alloc(2_000_000));
		expect(await use.trim()).toBe(0);
		for (const at of [1, 2, 3]) {
			await storage.put(keyOf(at), Buffer.alloc(400_000));
			await use.add(keyOf(at), 400_000);
			await redis.zadd(`${prefix}:renders:used`, at, keyOf(at));
		}
		await redis.zadd(`${prefix}:renders:used`, 10, keyOf(1));
		expect(await use.trim()).toBe(1);
		expect(await there()).toEqual([variant, keyOf(1), keyOf(3)].sort());
		expect(await use.trim()).toBe(0);
	});

	it('are found again in storage after Redis has lost its data', async () => {
		const { storage, redis, use, there, prefix } = await open(1);
		for (const at of [1, 2, 3]) await storage.put(keyOf(at), Buffer.alloc(600_000));
		expect(await use.trim()).toBe(2);
		expect(await there()).toHaveLength(1);
		await redis.del(await redis.keys(`${prefix}:renders:*`));
		await storage.put(keyOf(4), Buffer.alloc(600_000));
		expect(await use.trim()).toBe(1);
		expect(await there()).toHaveLength(1);
	});

	it('are counted once, however often they are added, and not after a deletion', async () => {
		const { storage, redis, prefix, use, there } = await open(1);
		const total = async () => Number(await redis.get(`${prefix}:renders:total`));
		await use.trim();
		const other = keyOf(1).replace('4c8s6rd', '4c8s6re');
		for (const key of [keyOf(1), keyOf(2), other]) {
			await storage.put(key, Buffer.alloc(400_000));
			for (const bytes of [10, 400_000, 400_000]) await use.add(key, bytes);
		}
		expect(await total()).toBe(1_200_000);
		await storage.deleteFolder(`${folder}/`);
		await use.forget('pic_01jzkwp9nbe0tvahm2q4c8s6rd');
		expect(await total()).toBe(400_000);
		expect(await redis.zrange(`${prefix}:renders:used`, 0, -1)).toEqual([other]);
		expect(await use.trim()).toBe(0);
		expect(await there()).toEqual([other]);

		// One that was being made meanwhile.
		await openCatalog(redis, prefix).remove('pic_01jzkwp9nbe0tvahm2q4c8s6rd');
		await use.add(keyOf(3), 400_000);
		expect(await total()).toBe(400_000);
	});
});
