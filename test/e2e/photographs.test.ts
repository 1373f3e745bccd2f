import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { form, json } from '../helpers/api.ts';
import { extraTitle, photograph, sharedPictures, similarity, twelveMegapixels } from '../helpers/pictures.ts';
import { PicpipeProcess } from '../helpers/processes.ts';

/** Above this a person sees no difference; measured pairs of the same picture stay above 0.99. */
const alike = 0.97;

let picpipe: PicpipeProcess;
let api: string;
let arena: string;

beforeAll(async () => {
	const folder = await mkdtemp(join(tmpdir(), 'pp-'));
	picpipe = new PicpipeProcess({ folder, environment: { PICPIPE_IMAGING_PROCESSES: '2' } });
	({ api, arena } = await picpipe.ready());
});

afterAll(async () => {
	const { code } = await picpipe.stop();
	await picpipe.expectNoSurvivors();
	await picpipe.destroy();
	await rm(picpipe.folder, { recursive: true, force: true });
	expect(code).toBe(0);
});

/** As wide as the variants that the recipe `web` promises. */
const widths = { large: 1600, medium: 800, small: 400 };

async function process(file: Buffer, name: string) {
	const response = await fetch(`${api}/v1/pictures`, {
		method: 'POST',
		body: form([[name, file]]),
		headers: { prefer: 'wait=60' },
	});
	const picture = await json(response);
	expect(picture, JSON.stringify(picture)).toMatchObject({ state: 'ready' });
	expect(response.status).toBe(201);
	return picture;
}

async function expectWeb(file: Buffer, name: string): Promise<void> {
	const picture = await process(file, name);
	const variants: Record<string, Buffer> = {};
	for (const variant of picture.variants) {
		const bytes = Buffer.from(await (await fetch(api + variant.url)).arrayBuffer());
		const metadata = await sharp(bytes).metadata();
		expect(metadata).toMatchObject({ format: 'webp', width: variant.width, height: variant.height, space: 'srgb' });
		for (const kept of ['exif', 'xmp', 'iptc', 'orientation'] as const) expect(metadata[kept]).toBeUndefined();
		variants[variant.name] = bytes;
	}
	expect(Object.keys(variants)).toEqual(['large', 'medium', 'small', 'thumb']);
	const { autoOrient: whole } = await sharp(file).metadata();
	for (const [variant, most] of Object.entries(widths)) {
		const width = Math.min(most, whole.width);
		const found = picture.variants.find((one: { name: string }) => one.name === variant);
		expect(found).toMatchObject({ width, height: Math.round((width * whole.height) / whole.width) });
		expect(await similarity(variants[variant] as Buffer, file), variant).toBeGreaterThan(alike);
	}
	expect(picture.variants.at(-1)).toMatchObject({ name: 'thumb', width: 300, height: 300 });
	expect(picture.analysis.thumbhash).toBeTruthy();
}

describe('a photograph from upload to variants', () => {
	it('of 12 megapixels', async () => expectWeb(await twelveMegapixels(), 'photo.jpg'));

	it.each([1, 2, 3, 4, 5, 6, 7, 8])('with EXIF orientation %i and GPS', async (orientation) => {
		const file = await photograph({ width: 900, height: 600, orientation, gps: true });
		await expectWeb(file, 'turned.jpg');
	});

	it('narrower than every variant is never enlarged', async () => {
		const file = await photograph({ width: 350, height: 500 });
		const { variants } = await process(file, 'small.jpg');
		expect(variants.slice(0, 3)).toMatchObject([{ width: 350 }, { width: 350 }, { width: 350 }]);
	});

	it.each(['png', 'webp', 'avif', 'gif', 'tiff'] as const)('as %s', async (format) => {
		await expectWeb(await photograph({ width: 1000, height: 700, format }), `photo.${format}`);
	});

	for (const folder of ['photos', 'formats']) {
		const extra = sharedPictures(folder, /\.(jpg|webp|avif|tif)$/);
		it(extraTitle(folder, extra), { timeout: 240_000 }, async () => {
			for (const { name, path } of extra) await expectWeb(await readFile(path), name);
		});
	}

	const broken = sharedPictures('broken');
	it(`${extraTitle('broken', broken)}, each ends failed as corrupt, side by side with good ones`, async () => {
		const good = await photograph({ width: 640, height: 480 });
		const answers = await Promise.all(
			broken.map(async ({ name, path }) => {
				const files: [string, Buffer][] = [
					['good.jpg', good],
					[name, await readFile(path)],
				];
				const headers = { prefer: 'wait=60' };
				const response = await fetch(`${api}/v1/pictures`, { method: 'POST', body: form(files), headers });
				return { name, body: await json(response) };
			}),
		);
		for (const { name, body } of answers) {
			const [goodOne, badOne] = body.pictures;
			expect(goodOne, name).toMatchObject({ state: 'ready' });
			expect(badOne, name).toMatchObject({ state: 'failed', failure: { class: 'corrupt' } });
		}
	});
});

describe('is visible', () => {
	it('in its job: steps with times and bytes, progress, data without image bytes, and its page in Arena', async () => {
		const picture = await process(await photograph({ width: 1200, height: 800 }), 'told.jpg');
		const path = new URL(picture.links.job).pathname;
		const page = await (await fetch(arena + path)).text();
		for (const told of [
			'decode',
			'encode large.webp',
			'store thumb.webp',
			'record',
			'ready',
			'"filename": "told.jpg"',
		]) {
			expect(page.replaceAll('&quot;', '"')).toContain(told);
		}
		const step = picpipe.lines.findLast((line) => line.msg === 'picture processed' && line.pictureId === picture.id);
		expect(step).toMatchObject({ role: 'worker', attempt: 1, requestId: expect.any(String) });
	});
});
