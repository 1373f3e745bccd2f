import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderOf } from '../../src/catalog/manifest.ts';
import { manifestKey } from '../../src/storage/keys.ts';
import { readObject } from '../../src/storage/storage.ts';
import { form, json, type TestApi, untilFinished } from '../helpers/api.ts';
import { openBrowser, type TestBrowser } from '../helpers/browser.ts';
import { photograph } from '../helpers/pictures.ts';
import { fetchesFromHere, sends, startRemote } from '../helpers/remote.ts';
import { eventually, naturalWidth, openPage } from './open-page.ts';

let browser: TestBrowser;
let photo: Buffer;

beforeAll(async () => {
	browser = await openBrowser();
	photo = await photograph({ width: 2000, height: 1500 });
});
afterAll(() => browser.close());

/** The names and values that the dialog lists. */
const factsIn = async (page: Page): Promise<Record<string, string>> =>
	Object.fromEntries(
		await page
			.locator('#detail dl > div')
			.evaluateAll((rows) => rows.map((row) => [...row.children].map((child) => child.textContent ?? ''))),
	);

describe('a ready picture', () => {
	it('shows every variant, facts of the original, and actions', async () => {
		const { api, page, tile } = await openPage(browser);
		await api.startWorker();
		const body = form(
			[['photo.jpg', photo]],
			['tags', 'holiday,am Meer'],
			['caption', '<img src=x onerror="document.title=1">\nשורה'],
			['order-id', '7'],
		);
		const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
		const picture = await untilFinished(api, id);
		await tile('photo.jpg').locator('a').click();
		expect(page.url()).toBe(`${api.url}/#${id}`);

		const rows = page.getByRole('list', { name: 'Variants' }).getByRole('listitem');
		await eventually(() => rows.count()).toBe(4);
		for (const [at, variant] of picture.variants.entries()) {
			const row = rows.nth(at);
			const text = await row.textContent();
			expect(text).toContain(variant.name);
			expect(text).toContain(`${variant.format} · ${variant.width} × ${variant.height}`);
			expect(text).toMatch(/\d (bytes|kB|MB) \([\d.]+ %\) · [\d.]+ m?s$/);
			expect(await row.getByRole('link').getAttribute('href')).toBe(variant.url);
			const image = row.locator('img');
			await eventually(() => naturalWidth(image)).toBe(variant.width);
		}
		const hero = page.getByRole('img', { name: 'The variant large' });
		await eventually(() => naturalWidth(hero)).toBe(1600);

		expect(await factsIn(page)).toMatchObject({
			Type: 'image/jpeg',
			Dimensions: '2000 × 1500 (3.0 megapixels)',
			Size: expect.stringContaining(`${photo.length.toLocaleString('en-US')} bytes`),
			'SHA-256': picture.source.sha256,
			Recipe: `web ${picture.recipe.digest}`,
			Tags: 'holidayam Meer',
			Metadata: 'caption <img src=x onerror="document.title=1">\r\nשורהorder-id 7',
			Ready: expect.stringMatching(/^after [\d.]+ m?s$/),
			Work: expect.stringMatching(/^4 variants in /),
			Id: id,
		});
		expect(await page.locator('#detail dl img').count()).toBe(0);
		const { self, original, job } = picture.links;
		const hrefs = await page
			.locator('#detail footer a')
			.evaluateAll((links) => links.map((a) => a.getAttribute('href')));
		expect(hrefs).toEqual([original, self, job]);
		expect(await page.getByRole('button', { name: 'Retry' }).count()).toBe(0);
	});

	it('is opened, closed and left with the keyboard', async () => {
		const { page, choose, tile } = await openPage(browser, { context: { reducedMotion: 'reduce' } });
		await choose(['photo.jpg', photo]);
		await tile('photo.jpg').waitFor();
		await page.locator('#uploads').waitFor({ state: 'hidden' });
		const focused = () => page.evaluate<string>(`document.activeElement.getAttribute('href') ?? ''`);
		for (let presses = 0; presses < 10 && !(await focused()).startsWith('#pic_'); presses++) {
			await page.keyboard.press('Tab');
		}
		await page.keyboard.press('Enter');
		await page.getByRole('dialog', { name: 'photo.jpg' }).waitFor();
		await page.keyboard.press('Escape');
		await page.getByRole('dialog').waitFor({ state: 'hidden' });
		await eventually(() => new URL(page.url()).hash).toBe('');
		expect(await focused()).toMatch(/^#pic_/);
	});

	it('has a link of its own', async () => {
		const missing = '#pic_00000000000000000000000000';
		const { api, page, takeErrors } = await openPage(browser, { hash: missing });
		await page.getByRole('dialog', { name: 'No picture has this id.' }).waitFor();
		expect(takeErrors().filter((error) => error.startsWith('404'))).toHaveLength(1);
		const body = form([['photo.jpg', photo]]);
		const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
		await page.goto(`${api.url}/#${id}`);
		await page.getByRole('dialog', { name: 'photo.jpg' }).waitFor();
		await page.evaluate(`location.hash = ''`);
		await page.getByRole('dialog').waitFor({ state: 'hidden' });
	});

	it('is deleted after a confirmation, and kept otherwise', async () => {
		const { api, page, choose, tile, untilTile } = await openPage(browser);
		await api.startWorker();
		await choose(['photo.jpg', photo]);
		await untilTile('photo.jpg', 'ready');
		await tile('photo.jpg').locator('a').click();
		await page.getByRole('button', { name: 'Delete' }).click();
		await page.getByText('This cannot be undone.').waitFor();
		await page.getByRole('button', { name: 'Keep it' }).click();
		expect(await page.getByText('This cannot be undone.').count()).toBe(0);
		await page.getByRole('button', { name: 'Delete' }).click();
		await page.getByRole('button', { name: 'Delete permanently' }).click();
		await tile('photo.jpg').waitFor({ state: 'detached' });
		expect(await page.getByRole('dialog').isVisible()).toBe(false);
		expect(await api.keys()).toEqual([]);
	});
});

describe('a picture whose recipe no worker supports', () => {
	it('shows the reason for waiting in its dialog', async () => {
		const { api, page, choose, tile, untilTile } = await openPage(browser);
		await choose(['photo.jpg', await photograph({ width: 64, height: 48 })]);
		await untilTile('photo.jpg', 'queued');
		const { pictures } = await json(await fetch(`${api.url}/v1/pictures`));
		const key = manifestKey(folderOf(pictures[0].id));
		const manifest = JSON.parse(String(await readObject(api.storage, key)));
		manifest.recipe.definition.variants.large.steps.push({ blur_faces: {} });
		await api.storage.put(key, Buffer.from(JSON.stringify(manifest)));
		await api.startWorker();
		await tile('photo.jpg').locator('a').click();
		await eventually(async () => (await factsIn(page)).Waiting).toMatch(/operation "blur_faces".* Since .+\.$/);
	});
});

/** The number of failed pictures in the header. */
async function figureOf(page: Page): Promise<number> {
	const text = await page.locator('#figures li', { hasText: 'failed' }).textContent();
	return Number.parseInt(text ?? '', 10);
}

async function failuresOf(api: TestApi): Promise<number> {
	return (await json(await fetch(`${api.url}/v1/failures`))).total;
}

describe('a failed picture', () => {
	it('shows the reason on its tile and in full in its dialog, and can be retried', async () => {
		const { api, page, choose, tile, untilTile } = await openPage(browser);
		await api.startWorker();
		// Half of a PNG is accepted, for its type is plain, and fails at decoding.
		const png = await photograph({ width: 300, height: 200, format: 'png' });
		await choose(['broken.png', png.subarray(0, png.length / 2)]);
		await untilTile('broken.png', 'failed');
		const { pictures } = await json(await fetch(`${api.url}/v1/pictures`));
		const { failure, next, links } = pictures[0];
		expect(await tile('broken.png').textContent()).toContain(failure.message);

		await tile('broken.png').locator('a').click();
		expect(await page.getByRole('region', { name: 'Failure' }).textContent()).toContain(failure.message);
		expect(await factsIn(page)).toMatchObject({
			Class: 'corrupt',
			Code: 'corrupt-picture',
			Step: failure.step,
			Attempt: '1',
		});
		expect(await page.getByRole('region', { name: 'Failure' }).textContent()).toContain(next[failure.code]);
		// The same bytes would fail again, so a retry is not what comes first.
		expect(await page.locator('#detail .actions > *').allInnerTexts()).toEqual([
			'Upload another file',
			'Original',
			'JSON',
			'Job in Arena ↗',
			'Retry',
			'Delete',
		]);
		await eventually(() => figureOf(page)).toBe(1);
		expect(await failuresOf(api)).toBe(1);
		const chooser = page.waitForEvent('filechooser');
		await page.getByRole('button', { name: 'Upload another file' }).click();
		expect((await chooser).isMultiple()).toBe(true);
		await tile('broken.png').locator('a').click();
		await page.getByRole('button', { name: 'Retry' }).click();
		const latest = async () => json(await fetch(api.url + links.self));
		await eventually(async () => (await latest()).revision).toBeGreaterThan(3);
		expect(await latest()).toMatchObject({ state: 'failed', failure: { code: 'corrupt-picture' } });
		await page.getByRole('button', { name: 'Retry' }).waitFor();
	});
});

describe('a ready picture that lacks variants', () => {
	it('says so on its tile; its dialog names them and what is limited, and retries them', async () => {
		const { api, page, tile } = await openPage(browser, { environment: { PICPIPE_INLINE_RECIPES: 'true' } });
		await api.startWorker();
		const encode = [{ webp: { effort: 0 } }];
		const variants = {
			tall: { encode },
			small: { steps: [{ resize: { width: 8 } }], encode },
			second: { page: 2, encode },
		};
		const strip = await photograph({ width: 40, height: 17_000 });
		const body = form([['strip.jpg', strip]], ['recipe', JSON.stringify({ variants })]);
		const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
		const { variants: made, failures, next } = await untilFinished(api, id);
		await eventually(() => tile('strip.jpg').textContent()).toContain('1 variant failed');

		await tile('strip.jpg').locator('a').click();
		const failed = page.getByRole('region', { name: 'Failed variants' });
		const text = await failed.textContent();
		for (const part of ['1 variant could not be made.', 'second', failures[0].message, 'unsupported · no-such-page']) {
			expect(text).toContain(part);
		}
		expect(text).toContain(next['no-such-page']);
		await eventually(() => figureOf(page)).toBe(1);
		expect(await failuresOf(api)).toBe(1);
		const rows = page.getByRole('list', { name: 'Variants' }).getByRole('listitem');
		expect(await rows.nth(0).textContent()).toContain(made[0].limited.message);
		expect(await rows.nth(1).textContent()).not.toContain('scaled down');
		await page.getByRole('button', { name: 'Retry' }).click();
		const latest = async () => json(await fetch(`${api.url}/v1/pictures/${id}`));
		await eventually(async () => (await latest()).revision).toBeGreaterThan(3);
		expect(await latest()).toMatchObject({ state: 'ready', variants: made, failures: [{ variant: 'second' }] });
	});
});

describe('a picture that is still to be fetched', () => {
	it('shows its URL, and offers no original; afterwards it is like any other', async () => {
		const { api, page, tile } = await openPage(browser, { environment: fetchesFromHere });
		const remote = await startRemote(sends(photo));
		const url = `${remote.url}/album/photo.jpg?signature=secret`;
		const accepted = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ url }),
		});
		const { id } = await json(accepted);
		await eventually(() => tile('photo.jpg').textContent()).toContain('to be fetched');
		await tile('photo.jpg').locator('a').click();
		const shown = `${remote.url}/album/photo.jpg?…`;
		await eventually(() => factsIn(page)).toMatchObject({ 'Fetching from': shown, Id: id });
		expect(await factsIn(page)).not.toHaveProperty('Size');
		expect(await page.getByRole('link', { name: 'Original' }).count()).toBe(0);
		await api.startWorker();
		await eventually(() => factsIn(page)).toMatchObject({
			'Fetched from': shown,
			Dimensions: '2000 × 1500 (3.0 megapixels)',
		});
		expect(await page.getByRole('link', { name: 'Original' }).count()).toBe(1);
		expect(await page.content()).not.toContain('secret');
	});
});
