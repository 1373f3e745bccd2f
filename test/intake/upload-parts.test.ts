import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { newUploadId } from '../../src/domain/upload.ts';
import { appendParts, bytesOf, dropParts, progressOf } from '../../src/intake/upload-parts.ts';
import { uploadPartKey } from '../../src/storage/keys.ts';
import { listed } from '../contract/storage.ts';
import { watchedStorage } from '../helpers/storage.ts';
import { thrownBy } from '../helpers/thrown.ts';

const megabyte = 1024 * 1024;

async function* chunks(count: number, size: number, failAt?: number): AsyncGenerator<Buffer> {
	for (let at = 0; at < count; at++) {
		if (at === failAt) throw new Error('cut off');
		yield Buffer.alloc(size, at);
	}
}

describe('the parts of an upload', () => {
	it('end after some megabytes, so that a crash costs no more, and form one body', async () => {
		const storage = await watchedStorage();
		const id = newUploadId();
		expect(await appendParts(storage, id, 0, chunks(40, megabyte / 2))).toBe(20 * megabyte);
		const { offset, parts, lastAt } = await progressOf(storage, id);
		expect([offset, parts.map(({ bytes }) => bytes / megabyte)]).toEqual([20 * megabyte, [8, 8, 4]]);
		expect(Date.now() - Number(lastAt)).toBeLessThan(10_000);
		const whole = await buffer(bytesOf(storage, parts));
		expect(whole.equals(await buffer(chunks(40, megabyte / 2)))).toBe(true);
	});

	it('that were completed stay when the body fails', async () => {
		const storage = await watchedStorage();
		const id = newUploadId();
		await expect(appendParts(storage, id, 0, chunks(20, megabyte, 12))).rejects.toThrow('cut off');
		expect((await progressOf(storage, id)).offset).toBe(8 * megabyte);
		expect(await listed(storage, 'uploads/', { temporary: true })).toHaveLength(1);
	});

	it('that stay on a full disk are complete', async () => {
		const storage = await watchedStorage();
		const id = newUploadId();
		storage.failOn(/put uploads\/.*\/0*8388608$/);
		await expect(appendParts(storage, id, 0, chunks(20, megabyte))).rejects.toThrow('no space left');
		expect((await progressOf(storage, id)).offset).toBe(8 * megabyte);
	});

	it('count as far as there is no gap', async () => {
		const storage = await watchedStorage();
		const id = newUploadId();
		expect(await progressOf(storage, id)).toEqual({ offset: 0, parts: [], lastAt: undefined });
		// As two that wrote at the same time may leave it: one of them at 6, the other one at 10, and nothing at 14.
		for (const [offset, size] of [
			[0, 10],
			[6, 8],
			[10, 5],
			[20, 5],
		] as const)
			await storage.put(uploadPartKey(id, offset), Buffer.alloc(size));
		const { offset, parts } = await progressOf(storage, id);
		expect([offset, parts.map((part) => part.offset)]).toEqual([15, [0, 10]]);
		await dropParts(storage, id);
		expect(await listed(storage, 'uploads/')).toEqual([]);
	});

	it('with a checksum are one, or none', async () => {
		const storage = await watchedStorage();
		const id = newUploadId();
		const digest = createHash('sha256')
			.update(await buffer(chunks(10, megabyte)))
			.digest();
		const checksum = { algorithm: 'sha256', digest };
		expect((await thrownBy(() => appendParts(storage, id, 0, chunks(9, megabyte), checksum))).code).toBe(
			'checksum-mismatch',
		);
		expect((await thrownBy(() => appendParts(storage, id, 0, chunks(0, 1), checksum))).code).toBe('checksum-mismatch');
		expect(await listed(storage, 'uploads/', { temporary: true })).toEqual([]);
		expect(await appendParts(storage, id, 0, chunks(10, megabyte), checksum)).toBe(10 * megabyte);
		expect((await progressOf(storage, id)).parts).toHaveLength(1);
	});
});
