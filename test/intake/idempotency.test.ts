import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { digest } from '../../src/domain/digest.ts';
import { newPictureId } from '../../src/domain/picture.ts';
import {
	forgetIdempotencyKeys,
	type IdempotencyRecord,
	isSameRequest,
	openIdempotencyRecords,
} from '../../src/intake/idempotency.ts';
import { openFileStorage } from '../../src/storage/fs.ts';
import { idempotencyKey } from '../../src/storage/keys.ts';
import { listed } from '../contract/storage.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { makePicture } from '../helpers/manifest.ts';

const wanted = () => ({
	fingerprint: { request: digest('body'), files: ['ab'.repeat(32)] },
	candidates: [{ id: newPictureId() }],
});

async function open(seconds = 60) {
	const storage = openFileStorage(await temporaryFolder());
	return { storage, records: openIdempotencyRecords(storage, seconds) };
}

describe('openIdempotencyRecords', () => {
	it('keeps the candidates of the first to commit, and returns them to the others', async () => {
		const { records, storage } = await open();
		const name = digest('one');
		expect(await records.read(name)).toBeUndefined();
		const asked = Array.from({ length: 20 }, wanted);
		const told = await Promise.all(asked.map((one) => records.commit(name, one)));
		const ids = new Set(told.map(({ candidates }) => candidates[0]?.id));
		expect(ids.size).toBe(1);
		expect(asked.some(({ candidates }) => ids.has(candidates[0]?.id))).toBe(true);
		expect(await records.read(name)).toEqual(told[0]);
		// Another one is another's.
		const { candidates } = await records.commit(digest('other'), wanted());
		expect(ids).not.toContain(candidates[0]?.id);
		expect(await listed(storage, 'idempotency/')).toHaveLength(2);
	});

	it('keeps results unchanged', async () => {
		const { records } = await open();
		const name = digest('one');
		const record = await records.commit(name, wanted());
		const results: IdempotencyRecord['results'] = [
			{ filename: 'a.jpg', picture: makePicture(), isNew: true },
			{ filename: 'b.txt', refused: { code: 'unsupported-type', message: 'Expected a picture.' } },
		];
		await records.replace(name, { ...record, results });
		expect((await records.read(name))?.results).toEqual(results);
		expect((await records.commit(name, wanted())).results).toEqual(results);
	});

	it('ignores an expired record, and accepts the key as a new one', async () => {
		const { records } = await open(1);
		const name = digest('one');
		const first = await records.commit(name, wanted());
		await sleep(1_050);
		expect(await records.read(name)).toBeUndefined();
		const second = await records.commit(name, wanted());
		expect(second.candidates).not.toEqual(first.candidates);
		expect(await records.read(name)).toEqual(second);
	});
});

describe('isSameRequest', () => {
	const one = { request: 'a', files: ['x', null] };
	it.each([
		[{ request: 'a', files: ['x', 'y'] }, true],
		[{ request: 'a', files: [null, null] }, true],
		[{ request: 'b', files: ['x', 'y'] }, false],
		[{ request: 'a', files: ['z', 'y'] }, false],
		[{ request: 'a', files: ['x'] }, false],
		[{ request: 'a', files: ['x', 'y', 'z'] }, false],
	])('compares the known digests of both: %j', (other, expected) => {
		expect(isSameRequest(one, other)).toBe(expected);
		expect(isSameRequest(other, one)).toBe(expected);
	});
});

describe('forgetIdempotencyKeys', () => {
	it('checks every record once per lifetime, a few folders at a time, and deletes only the old ones', async () => {
		const { storage, records } = await open(3_600);
		const names = Array.from({ length: 200 }, (_, at) => digest(at));
		for (const name of names) await records.commit(name, wanted());
		const options = { idempotencySeconds: 3_600, sweepSeconds: 60 };
		const start = Date.now();
		const run = async (from: number) => {
			const deleted: number[] = [];
			for (let minute = 0; minute < 60; minute++)
				deleted.push(await forgetIdempotencyKeys(storage, options, from + minute * 60_000));
			return deleted;
		};
		// Young enough to be used, or to be just in use.
		expect((await run(start)).every((count) => count === 0)).toBe(true);
		expect(await listed(storage, 'idempotency/')).toHaveLength(200);
		const counts = await run(start + 2 * 3_600_000 + 60_000);
		expect(counts.reduce((sum, count) => sum + count)).toBe(200);
		// Bounded: 5 of the 256 folders each time.
		expect(Math.max(...counts)).toBeLessThan(20);
		expect(await listed(storage, 'idempotency/')).toEqual([]);
	});

	it('checks all of them at once if records live shorter than its interval', async () => {
		const { storage, records } = await open(1);
		for (let at = 0; at < 50; at++) await records.commit(digest(at), wanted());
		const options = { idempotencySeconds: 1, sweepSeconds: 60 };
		expect(await forgetIdempotencyKeys(storage, options, Date.now() + 3_000)).toBe(50);
		expect(await storage.stat(idempotencyKey(digest(0)))).toBeUndefined();
	});
});
