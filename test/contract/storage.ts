import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { checkStorage, readObject, type Storage } from '../../src/storage/storage.ts';

/** The keys below a folder, sorted. */
export async function listed(storage: Storage, below: string, options?: { temporary: boolean }): Promise<string[]> {
	const keys: string[] = [];
	for await (const one of storage.list(below, options)) keys.push(one);
	return keys.sort();
}

/** What every storage driver must do. @param open a storage that holds nothing */
export function storageContract(driver: string, open: () => Promise<Storage>): void {
	const folder = 'pictures/2026/01/31/pic_01/';
	const key = `${folder}original.jpg`;

	describe(`${driver} storage`, () => {
		it('returns the stored bytes, from a buffer and from a stream', async () => {
			const storage = await open();
			const bytes = randomBytes(300_000);
			await storage.put(key, bytes);
			expect((await readObject(storage, key))?.equals(bytes)).toBe(true);
			const chunks = Array.from({ length: 50 }, () => randomBytes(10_000));
			await storage.put(`${folder}b.webp`, Readable.from(chunks, { objectMode: false }), { isFollowed: true });
			expect((await readObject(storage, `${folder}b.webp`))?.equals(Buffer.concat(chunks))).toBe(true);
		});

		it('stores empty objects', async () => {
			const storage = await open();
			await storage.put('pending/pic_01', Buffer.alloc(0));
			expect(await readObject(storage, 'pending/pic_01')).toEqual(Buffer.alloc(0));
		});

		it('replaces an object as a whole', async () => {
			const storage = await open();
			await storage.put(key, Buffer.from('a long first version'));
			await storage.put(key, Buffer.from('second'));
			expect((await readObject(storage, key))?.toString()).toBe('second');
		});

		it('creates an object once, whoever is first, and keeps it', async () => {
			const storage = await open();
			const bodies = Array.from({ length: 20 }, (_, index) => `number ${index}`);
			const made = await Promise.all(bodies.map((body) => storage.create(key, Buffer.from(body))));
			expect(made.filter(Boolean)).toHaveLength(1);
			expect((await readObject(storage, key))?.toString()).toBe(bodies[made.indexOf(true)]);
			await storage.put(`${folder}b.webp`, Buffer.from('put'));
			expect(await storage.create(`${folder}b.webp`, Buffer.from('created'))).toBe(false);
			expect((await readObject(storage, `${folder}b.webp`))?.toString()).toBe('put');
			await storage.delete(key);
			expect(await storage.create(key, Buffer.from('again'))).toBe(true);
			expect(await listed(storage, 'pictures/', { temporary: true })).toEqual([`${folder}b.webp`, key].sort());
		});

		it('names the folders directly below a folder', async () => {
			const storage = await open();
			expect(await storage.folders('pictures/')).toEqual([]);
			for (const name of ['2026/01/31/pic_01/a', '2026/01/30/pic_02/a', '2025/12/31/pic_03/a', 'file'])
				await storage.put(`pictures/${name}`, Buffer.from('x'));
			expect((await storage.folders('pictures/')).sort()).toEqual(['2025', '2026']);
			expect((await storage.folders('pictures/2026/01/')).sort()).toEqual(['30', '31']);
			expect(await storage.folders('pictures/2026/01/31/pic_01/')).toEqual([]);
		});

		it('reads ranges, both ends included', async () => {
			const storage = await open();
			await storage.put(key, Buffer.from('0123456789'));
			const range = await storage.get(key, { start: 2, end: 4 });
			expect(range?.bytes).toBe(10);
			expect((await buffer(range?.stream as Readable)).toString()).toBe('234');
		});

		it('returns undefined for missing objects', async () => {
			const storage = await open();
			expect(await storage.get(key)).toBeUndefined();
			expect(await storage.stat(key)).toBeUndefined();
			await storage.put(key, Buffer.from('x'));
			expect(await storage.stat(`${key}/below`)).toBeUndefined();
			await storage.delete(`${folder}absent`);
		});

		it('knows size and time', async () => {
			const storage = await open();
			const before = Date.now();
			await storage.put(key, Buffer.from('12345'));
			const stat = await storage.stat(key);
			expect(stat?.bytes).toBe(5);
			// File systems and servers round times; S3 to seconds.
			expect(Math.abs((stat?.modifiedAt.getTime() ?? 0) - before)).toBeLessThan(5_000);
		});

		it('leaves nothing of a put whose body fails, and keeps the existing object', async () => {
			const storage = await open();
			await storage.put(key, Buffer.from('kept'));
			async function* failing() {
				yield randomBytes(200_000);
				throw new Error('the client left');
			}
			await expect(storage.put(key, Readable.from(failing(), { objectMode: false }))).rejects.toThrow(
				'the client left',
			);
			await expect(storage.put(`${folder}new.jpg`, Readable.from(failing(), { objectMode: false }))).rejects.toThrow(
				'the client left',
			);
			expect((await readObject(storage, key))?.toString()).toBe('kept');
			expect(await listed(storage, folder, { temporary: true })).toEqual([key]);
		});

		it('lists the objects below a folder and nothing else', async () => {
			const storage = await open();
			await storage.put(key, Buffer.from('1'));
			await storage.put('pictures/2026/02/01/pic_02/original.png', Buffer.from('2'));
			await storage.put('pending/pic_02', Buffer.from('3'));
			expect(await listed(storage, 'pictures/')).toEqual([key, 'pictures/2026/02/01/pic_02/original.png']);
			expect(await listed(storage, 'pending/')).toEqual(['pending/pic_02']);
			expect(await listed(storage, 'pictures/2027/')).toEqual([]);
		});

		it('deletes a folder during a concurrent put', async () => {
			const storage = await open();
			let isOver = false;
			const putting = (async () => {
				for (let round = 0; !isOver; round++) {
					// Whoever loses against the deletion may fail.
					await storage.put(`${folder}${round}.webp`, Buffer.alloc(100)).catch(() => {});
				}
			})();
			for (let round = 0; round < 30; round++) await storage.deleteFolder(folder);
			isOver = true;
			await putting;
			await storage.deleteFolder(folder);
			expect(await listed(storage, folder, { temporary: true })).toEqual([]);
		});

		it('deletes one object, and a folder with its contents', async () => {
			const storage = await open();
			await storage.put(key, Buffer.from('1'));
			await storage.put(`${folder}picture.json`, Buffer.from('2'));
			await storage.put('pictures/2026/01/31/pic_02/original.png', Buffer.from('3'));
			await storage.delete(`${folder}picture.json`);
			expect(await listed(storage, folder)).toEqual([key]);
			await storage.deleteFolder(folder);
			await storage.deleteFolder(folder);
			expect(await listed(storage, 'pictures/')).toEqual(['pictures/2026/01/31/pic_02/original.png']);
		});

		it('handles fifty concurrent puts in a new folder while others are purged', async () => {
			const storage = await open();
			await Promise.all(
				Array.from({ length: 50 }, async (_, index) => {
					const own = `pictures/2026/03/01/pic_${index}/`;
					await storage.put(`${own}original.jpg`, Buffer.from(String(index)));
					if (index % 2) await storage.deleteFolder(own);
				}),
			);
			expect(await listed(storage, 'pictures/')).toHaveLength(25);
		});

		it.each(['../escape', 'pictures/../../escape', '/etc/passwd', 'a//b', '.hidden', 'a/.', ''])(
			'refuses the key %j',
			async (bad) => {
				const storage = await open();
				await expect(storage.put(bad, Buffer.from('x'))).rejects.toThrow('storage key');
			},
		);

		it('passes its own check and leaves nothing behind', async () => {
			const storage = await open();
			await checkStorage(storage);
			expect(await listed(storage, 'health/')).toEqual([]);
		});
	});
}
