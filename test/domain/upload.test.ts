import { describe, expect, it } from 'vitest';
import { concatenatedId, isUploadId, newUploadId, uploadIdTime } from '../../src/domain/upload.ts';

describe('an upload id', () => {
	it('contains its creation time', () => {
		const before = Date.now();
		const id = newUploadId();
		expect(isUploadId(id)).toBe(true);
		expect(uploadIdTime(id)).toBeGreaterThanOrEqual(before);
		expect(uploadIdTime(id)).toBeLessThanOrEqual(Date.now());
	});

	it.each([
		'',
		'upl_',
		newUploadId().replace('upl_', 'pic_'),
		`${newUploadId()}0`,
		'../upload',
		newUploadId().toUpperCase(),
	])('is not %j', (text) => {
		expect(isUploadId(text)).toBe(false);
	});

	it('of a concatenated upload follows from its parts, their order and the request, and is as old as the newest', () => {
		const [one, two, three] = [newUploadId(), newUploadId(), newUploadId()];
		const id = concatenatedId([one, three, two], 'a');
		expect(isUploadId(id)).toBe(true);
		expect(uploadIdTime(id)).toBe(uploadIdTime(three));
		expect(concatenatedId([one, three, two], 'a')).toBe(id);
		const others = [
			concatenatedId([one, two, three], 'a'),
			concatenatedId([one, three, two], 'b'),
			concatenatedId([one], 'a'),
		];
		expect(new Set([id, one, two, three, ...others]).size).toBe(7);
	});
});
