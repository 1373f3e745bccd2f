import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { form, json } from '../helpers/api.ts';
import { openBrowser, type TestBrowser } from '../helpers/browser.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { eventually, openPage } from './open-page.ts';

let browser: TestBrowser;
let photo: Buffer;

beforeAll(async () => {
	browser = await openBrowser();
	photo = await photograph({ width: 120, height: 80 });
});
afterAll(() => browser.close());

/** Uploads pictures past the page, as a program would. @returns their ids in order */
async function send(url: string, ...names: string[]): Promise<string[]> {
	const ids: string[] = [];
	for (const name of names) {
		const body = form([[name, withComment(photo, name)]]);
		ids.push((await json(await fetch(`${url}/v1/pictures`, { method: 'POST', body }))).id);
	}
	return ids;
}

describe('the gallery', () => {
	it('follows uploads and deletions by others, newest first', async () => {
		const { api, page, tile } = await openPage(browser);
		const [first] = await send(api.url, 'one.jpg', 'two.jpg', 'three.jpg');
		await tile('three.jpg').waitFor();
		expect(await page.locator('.tile .name').allInnerTexts()).toEqual(['three.jpg', 'two.jpg', 'one.jpg']);
		await fetch(`${api.url}/v1/pictures/${first}`, { method: 'DELETE' });
		await tile('one.jpg').waitFor({ state: 'detached' });
		expect(await page.locator('.tile .name').allInnerTexts()).toEqual(['three.jpg', 'two.jpg']);
	});

	it('shows a page at a time, and older pictures on request', async () => {
		const { api, page } = await openPage(browser);
		const names = Array.from({ length: 50 }, (_, at) => `${at}.jpg`);
		const [oldest] = await send(api.url, ...names);
		await eventually(() => page.locator('.tile .name').first().textContent()).toBe('49.jpg');
		await eventually(() => page.locator('.tile').count()).toBe(48);
		// One beyond those shown has an address too.
		await page.evaluate(`location.hash = '${oldest}'`);
		await page.getByRole('dialog', { name: '0.jpg' }).waitFor();
		await page.keyboard.press('Escape');

		await page.getByRole('button', { name: 'Show older pictures' }).click();
		await eventually(() => page.locator('.tile .name').allInnerTexts()).toEqual(names.toReversed());
		expect(await page.getByRole('button', { name: 'Show older pictures' }).isVisible()).toBe(false);
	});

	it('shows a name full of markup as text, and runs nothing of it', async () => {
		const name = `<img src=x onerror="alert(1)"><b>&amp;.jpg`;
		const { api, page, choose, tile, untilTile } = await openPage(browser);
		await api.startWorker();
		page.on('dialog', () => expect.unreachable('The name was run.'));
		await choose([name, photo]);
		await untilTile(name, 'ready');
		await tile(name).locator('a').click();
		expect(await page.locator('#detail-title').textContent()).toBe(name);
		expect(await page.locator('#detail b, .tile b').allInnerTexts()).not.toContain('&.jpg');
		expect(await page.locator('img[src=x]').count()).toBe(0);
	});

	it('does not poll while hidden, and polls at once when it is visible again', async () => {
		const { api, page, tile } = await openPage(browser);
		await page.getByRole('heading', { name: 'Watch your pictures being processed' }).waitFor();
		const setHidden = (hidden: boolean) =>
			page.evaluate(`
				Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });
				document.dispatchEvent(new Event('visibilitychange'));
			`);
		await setHidden(true);
		let asked = 0;
		page.on('request', () => {
			asked += 1;
		});
		await send(api.url, 'unseen.jpg');
		await page.waitForTimeout(6_000);
		expect(asked).toBe(0);
		await setHidden(false);
		await tile('unseen.jpg').waitFor({ timeout: 4_000 });
	});
});

describe('an unreachable API', () => {
	it('is reported, and everything continues once it is back', async () => {
		const { api, page, tile, takeErrors } = await openPage(browser);
		await send(api.url, 'before.jpg');
		await tile('before.jpg').waitFor();
		await page.context().setOffline(true);
		await page.getByText('picpipe is not responding. Trying again…').waitFor();
		expect(await tile('before.jpg').isVisible()).toBe(true);
		await send(api.url, 'meanwhile.jpg');
		await page.context().setOffline(false);
		await tile('meanwhile.jpg').waitFor();
		expect(await page.locator('#notice').isVisible()).toBe(false);
		expect(takeErrors()).toContainEqual(expect.stringContaining('ERR_INTERNET_DISCONNECTED'));
	});
});

describe('on a phone', () => {
	it('has nothing wider than the screen, however long a name is', async () => {
		const context = { viewport: { width: 360, height: 740 } };
		const { api, page, choose, tile, untilTile } = await openPage(browser, { context });
		await api.startWorker();
		const name = `${'long'.repeat(40)}.jpg`;
		const width = () => page.evaluate<number>('document.documentElement.scrollWidth');
		expect(await width()).toBe(360);
		await choose([name, photo]);
		await untilTile(name, 'ready');
		expect(await width()).toBe(360);
		await tile(name).locator('a').click();
		const dialog = page.getByRole('dialog');
		await dialog.waitFor();
		expect(await dialog.evaluate((element) => element.scrollWidth <= element.clientWidth)).toBe(true);
	});
});
