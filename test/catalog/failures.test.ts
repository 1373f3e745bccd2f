import { describe, expect, it } from 'vitest';
import { type Catalog, openCatalog } from '../../src/catalog/catalog.ts';
import { writeManifest } from '../../src/catalog/manifest.ts';
import { reindex } from '../../src/catalog/reindex.ts';
import { newBatchId } from '../../src/domain/batch.ts';
import type { Picture } from '../../src/domain/picture.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { PicpipeError } from '../../src/errors.ts';
import { failureOf } from '../../src/worker/record.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';

const openIndex = async () => openCatalog(await connected(), freshPrefix());

/** A picture that failed so many seconds after the beginning of 2026. */
function failed(code: ErrorCode, second = 0): Picture {
	const at = new Date(Date.parse('2026-01-01T00:00:00Z') + second * 1_000).toISOString();
	return makePicture({ state: 'failed', revision: 2, failure: { ...failureOf(new PicpipeError(code), 1), at } });
}

async function putAll(catalog: Catalog, pictures: readonly Picture[]): Promise<void> {
	for (const picture of pictures) await catalog.put(picture);
}

const corrupt = 'corrupt-picture';

describe('failures in the index', () => {
	it('are counted by class and code, with first and last time and the latest ids', async () => {
		const catalog = await openIndex();
		const seconds = [5, 3, 9, 7, 1, 8];
		const many = seconds.map((second) => failed(corrupt, second));
		await putAll(catalog, [...many, failed('too-many-pixels', 2), makePicture({ state: 'ready' }), makePicture()]);
		const inOrder = [...many].sort((one, other) => (String(one.failure?.at) < String(other.failure?.at) ? 1 : -1));
		const second = (at: number) => Date.parse('2026-01-01T00:00:00Z') + at * 1_000;
		expect(await catalog.failures()).toEqual([
			{
				class: 'corrupt',
				code: corrupt,
				count: 6,
				firstAt: second(1),
				lastAt: second(9),
				latest: inOrder.slice(0, 5).map(({ id }) => id),
			},
			expect.objectContaining({ class: 'limit', code: 'too-many-pixels', count: 1 }),
		]);
	});

	it('leave their group after a retry, another failure or a deletion; an empty group is removed', async () => {
		const catalog = await openIndex();
		const [again, otherwise, deleted] = [failed(corrupt), failed(corrupt), failed(corrupt)];
		await putAll(catalog, [again, otherwise, deleted]);
		const { failure: _failure, ...rest } = again;
		await catalog.put({ ...rest, state: 'queued', revision: 3 });
		await catalog.put({ ...failed('no-such-page'), id: otherwise.id, revision: 3 });
		await catalog.remove(deleted.id);
		expect((await catalog.failures()).map(({ code, count }) => [code, count])).toEqual([['no-such-page', 1]]);
	});

	it('can be listed in pages, by class and by code', async () => {
		const catalog = await openIndex();
		const some = Array.from({ length: 5 }, () => failed(corrupt));
		const limits = [failed('too-many-pixels'), failed('picture-timeout')];
		await putAll(catalog, [...some, ...limits, makePicture({ state: 'ready' })]);
		const all: string[] = [];
		for (let before: string | undefined; ; ) {
			const page = await catalog.list({ state: 'failed', code: corrupt, before, limit: 2 });
			all.push(...page.pictures.map(({ id }) => id));
			if (page.next === undefined) break;
			before = page.next;
		}
		expect(all).toEqual(some.map(({ id }) => id).reverse());
		const idsOf = async (query: object) =>
			(await catalog.list({ limit: 10, ...query })).pictures.map(({ id }) => id).sort();
		expect(await idsOf({ class: 'limit' })).toEqual(limits.map(({ id }) => id).sort());
		expect(await idsOf({ class: 'corrupt', code: 'picture-timeout' })).toEqual([]);
		expect(await idsOf({ state: 'ready', code: corrupt })).toEqual([]);
	});

	it('of variants count the ready pictures that lack them, each once, and go with their retry', async () => {
		const catalog = await openIndex();
		const of = (code: ErrorCode, variant: string) => ({ variant, ...failureOf(new PicpipeError(code), 1) });
		const batch = newBatchId();
		const lacking = makePicture({
			...{ state: 'ready', revision: 2, batch },
			failures: [of('output-too-large', 'large'), of('too-many-pixels', 'thumb'), of('no-such-page', 'page')],
		});
		await putAll(catalog, [
			lacking,
			failed('output-too-large'),
			failed(corrupt),
			makePicture({ state: 'ready', batch }),
		]);
		const groups = async () => (await catalog.failures()).map(({ code, count }) => `${code} ${count}`).sort();
		expect(await groups()).toEqual([`${corrupt} 1`, 'no-such-page 1', 'output-too-large 2', 'too-many-pixels 1']);
		const none = { corrupt: 0, unsupported: 0, limit: 0, transient: 0, internal: 0 };
		expect(await catalog.countFailures()).toEqual({
			total: 3,
			classes: { ...none, corrupt: 1, unsupported: 1, limit: 2 },
		});
		expect(await catalog.countStates()).toMatchObject({ ready: 2, failed: 2, withFailures: 1 });
		expect(await catalog.countBatch(batch)).toMatchObject({ ready: 2, failed: 0, withFailures: 1 });
		const count = async (query: object) => (await catalog.list({ limit: 10, ...query })).pictures.length;
		expect(await count({ failures: true })).toBe(3);
		expect(await count({ failures: true, state: 'ready' })).toBe(1);
		expect(await count({ failures: true, batch })).toBe(1);
		expect(await count({ class: 'limit' })).toBe(2);
		// Of one failure, not of two.
		expect(await count({ class: 'limit', code: 'no-such-page' })).toBe(0);
		expect(await count({ code: 'too-many-pixels' })).toBe(1);

		const { failures: _failures, ...rest } = lacking;
		await catalog.put({ ...rest, state: 'queued', revision: 3 });
		expect(await groups()).toEqual([`${corrupt} 1`, 'output-too-large 1']);
		expect(await catalog.countFailures()).toMatchObject({ total: 2, classes: { limit: 1, unsupported: 0 } });
		expect(await catalog.countBatch(batch)).toMatchObject({ queued: 1, ready: 1, withFailures: 0 });
		await catalog.put({ ...lacking, revision: 4 });
		expect(await catalog.countBatch(batch)).toMatchObject({ ready: 2, withFailures: 1 });
		await catalog.remove(lacking.id);
		expect(await catalog.countFailures()).toMatchObject({ total: 2 });
	});

	it('leave nothing behind with the last of them', async () => {
		const [redis, prefix] = [await connected(), freshPrefix()];
		const catalog = openCatalog(redis, prefix);
		const failures = [{ variant: 'a', ...failureOf(new PicpipeError('output-too-large'), 1) }];
		const picture = makePicture({ state: 'ready', revision: 2, batch: newBatchId(), failures });
		await catalog.put(picture);
		await catalog.remove(picture.id);
		const left = await redis.keys(`${prefix}:catalog:*`);
		expect(left).toEqual([`${prefix}:catalog:deleted:${picture.id}`]);
	});

	it('are restored with the index, from the manifests', async () => {
		const [catalog, storage] = [await openIndex(), await watchedStorage()];
		const pictures = [failed(corrupt, 1), failed(corrupt, 2), failed('imaging-process-died', 3)];
		for (const picture of pictures) await writeManifest(storage, picture);
		expect(await catalog.failures()).toEqual([]);
		await reindex(storage, catalog);
		expect((await catalog.failures()).map(({ class: one, code, count }) => [one, code, count])).toEqual([
			['corrupt', corrupt, 2],
			['internal', 'imaging-process-died', 1],
		]);
	});
});
