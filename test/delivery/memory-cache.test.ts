import { describe, expect, it } from 'vitest';
import { type ImageResult, openMemoryCache } from '../../src/delivery/memory-cache.ts';

const resultOf = (bytes: number, data?: Buffer): ImageResult => ({
	key: 'pictures/2026/01/02/pic_01jzkwp9nbe0tvahm2q4c8s6rd/render-000000000001.webp',
	type: 'image/webp',
	etag: '"1"',
	modifiedAt: new Date(0),
	bytes,
	...(data && { data }),
});

describe('the memory cache', () => {
	it('stays within its size, and evicts the least recently used results', () => {
		const cache = openMemoryCache<string>({ megabytes: 1, seconds: 60 });
		const set = (key: string, bytes: number) =>
			cache.set(key, 'one', { url: key, result: resultOf(bytes, Buffer.alloc(bytes)) });
		set('a', 400_000);
		set('b', 400_000);
		expect(cache.get('a')?.url).toBe('a');
		set('c', 400_000);
		expect(['a', 'b', 'c'].filter((key) => cache.get(key))).toEqual(['a', 'c']);
		// One that is larger than all of it is not kept, nor does it push out others.
		set('d', 1_000_001);
		expect(['a', 'c', 'd'].filter((key) => cache.get(key))).toEqual(['a', 'c']);
	});

	it('limits the number of entries without bytes', () => {
		const cache = openMemoryCache<number>({ megabytes: 1, seconds: 60 });
		for (let at = 0; at < 5_000; at++) cache.set(String(at), 'one', { url: at, result: resultOf(50_000_000) });
		const kept = Array.from({ length: 5_000 }, (_, at) => at).filter((at) => cache.get(String(at)));
		expect(kept).toHaveLength(1_000);
		expect(kept[0]).toBe(4_000);
	});

	it('forgets a deleted picture, and stores nothing without space or time', () => {
		const cached = { url: 'a', result: resultOf(10, Buffer.alloc(10)) };
		const cache = openMemoryCache<string>({ megabytes: 1, seconds: 60 });
		for (const id of ['one', 'two']) for (const width of [1, 2]) cache.set(`${id} ${width}`, id, cached);
		cache.forget('one');
		expect(['one 1', 'one 2', 'two 1', 'two 2'].filter((key) => cache.get(key))).toEqual(['two 1', 'two 2']);
		for (const none of [
			{ megabytes: 0, seconds: 60 },
			{ megabytes: 1, seconds: 0 },
		]) {
			const off = openMemoryCache<string>(none);
			off.set('a', 'one', cached);
			expect(off.get('a')).toBeUndefined();
		}
	});
});
