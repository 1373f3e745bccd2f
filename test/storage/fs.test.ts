import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFileStorage } from '../../src/storage/fs.ts';
import { openStorage } from '../../src/storage/index.ts';
import { listed, storageContract } from '../contract/storage.ts';
import { temporaryFolder } from '../helpers/folder.ts';

storageContract('file', async () => openFileStorage(await temporaryFolder()));

describe('file storage', () => {
	it('lists leftovers of killed writes only on request, and deletes them with the folder', async () => {
		const root = await temporaryFolder();
		const storage = openFileStorage(root);
		await storage.put('pictures/2026/01/31/pic_01/original.jpg', Buffer.from('1'));
		const folder = join(root, 'pictures/2026/01/31/pic_01');
		await writeFile(join(folder, '.3b0c2f5e-5a3f-4a60-9d2e-0f7f6a1b2c3d.tmp'), 'half');
		const keys = await listed(storage, 'pictures/');
		expect(keys).toEqual(['pictures/2026/01/31/pic_01/original.jpg']);
		expect(await listed(storage, 'pictures/', { temporary: true })).toHaveLength(2);
		await storage.deleteFolder('pictures/2026/01/31/pic_01/');
		expect(await readdir(root)).toEqual([]);
	});

	it('deletes a leftover by its listed key, and cannot read or write it', async () => {
		const root = await temporaryFolder();
		const storage = openFileStorage(root);
		const kept = 'pictures/2026/01/31/pic_01/original.jpg';
		await storage.put(kept, Buffer.from('1'));
		await writeFile(join(root, 'pictures/2026/01/31/pic_01/.3b0c2f5e-5a3f-4a60-9d2e-0f7f6a1b2c3d.tmp'), 'half');
		const left = (await listed(storage, 'pictures/', { temporary: true })).filter((key) => key !== kept);
		expect(left).toHaveLength(1);
		for (const key of left) {
			await expect(storage.put(key, Buffer.from('2'))).rejects.toThrow('plain segments');
			await expect(storage.get(key)).rejects.toThrow('plain segments');
			expect(await storage.stat(key)).toMatchObject({ bytes: 4 });
			await storage.delete(key);
		}
		expect(await listed(storage, 'pictures/', { temporary: true })).toEqual([kept]);
		await expect(storage.delete('pictures/../.3b0c2f5e-5a3f-4a60-9d2e-0f7f6a1b2c3d.tmp')).rejects.toThrow('plain');
		await expect(storage.delete('pictures/.DS_Store')).rejects.toThrow('plain segments');
	});

	it('keeps files unreadable for other users', async () => {
		const root = await temporaryFolder();
		const storage = openFileStorage(root);
		await storage.put('pictures/a.jpg', Buffer.from('1'));
		expect((await stat(join(root, 'pictures'))).mode & 0o077).toBe(0);
		expect((await stat(join(root, 'pictures/a.jpg'))).mode & 0o077).toBe(0);
	});

	it('opens by URL, relative and absolute', async () => {
		const root = await temporaryFolder();
		expect(openStorage(`file:${root}`).description).toBe(`file:${root}`);
		expect(openStorage(`file://${root}`).description).toBe(`file:${root}`);
		expect(openStorage('file:./data').description).toBe(`file:${join(process.cwd(), 'data')}`);
		expect(() => openStorage('ftp://host/')).toThrow('Expected a storage URL');
	});

	it('passes on an error of the disk', async () => {
		const root = await temporaryFolder();
		await mkdir(join(root, 'pictures'));
		await writeFile(join(root, 'pictures/2026'), 'a file where a folder should be');
		await chmod(join(root, 'pictures'), 0o700);
		await expect(openFileStorage(root).put('pictures/2026/01/a.jpg', Buffer.from('1'))).rejects.toThrow(
			/ENOTDIR|EEXIST/,
		);
	});
});
