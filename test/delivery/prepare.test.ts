import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCloudinary } from '../../src/delivery/dialects/cloudinary.ts';
import type { ImageRequest, RenderPlan } from '../../src/delivery/dialects/image-request.ts';
import { parseImgproxy } from '../../src/delivery/dialects/imgproxy.ts';
import { prepareRender } from '../../src/delivery/prepare.ts';
import { newPictureId } from '../../src/domain/picture.ts';
import { openAssets } from '../../src/intake/assets.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { makePicture } from '../helpers/manifest.ts';
import { watchedStorage } from '../helpers/storage.ts';

const id = 'pic_01jzkwp9nbe0tvahm2q4c8s6rd';
const facts = { width: 400, height: 300, frames: 1, alpha: false, format: 'jpeg' };

function planOf({ target }: ImageRequest): RenderPlan {
	if (target.kind !== 'render') throw new Error(`Expected a render but this is ${target.kind}.`);
	return target.plan(facts);
}

const imgproxy = (options: string) => planOf(parseImgproxy(`/${options}/plain/${id}`, { presets: new Map() }));

async function prepare(plan: RenderPlan, picture = makePicture()) {
	const folder = await temporaryFolder();
	await writeFile(join(folder, 'there.png'), 'a file');
	const assets = openAssets({ folder, storage: await watchedStorage(), maxBytes: 100 });
	return prepareRender(picture, plan, 'webp', {
		limits: { maxSteps: 50, maxVariants: 50 },
		findAssets: (recipe) => assets.find(recipe),
	});
}

const encoded = (text: string) => Buffer.from(text).toString('base64url');

describe('a missing layer', () => {
	const missing = newPictureId();

	it.each([
		['wm:1', 'watermark.png'],
		[`wm:1/wmu:${encoded('nothing.png')}`, 'nothing.png'],
		[`wm:1/wmu:${encoded(missing)}`, missing],
	])('is an error of the URL %s, with its name', async (options, name) => {
		const error = await prepare(imgproxy(options)).catch((thrown) => thrown);
		expect(error).toMatchObject({ code: 'layer-not-found', status: 404, class: 'request' });
		expect(error.message).toBe(
			`Expected a file in PICPIPE_ASSETS or the id of a picture for a layer but found no "${name}".`,
		);
	});

	it('is an error of Cloudinary URLs too', async () => {
		const { image } = parseCloudinary(`/demo/image/upload/l_unknown/${id}`, { presets: new Map() });
		const plan = planOf(image);
		await expect(prepare(plan)).rejects.toMatchObject({ code: 'layer-not-found', asset: 'unknown' });
	});

	it('is an error of the installation if the picture’s own recipe uses it', async () => {
		const steps = [{ watermark: { picture: 'nothing.png' } }];
		const recipe = parseRecipe('own', { variants: { a: { steps, encode: [{ webp: {} }] } } });
		await expect(prepare({ steps, format: 'webp' }, makePicture({ recipe, state: 'ready' }))).rejects.toMatchObject({
			code: 'asset-missing',
			status: 500,
		});
	});

	it('is no error if it exists', async () => {
		const { recipe } = await prepare(imgproxy(`wm:1/wmu:${encoded('there.png')}`));
		expect(recipe.variants.render?.steps).toEqual([
			{ watermark: expect.objectContaining({ picture: 'there.png', scale: 'own' }) },
		]);
	});
});
