import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, type TestBrowser } from '../helpers/browser.ts';
import { names } from '../helpers/filenames.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { eventually, naturalWidth, openPage } from './open-page.ts';

let browser: TestBrowser;
let photo: Buffer;

beforeAll(async () => {
	browser = await openBrowser();
	photo = await photograph({ width: 900, height: 600 });
});
afterAll(() => browser.close());

/** Pictures that differ, at little cost. */
const copies = (count: number) =>
	Array.from({ length: count }, (_, at) => [`${at}.jpg`, withComment(photo, `${at}`)] as const);

describe('without pictures', () => {
	it('invites to upload, with a command that works as printed', async () => {
		const { api, page } = await openPage(browser);
		await page.getByRole('heading', { name: 'Watch your pictures being processed' }).waitFor();
		expect(await page.locator('#curl-line').textContent()).toBe(
			`curl -F file=@photo.jpg -H 'Prefer: wait=30' ${api.url}/v1/pictures`,
		);
		expect(await page.locator('#curl-url-line').textContent()).toBe(
			`curl -H 'content-type: application/json' -d '{"url":"https://example.org/photo.jpg"}' ${api.url}/v1/pictures`,
		);
		expect(await page.getByRole('link', { name: 'Recipes' }).getAttribute('href')).toBe('/v1/recipes');
		expect(await page.getByRole('link', { name: 'Arena' }).getAttribute('href')).toMatch(/\/picpipe\/pictures$/);
	});
});

describe('an upload', () => {
	it('becomes a tile that goes from queued to ready and shows its thumbnail', async () => {
		const { api, page, choose, tile, untilTile } = await openPage(browser);
		await choose(['photo.jpg', photo]);
		await untilTile('photo.jpg', 'queued');
		await eventually(() => page.locator('#figures').textContent()).toContain('1 waiting');
		expect(await page.locator('#figures').textContent()).toContain('No worker is running');
		await api.startWorker();
		await untilTile('photo.jpg', 'ready');
		const image = tile('photo.jpg').locator('img');
		await eventually(() => naturalWidth(image)).toBe(300);
		expect(await tile('photo.jpg').textContent()).toContain('900 × 600 · 4 variants');
		// The row of the upload says goodbye by itself.
		await page.locator('#uploads').waitFor({ state: 'hidden' });
	});

	it('keeps file names of every script whole, and shows them in their direction', async () => {
		const { page, choose, tile, untilTile } = await openPage(browser);
		await choose(...names.map((name) => [name, withComment(photo, name)] as const));
		for (const name of names) {
			await untilTile(name, 'queued');
			expect(await tile(name).locator('.name').getAttribute('title')).toBe(name);
		}
		const directions = await page.evaluate<string[]>(
			"[...document.querySelectorAll('.tile .name')].map((one) => getComputedStyle(one).direction + ' ' + one.title)",
		);
		expect(
			directions
				.filter((one) => one.startsWith('rtl'))
				.map((one) => one.slice(4))
				.sort(),
		).toEqual(names.filter((name) => /^[\u0590-\u06ff]/.test(name)).sort());
	});

	it('also works by dropping or pasting', async () => {
		const { page, untilTile } = await openPage(browser);
		await page.locator('#content').waitFor();
		const bytes = photo.toString('base64');
		const give = (type: 'drop' | 'paste' | 'dragenter', name: string) =>
			page.evaluate<boolean>(`{
				const transfer = new DataTransfer();
				const content = Uint8Array.from(atob('${bytes}'), (character) => character.charCodeAt(0));
				transfer.items.add(new File([content], '${name}', { type: 'image/jpeg' }));
				const init = { bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer };
				const event = new ${type === 'paste' ? 'ClipboardEvent' : 'DragEvent'}('${type}', init);
				document.body.dispatchEvent(event);
				event.defaultPrevented;
			}`);
		await give('dragenter', 'hover.jpg');
		expect(await page.getByText('Drop to upload').isVisible()).toBe(true);
		expect(await give('drop', 'dropped.jpg')).toBe(true);
		expect(await page.getByText('Drop to upload').isVisible()).toBe(false);
		await untilTile('dropped.jpg', 'queued');
		expect(await give('paste', 'pasted.jpg')).toBe(true);
		await untilTile('pasted.jpg', 'queued');
	});

	it('runs beside at most two others, with its progress', async () => {
		const { page, choose, tile } = await openPage(browser);
		let underWay = 0;
		let most = 0;
		await page.route('**/v1/pictures?filename=*', async (route) => {
			underWay += 1;
			most = Math.max(most, underWay);
			await sleep(100);
			underWay -= 1;
			await route.continue();
		});
		await choose(...copies(8));
		expect(await page.getByRole('progressbar').count()).toBe(8);
		await page.getByRole('progressbar', { name: 'Upload of 7.jpg' }).waitFor();
		await tile('7.jpg').waitFor();
		await page.locator('#uploads').waitFor({ state: 'hidden' });
		expect(await page.locator('.tile').count()).toBe(8);
		expect(most).toBe(3);
	});

	it('that is refused shows the reason of the API until it is dismissed', async () => {
		const { page, choose, takeErrors } = await openPage(browser);
		await choose(['notes.jpg', Buffer.from('Remember the milk.')]);
		const row = page.locator('#uploads li');
		await eventually(() => row.textContent()).toContain('The file type is not supported. Expected ');
		expect(takeErrors()).toContainEqual(expect.stringContaining('415'));
		await page.getByRole('button', { name: 'Dismiss notes.jpg' }).click();
		expect(await page.locator('#uploads').isVisible()).toBe(false);
		expect(await page.locator('.tile').count()).toBe(0);
	});

	it('of a file over the limit is refused before it is sent', async () => {
		const { page, choose } = await openPage(browser, { environment: { PICPIPE_MAX_BYTES: '1000' } });
		let sent = 0;
		page.on('request', (request) => {
			if (request.method() === 'POST') sent += 1;
		});
		await choose(['large.jpg', photo]);
		await eventually(() => page.locator('#uploads li').textContent()).toContain(
			'larger than allowed. Expected at most 1 kB',
		);
		expect(sent).toBe(0);
	});

	it('that breaks off can be retried', async () => {
		const { page, choose, untilTile, takeErrors } = await openPage(browser);
		await page.getByRole('heading', { name: 'Watch your pictures being processed' }).waitFor();
		await page.context().setOffline(true);
		await choose(['photo.jpg', photo]);
		await eventually(() => page.locator('#uploads li').textContent()).toContain('The upload was interrupted.');
		await page.context().setOffline(false);
		takeErrors();
		await page.getByRole('button', { name: 'Try again' }).click();
		await untilTile('photo.jpg', 'queued');
		await eventually(() => page.locator('#notice').isVisible()).toBe(false);
		takeErrors();
	});
});
