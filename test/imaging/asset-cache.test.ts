import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { openAssetCache } from '../../src/imaging/asset-cache.ts';
import { openAssets } from '../../src/intake/assets.ts';
import { form, json, startTestApi, untilFinished } from '../helpers/api.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { cut, photograph } from '../helpers/pictures.ts';
import { limits } from '../pipeline/make.ts';
import { type PoolFixture, startPool } from './pool-fixture.ts';

/** One colour all over. */
const plain = (background: string, width = 60, height = 40) =>
	sharp({ create: { width, height, channels: 3, background } })
		.png()
		.toBuffer();

const recipe = {
	variants: {
		marked: {
			steps: [{ watermark: { picture: 'logo.png', position: 'left top', scale: 0.5 } }],
			encode: [{ png: {} }],
		},
		plain: { encode: [{ png: {} }] },
	},
};

async function colourAt(picture: Buffer, left: number, top: number): Promise<number[]> {
	return [...(await sharp(picture).extract({ left, top, width: 1, height: 1 }).removeAlpha().raw().toBuffer())];
}

describe('the assets of a recipe, in an imaging process', () => {
	let fixture: PoolFixture | undefined;
	afterEach(async () => {
		await fixture?.stop();
		fixture = undefined;
	});

	it('are read from their folder and composited onto the picture', async () => {
		fixture = await startPool({ processes: 1 });
		const folder = await temporaryFolder();
		await writeFile(join(folder, 'logo.png'), await plain('#ff0000'));
		const task = await fixture.task(await plain('#0000ff', 200, 200), recipe);
		const assets = await openAssets({ folder, maxBytes: 1e6 }).find(task.recipe);
		const work = fixture.run({ ...task, assets });
		await work.result;
		const marked = work.outputs.find(({ name }) => name === 'marked') ?? expect.fail();
		expect(await colourAt(marked.data, 10, 10)).toEqual([255, 0, 0]);
		expect(await colourAt(marked.data, 150, 150)).toEqual([0, 0, 255]);

		// Another logo: another variant, but the one that doesn't use it stays the same.
		await writeFile(join(folder, 'logo.png'), await plain('#00ff00'));
		const again = fixture.run({ ...task, assets: await openAssets({ folder, maxBytes: 1e6 }).find(task.recipe) });
		await again.result;
		const digests = ({ outputs }: typeof work) => Object.fromEntries(outputs.map(({ name, digest }) => [name, digest]));
		expect(digests(again).marked).not.toBe(digests(work).marked);
		expect(digests(again).plain).toBe(digests(work).plain);
	});

	it('are refused if they were replaced since they were found', async () => {
		fixture = await startPool({ processes: 1 });
		const folder = await temporaryFolder();
		await writeFile(join(folder, 'logo.png'), await plain('#ff0000'));
		const task = await fixture.task(await plain('#0000ff', 200, 200), recipe);
		const assets = await openAssets({ folder, maxBytes: 1e6 }).find(task.recipe);
		await writeFile(join(folder, 'logo.png'), await plain('#00ff00'));
		const { failures } = await fixture.run({ ...task, assets }).result;
		expect(failures).toMatchObject([{ variant: 'marked', error: { code: 'asset-changed', class: 'transient' } }]);
	});

	it.each([
		['corrupt-picture', 'damaged', async () => cut(await photograph({ width: 300, height: 200, format: 'png' }), 50)],
		['unsupported-type', 'something else', async () => Buffer.from('no picture at all')],
		['too-wide-or-high', 'too large', () => plain('#ff0000', 900, 10)],
	] as const)('fail as %s when they are %s, and say that it is they', async (code, _what, make) => {
		fixture = await startPool({ processes: 1, limits: { ...limits, maxDimension: 800 } });
		const folder = await temporaryFolder();
		await writeFile(join(folder, 'logo.png'), await make());
		const task = await fixture.task(await plain('#0000ff', 200, 200), recipe);
		const assets = await openAssets({ folder, maxBytes: 1e6 }).find(task.recipe);
		const { outputs, result } = fixture.run({ ...task, assets });
		const message = expect.stringContaining('logo.png, which the recipe uses: ');
		expect((await result).failures).toMatchObject([
			{ variant: 'marked', error: { code, step: 'open logo.png', message } },
		]);
		expect(outputs.map(({ name }) => name)).toEqual(['plain']);
	});
});

