import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { markPending, writeManifest } from '../../src/catalog/manifest.ts';
import { newPictureId } from '../../src/domain/picture.ts';
import type { NamedRecipe } from '../../src/domain/recipe.ts';
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
	const fields = (duplicates: DuplicatePolicy, recipe = makeRecipe()) => ({
		recipe,
		tags: [],
		priority: 0,
		owner: 'shop',
		duplicates,
	});
	const arrive = () => receive(storage, body(bytes), 'a.jpg', { maxBytes: 1e6 });
	return {
		...to,
		redis,
		prefix,
		arrive,
		async upload(duplicates: DuplicatePolicy, recipe?: NamedRecipe, among?: string) {
			return admitUnlessThere(to, await arrive(), { ...fields(duplicates, recipe), among }, log);
		},
	};
}

async function* body(bytes: Buffer) {
	yield bytes;
}

describe('admitUnlessThere', () => {
	it('accepts, refuses or links equal bytes, as requested', async () => {
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

	it('with dedupe finds the picture of equal bytes and recipe, and creates it otherwise', async () => {
		const { upload, catalog, storage } = await open();
		const [one, other] = [makeRecipe('one', 100), makeRecipe('other', 200)];
		const first = await upload('dedupe', one);
		expect(first.isNew).toBe(true);
		expect(await upload('dedupe', one)).toEqual({ picture: first.picture, isNew: false });
		// Found too: what was accepted without asking.
		const second = await upload('accept', other);
		expect((await upload('dedupe', other)).picture.id).toBe(second.picture.id);
		const third = await upload('dedupe', makeRecipe('third', 300));
		expect(third.isNew).toBe(true);
		expect((await upload('link')).picture.id).toBe(first.picture.id);
		// Made again with another recipe it is the picture of that one.
		const { recipe } = second.picture;
		await catalog.put({ ...first.picture, revision: 2, recipe });
		expect((await upload('dedupe', one)).isNew).toBe(true);
		// The index may not know yet.
		await writeManifest(storage, { ...third.picture, revision: 2, recipe });
		const fourth = await upload('dedupe', makeRecipe('third', 300));
		expect(fourth.isNew).toBe(true);
		expect(fourth.picture.id).not.toBe(third.picture.id);
	});

	it('of fifty simultaneous uploads with two recipes creates one picture each', async () => {
		const { upload, storage } = await open();
		const recipes = [makeRecipe('one', 100), makeRecipe('other', 200)];
		const admitted = await Promise.all(Array.from({ length: 50 }, (_, at) => upload('dedupe', recipes[at % 2])));
		for (const [at, { digest }] of recipes.entries()) {
			const ids = admitted.filter((_, index) => index % 2 === at).map(({ picture }) => picture);
			expect(new Set(ids.map(({ id }) => id)).size).toBe(1);
			expect(ids[0]?.recipe.digest).toBe(digest);
		}
		expect(admitted.filter(({ isNew }) => isNew)).toHaveLength(2);
		expect(await storage.keys()).toHaveLength(6);
	});

	it('counts only the pictures of an owner, if asked to', async () => {
		const { upload, catalog, storage, arrive } = await open();
		const { source } = await arrive();
		const foreign = makePicture({ source, owner: 'press' });
		await markPending(storage, foreign.id);
		await writeManifest(storage, foreign);
		await catalog.put(foreign);
		for (const policy of ['refuse', 'link', 'dedupe'] as const) {
			const { picture, isNew } = await upload(policy, undefined, 'shop');
			expect([policy, isNew, picture.owner]).toEqual([policy, policy === 'refuse', 'shop']);
		}
		expect((await upload('link')).picture.id, 'without an owner every picture counts').toBe(foreign.id);
	});

	it('does not take the picture of another owner that is being admitted', async () => {
		const { upload, catalog, storage, arrive } = await open();
		const { source } = await arrive();
		const foreign = makePicture({ source, owner: 'press' });
		await catalog.claim(source.sha256, foreign.id);
		await markPending(storage, foreign.id);
		await writeManifest(storage, foreign);
		const waiting = upload('link', undefined, 'shop');
		await sleep(150);
		await catalog.put(foreign);
		expect(await waiting).toMatchObject({ isNew: true, picture: { owner: 'shop' } });
	});

	it('waits for another upload of equal bytes until its manifest exists', async () => {
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

	it('releases the bytes when its own admission fails', async () => {
		const { upload, storage, redis, prefix } = await open();
		storage.failOn(/put .*picture\.json/);
		await expect(upload('link')).rejects.toThrow('no space');
		expect(await redis.keys(`${prefix}:catalog:v8:claim:*`)).toEqual([]);
		storage.failOn(/^nothing$/);
		expect((await upload('refuse')).isNew).toBe(true);
	});

	it('ignores an index entry of a missing picture', async () => {
		const { upload, catalog, arrive } = await open();
		const { source } = await arrive();
		const purged = makePicture({ source });
		await catalog.put(purged);
		const { picture, isNew } = await upload('link');
		expect(isNew).toBe(true);
		expect(await catalog.get(purged.id)).toBeUndefined();
		expect((await upload('link')).picture.id).toBe(picture.id);
	});

	it('decides nothing with an incomplete index, but still accepts', async () => {
		const { upload, redis, prefix } = await open();
		await redis.del(`${prefix}:catalog:whole`);
		for (const policy of ['refuse', 'link'] as const) {
			expect(await thrownBy(() => upload(policy))).toMatchObject({ code: 'duplicate-undecided', status: 503 });
		}
		expect((await upload('accept')).isNew).toBe(true);
	});
});
