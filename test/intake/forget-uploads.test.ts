import { describe, expect, it } from 'vitest';
import { newUploadId } from '../../src/domain/upload.ts';
import { forgetUploads } from '../../src/intake/forget-uploads.ts';
import { uploadPartKey, uploadRecordKey } from '../../src/storage/keys.ts';
import { listed } from '../contract/storage.ts';
import { watchedStorage } from '../helpers/storage.ts';

const day = 86_400;
const options = { resumableSeconds: day, sweepSeconds: 60 };

describe('uploads that can no longer be resumed', () => {
	it('are deleted with all their objects, and the others stay', async () => {
		const storage = await watchedStorage();
		const id = newUploadId();
		await storage.put(uploadRecordKey(id), Buffer.from('{}'));
		await storage.put(uploadPartKey(id, 0), Buffer.from('abc'));
		// One whose record is gone: its deletion was killed, or met a request that was still writing.
		await storage.put(uploadPartKey(newUploadId(), 7), Buffer.from('abc'));
		const hour = 3_600_000;
		const inTime = Math.ceil(Date.now() / hour) * hour;
		expect(await forgetUploads(storage, options, inTime)).toBe(0);
		expect(await listed(storage, 'uploads/')).toHaveLength(3);
		expect(await forgetUploads(storage, options, inTime + day * 1_000 + hour)).toBe(2);
		expect(await listed(storage, 'uploads/', { temporary: true })).toEqual([]);
	});

	it('are looked for once an hour, not with every sweep', async () => {
		const storage = await watchedStorage();
		await storage.put(uploadPartKey(newUploadId(), 0), Buffer.from('abc'));
		const later = Date.now() + 3 * day * 1_000;
		let calls = 0;
		let looked = 0;
		const counting = {
			...storage,
			async *list(...args: Parameters<typeof storage.list>) {
				looked++;
				yield* storage.list(...args);
			},
		};
		let found = 0;
		for (let now = later; now < later + 3_600_000; now += 60_000, calls++)
			found += await forgetUploads(counting, options, now);
		expect([calls, found]).toEqual([60, 1]);
		// Once over all, and once over what was found.
		expect(looked).toBe(2);
	});
});
