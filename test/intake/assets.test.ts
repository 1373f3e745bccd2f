import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeManifest } from '../../src/catalog/manifest.ts';
import { newPictureId } from '../../src/domain/picture.ts';
import { openAssets } from '../../src/intake/assets.ts';
import { isUpToDate } from '../../src/intake/missing-variants.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { makeAwaited, makePicture } from '../helpers/manifest.ts';
import { watchedStorage } from '../helpers/storage.ts';

function using(...pictures: readonly string[]) {
	const steps = pictures.map((picture) => ({ watermark: { picture } }));
	return parseRecipe('test', { variants: { a: { steps, encode: [{ webp: {} }] } } });
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('the assets of a recipe', () => {
	it('are files of the folder, in their current state', async () => {
		const folder = await temporaryFolder();
		const assets = openAssets({ folder, maxBytes: 100 });
		const path = join(folder, 'logo.png');
		await writeFile(path, 'one');
		const recipe = using('logo.png', 'logo.png').definition;
		expect([...(await assets.find(recipe))]).toEqual([['logo.png', { path, bytes: 3, sha256: sha256('one') }]]);
		await writeFile(path, 'two');
		expect((await assets.find(recipe)).get('logo.png')?.sha256).toBe(sha256('two'));
		expect((await assets.find(recipe)).get('logo.png')?.sha256).toBe(sha256('two'));
	});

	it('are originals in storage, by id', async () => {
		const storage = await watchedStorage();
		const picture = makePicture();
		await writeManifest(storage, picture);
		const { key, bytes, sha256 } = picture.source;
		const found = await openAssets({ folder: undefined, storage, maxBytes: 100 }).find(using(picture.id).definition);
		expect([...found]).toEqual([[picture.id, { key, bytes, sha256 }]]);
	});

	it('are reported if missing', async () => {
		const folder = await temporaryFolder();
		await mkdir(join(folder, 'folder'));
		await writeFile(join(folder, 'large.png'), Buffer.alloc(101));
		const storage = await watchedStorage();
		const find = (picture: string, inFolder: string | undefined = folder) =>
			openAssets({ folder: inFolder, storage, maxBytes: 100 }).find(using(picture).definition);
		await expect(find('logo.png')).rejects.toMatchObject({
			code: 'asset-missing',
			asset: 'logo.png',
			message: `The recipe uses the file logo.png, and there is none in PICPIPE_ASSETS (${folder}).`,
		});
		await expect(find('folder')).rejects.toMatchObject({ code: 'asset-missing' });
		await expect(find('logo.png', '')).rejects.toMatchObject({ code: 'asset-missing' });
		await expect(
			openAssets({ folder: undefined, maxBytes: 100 }).find(using('logo.png').definition),
		).rejects.toMatchObject({ code: 'asset-missing', message: expect.stringContaining('names no folder') });
		const awaited = makeAwaited();
		await writeManifest(storage, awaited);
		await expect(find(awaited.id)).rejects.toMatchObject({
			code: 'asset-missing',
			message: expect.stringContaining('has not been fetched yet'),
		});
		const id = newPictureId();
		await expect(find(id)).rejects.toMatchObject({
			code: 'asset-missing',
			asset: id,
			message: expect.stringContaining(id),
		});
		await expect(find('large.png')).rejects.toMatchObject({ code: 'file-too-large' });
	});

	it.each([
		'../logo.png',
		'a/b.png',
		'a\\b.png',
		'.hidden',
		'',
		'x\0.png',
		'logo.png.',
		'a'.repeat(101),
		'/etc/passwd',
	])('are never found by %j, for which the recipe is refused', (name) => {
		expect(() => using(name)).toThrow(
			'variants.a.steps[0].watermark.picture: expected the plain name of a file in PICPIPE_ASSETS, or the id of a picture',
		);
	});

	it('leave it undecided whether a picture is up to date if they cannot be read', async () => {
		const storage = await watchedStorage();
		const folder = await temporaryFolder();
		await writeFile(join(folder, 'logo.png'), 'one');
		const recipe = using('logo.png');
		const picture = makePicture({ recipe, state: 'ready' });
		const assets = openAssets({ folder, maxBytes: 100 });
		expect(await isUpToDate({ storage, assets }, picture, recipe)).toBe(false);
		expect(await isUpToDate({ storage }, picture, recipe)).toBe(false);
		await rm(join(folder, 'logo.png'));
		expect(await isUpToDate({ storage, assets }, picture, recipe)).toBe(false);
	});
});
