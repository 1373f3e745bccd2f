import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { markPending, writeManifest } from '../../src/catalog/manifest.ts';
import { newPictureId } from '../../src/domain/picture.ts';
import { admitUnlessThere, type DuplicatePolicy } from '../../src/intake/duplicates.ts';
import { receive } from '../../src/intake/receive.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture, makeRecipe } from '../helpers/manifest.ts';
import { photograph } from '../helpers/pictures.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';
import { thrownBy } from '../helpers/thrown.ts';

const log = createLogger('api', 'silent');

async function open() {
	const redis = await connected();
	const prefix = freshPrefix();
	const catalog = openCatalog(redis, prefix);
	await catalog.markComplete();
	const storage = await watchedStorage();
	const queues = openQueues(redis, { prefix, attempts: 1, retryDelay: 1 });
	const to = { storage, catalog, queues };
	const bytes = await photograph({ width: 64, height: 48 });
	const fields = (duplicates: DuplicatePolicy) => ({ recipe: makeRecipe(), tags: [], priority: 0, duplicates });
	const arrive = () => receive(storage, body(bytes), 'a.jpg', { maxBytes: 1e6 });
	return {
		...to,
		redis,
		prefix,
		arrive,
		async upload(duplicates: DuplicatePolicy) {
			return admitUnlessThere(to, await arrive(), fields(duplicates), log);
		},
	};
}

async function* body(bytes: Buffer) {
	yield bytes;
}

describe('admitUnlessThere', () => {
	it('accepts, refuses or links the same bytes, as asked', async () => {
		const { upload, storage } = await open();
		const first = await upload('link');
		expect(first.isNew).toBe(true);
		expect((await upload('link')).picture).toEqual(first.picture);
		expect(await thrownBy(() => upload('refuse'))).toMatchObject({
			code: 'duplicate-picture',
			status: 409,
			pictureId: first.picture.id,
		});
		// What came in vain is gone.
		expect((await storage.keys()).every((key) => key.includes(first.picture.id))).toBe(true);
		const another = await upload('accept');
		expect(another.isNew).toBe(true);
		expect(another.picture.id).not.toBe(first.picture.id);
		// Of two the older one is the picture of these bytes.
		expect((await upload('link')).picture.id).toBe(first.picture.id);
	});

	it('waits for another upload of the same bytes until its manifest is there', async () => {
		const { upload, catalog, storage, arrive } = await open();
		const { source } = await arrive();
		const other = makePicture({ source });
		await catalog.claim(source.sha256, other.id);
		const waiting = upload('link');
		await sleep(150);
		await markPending(storage, other.id);
		await writeManifest(storage, other);
		expect(await waiting).toEqual({ picture: other, isNew: false });
	});

	it('takes over when the other upload gives up', async () => {
		const { upload, catalog, arrive } = await open();
		const { source } = await arrive();
		const other = newPictureId();
		await catalog.claim(source.sha256, other);
		const waiting = upload('refuse');
		await sleep(150);
		await catalog.release(source.sha256, other);
		expect((await waiting).isNew).toBe(true);
	});

	it('lets go of the bytes when its own admission fails', async () => {
		const { upload, storage, redis, prefix } = await open();
		storage.failOn(/put .*picture\.json/);
		await expect(upload('link')).rejects.toThrow('no space');
		expect(await redis.keys(`${prefix}:catalog:claim:*`)).toEqual([]);
		storage.failOn(/^nothing$/);
		expect((await upload('refuse')).isNew).toBe(true);
	});

	it('does not believe an index that names a picture which is gone', async () => {
		const { upload, catalog, arrive } = await open();
		const { source } = await arrive();
		const purged = makePicture({ source });
		await catalog.put(purged);
		const { picture, isNew } = await upload('link');
		expect(isNew).toBe(true);
		expect(await catalog.get(purged.id)).toBeUndefined();
		expect((await upload('link')).picture.id).toBe(picture.id);
	});

	it('decides nothing by an index that is not complete, but still accepts', async () => {
		const { upload, redis, prefix } = await open();
		await redis.del(`${prefix}:catalog:complete`);
		for (const policy of ['refuse', 'link'] as const) {
			expect(await thrownBy(() => upload(policy))).toMatchObject({ code: 'duplicate-undecided', status: 503 });
		}
		expect((await upload('accept')).isNew).toBe(true);
	});
});