describe('asset cache', () => {
	it('decodes once what it can keep, and evicts the least recently used', async () => {
		const files = new Map([
			['red', await plain('#ff0000', 10, 10)],
			['green', await plain('#00ff00', 10, 10)],
			['large', await plain('#0000ff', 20, 10)],
		]);
		const read: string[] = [];
		const readFile = async ({ sha256 }: { readonly sha256: string }) => {
			read.push(sha256);
			return files.get(sha256) ?? expect.fail();
		};
		// Two of 10 × 10 at four bytes a pixel.
		const cache = openAssetCache(readFile, limits, 800);
		const open = async (...names: readonly string[]) => {
			const places = new Map(names.map((name) => [name, { path: name, sha256: name }]));
			const opened = await cache.open(places);
			const { assets, failed } = await opened.decode();
			expect(failed.size).toBe(0);
			expect([...assets.keys()]).toEqual(names);
			return { megapixels: opened.megapixels, read: read.splice(0) };
		};
		expect(await open('red', 'green')).toEqual({ megapixels: 0.0002, read: ['red', 'green'] });
		expect(await open('red')).toEqual({ megapixels: 0, read: [] });
		expect(await open('large')).toEqual({ megapixels: 0.0002, read: ['large'] });
		expect((await open('red')).read).toEqual(['red']);
		expect((await open('green', 'red')).read).toEqual(['green']);
	});
});

it('makes the variants with a replaced logo again, and no others', async () => {
	const folder = await temporaryFolder();
	const file = join(folder, 'recipes.json');
	await writeFile(file, JSON.stringify({ recipes: { shop: recipe } }));
	await writeFile(join(folder, 'logo.png'), await plain('#ff0000'));
	const api = await startTestApi({
		PICPIPE_ASSETS: folder,
		PICPIPE_RECIPES: file,
		PICPIPE_IMAGING_PROCESSES: '1',
	});
	await api.startWorker();
	const picture = await plain('#0000ff', 200, 200);
	const upload = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		body: form([['a.png', picture]], ['recipe', 'shop']),
	});
	const { id } = await json(upload);
	const first = await untilFinished(api, id);
	expect(first.state).toBe('ready');

	const again = () => fetch(`${api.url}/v1/pictures/${id}/process`, { method: 'POST' });
	expect((await again()).status).toBe(200);
	await writeFile(join(folder, 'logo.png'), await plain('#00ff00'));
	expect((await again()).status).toBe(202);
	const second = await untilFinished(api, id);
	// biome-ignore lint/suspicious/noExplicitAny: what the API shows
	const variant = (shown: any, name: string) => shown.variants.find((one: any) => one.name === name);
	expect(variant(second, 'plain').digest).toBe(variant(first, 'plain').digest);
	expect(variant(second, 'marked').digest).not.toBe(variant(first, 'marked').digest);
	const served = await fetch(`${api.url}/v1/pictures/${id}/variants/marked`);
	expect(await colourAt(Buffer.from(await served.arrayBuffer()), 10, 10)).toEqual([0, 255, 0]);

	const lone = await startTestApi({ PICPIPE_RECIPES: file, PICPIPE_IMAGING_PROCESSES: '1' });
	await lone.startWorker();
	const other = await fetch(`${lone.url}/v1/pictures`, {
		method: 'POST',
		body: form([['a.png', picture]], ['recipe', 'shop']),
	});
	expect(await untilFinished(lone, (await json(other)).id)).toMatchObject({
		state: 'ready',
		variants: [{ name: 'plain' }],
		failures: [
			{
				variant: 'marked',
				class: 'unsupported',
				code: 'asset-missing',
				attempt: 1,
				message: expect.stringContaining('PICPIPE_ASSETS'),
			},
		],
	});
});
