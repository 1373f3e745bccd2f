import { describe, expect, it } from 'vitest';
import { createBatch, joinBatch, readClosed, readFinished } from '../../src/catalog/batch.ts';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { raiseEpoch, wholenessKeys } from '../../src/catalog/epoch.ts';
import { closeIfExpected, finishBatch, sweepBatches } from '../../src/catalog/finish-batch.ts';
import { writeManifest } from '../../src/catalog/manifest.ts';
import { newBatchId } from '../../src/domain/batch.ts';
import type { Picture } from '../../src/domain/picture.ts';
import { createLogger } from '../../src/observe/log.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';

const log = createLogger('worker', 'silent');

/** A batch that expects pictures, with an index that is whole. `asked` lists what the storage was asked for. */
async function openBatch(expected: number) {
	const redis = await connected('worker');
	const prefix = freshPrefix();
	const catalog = openCatalog(redis, prefix);
	const plain = await watchedStorage();
	const { epoch, complete, rebuild } = wholenessKeys(prefix);
	await raiseEpoch(redis, [epoch, complete, rebuild], plain, log);
	await catalog.markComplete();
	const asked: string[] = [];
	const storage: Storage = {
		...plain,
		read(key) {
			asked.push(`read ${key}`);
			return plain.read?.(key) as Promise<Buffer | undefined>;
		},
		stat(key) {
			asked.push(`stat ${key}`);
			return plain.stat(key);
		},
		async *list(folder, options) {
			for await (const key of plain.list(folder, options)) {
				asked.push(`list ${key}`);
				yield key;
			}
		},
	};
	const id = newBatchId();
	await createBatch(storage, { version: 1, id, createdAt: new Date().toISOString(), expect: expected });
	const accept = async (picture: Picture) => {
		await joinBatch(storage, id, picture.id);
		await writeManifest(storage, picture);
		await catalog.put(picture);
	};
	const deps = { storage, catalog, log };
	/** What a step asks of the storage. */
	const askedBy = async (step: () => Promise<unknown>) => {
		asked.length = 0;
		await step();
		return asked.length;
	};
	const end = async (picture: Picture) => {
		const ended = { ...picture, revision: 2, state: 'ready' as const };
		await writeManifest(storage, ended);
		await catalog.put(ended);
	};
	return { id, deps, catalog, accept, end, askedBy, newPicture: () => makePicture({ batch: id, state: 'queued' }) };
}

describe('a batch that expects pictures', () => {
	it('asks storage as often with 10 pictures as with 300, until the last one', { timeout: 60_000 }, async () => {
		const costs: number[][] = [];
		for (const expected of [10, 300]) {
			const { id, deps, accept, end, askedBy, newPicture } = await openBatch(expected);
			const all = Array.from({ length: expected }, newPicture);
			const last = all.at(-1) as Picture;
			await Promise.all(all.slice(0, -1).map(accept));
			const joining = await askedBy(() => closeIfExpected(deps, id));
			const early = await askedBy(() => finishBatch(deps, id));
			expect(await readClosed(deps.storage, id)).toBeUndefined();
			await accept(last);
			await closeIfExpected(deps, id);
			expect(await readClosed(deps.storage, id)).toMatchObject({ reason: 'expected' });
			await Promise.all(all.slice(0, -1).map(end));
			const ending = await askedBy(() => finishBatch(deps, id));
			expect(await readFinished(deps.storage, id)).toBeUndefined();
			await end(last);
			expect(await finishBatch(deps, id)).toBe(true);
			expect(await readFinished(deps.storage, id)).toMatchObject({ ready: expected, failed: 0 });
			costs.push([joining, early, ending]);
		}
		expect(costs[1]).toEqual(costs[0]);
	});

	it('is closed and finished by a sweep although the index missed a picture, and at once while the index is not whole', async () => {
		for (const isWhole of [true, false]) {
			const { id, deps, catalog, accept, end, newPicture } = await openBatch(2);
			const [one, missed] = [newPicture(), newPicture()];
			for (const picture of [one, missed]) {
				await accept(picture);
				await end(picture);
			}
			await catalog.remove(missed.id);
			const context = {
				...deps,
				catalog: isWhole ? catalog : { ...catalog, isComplete: async () => false },
				batchSeconds: 86_400,
				abandonedSeconds: 3_600,
			};
			let sweeps = 0;
			for (const now = Date.now(); sweeps < 60 && !(await readFinished(deps.storage, id)); sweeps++)
				await sweepBatches(context, now + sweeps * 60_000);
			expect(await readFinished(deps.storage, id)).toMatchObject({ ready: 2, failed: 0 });
			expect(sweeps).toBeLessThanOrEqual(isWhole ? 30 : 1);
		}
	});
});
