import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKey } from '../../src/access/key-store.ts';
import { form } from '../helpers/api.ts';
import { openBrowser, type TestBrowser } from '../helpers/browser.ts';
import { photograph } from '../helpers/pictures.ts';
import { eventually, naturalWidth, openPage } from './open-page.ts';

let browser: TestBrowser;
let photo: Buffer;

beforeAll(async () => {
	browser = await openBrowser();
	photo = await photograph({ width: 900, height: 600 });
});
afterAll(() => browser.close());

const key = 'a-key-of-sixteen-characters';
const environment = { PICPIPE_API_KEYS: `another-key-of-some-length,${key}` };

describe('with API keys', () => {
	it('asks for one before any request', async () => {
		const { page, takeErrors } = await openPage(browser, { environment });
		const asked: string[] = [];
		page.on('request', (request) => asked.push(new URL(request.url()).pathname));
		await page.reload();
		await page.getByLabel('API key').waitFor();
		expect(await page.getByText('Choose pictures').isVisible()).toBe(false);
		expect(asked.filter((path) => path.startsWith('/v1'))).toEqual([]);

		for (const wrong of ['not-the-key-that-is-wanted', 'ключ']) {
			await page.getByLabel('API key').fill(wrong);
			await page.keyboard.press('Enter');
			await page.getByText('The key was not accepted.').waitFor();
			await eventually(() => page.getByLabel('API key').inputValue()).toBe('');
		}
		expect(takeErrors()).toContainEqual(expect.stringContaining('401'));
		expect(await page.evaluate('sessionStorage.length')).toBe(0);
	});

	it('does everything with the key, including pictures and downloads, and keeps it for this tab only', async () => {
		const { api, page, choose, tile, untilTile } = await openPage(browser, { environment });
		await api.startWorker();
		await page.getByLabel('API key').fill(key);
		await page.getByRole('button', { name: 'Continue' }).click();
		await page.getByText('Choose pictures').waitFor();
		expect(await page.locator('#curl-line').textContent()).toContain('Authorization: Bearer $PICPIPE_KEY');
		await choose(['photo.jpg', photo]);
		await untilTile('photo.jpg', 'ready');
		const thumb = tile('photo.jpg').locator('img');
		await eventually(() => naturalWidth(thumb)).toBe(300);
		expect(await thumb.getAttribute('src')).toMatch(/^blob:/);

		await tile('photo.jpg').locator('a').click();
		const images = page.locator('#detail img');
		await eventually(async () => Promise.all((await images.all()).map(naturalWidth))).toEqual([
			900, 900, 800, 400, 300,
		]);
		const [download] = await Promise.all([
			page.waitForEvent('download'),
			page.getByRole('link', { name: 'Original' }).click(),
		]);
		expect(download.suggestedFilename()).toBe('photo.jpg');
		expect(await readFile(await download.path())).toEqual(photo);

		await page.reload();
		await page.getByRole('dialog', { name: 'photo.jpg' }).waitFor();
		expect(await page.evaluate('[Object.values(sessionStorage), localStorage.length, document.cookie]')).toEqual([
			[key],
			0,
			'',
		]);
		await page.keyboard.press('Escape');
		await page.getByRole('button', { name: 'Forget key' }).click();
		await page.getByLabel('API key').waitFor();
		expect(await page.evaluate('sessionStorage.length')).toBe(0);
		expect(await page.locator('.tile').count()).toBe(0);
	});

	it('shows pictures with a key of less scope, without queue figures, and says what is not allowed', async () => {
		const { api, page, choose, untilTile, takeErrors } = await openPage(browser, { environment });
		const { text } = await addKey(api.storage, { name: 'reader', scopes: ['read'], limits: {} });
		const uploader = await addKey(api.storage, { name: 'uploader', scopes: ['upload'], limits: {} });
		await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: form([['photo.jpg', photo]]),
			headers: { authorization: `Bearer ${uploader.text}` },
		});
		await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: form([['other.jpg', photo]]),
			headers: { authorization: `Bearer ${key}` },
		});
		// With `upload` alone, a key shows what its group owns.
		await page.getByLabel('API key').fill(uploader.text);
		await page.keyboard.press('Enter');
		await untilTile('photo.jpg', 'queued');
		await eventually(() => page.locator('.tile').count()).toBe(1);
		expect(await page.locator('#figures').isVisible()).toBe(false);
		await page.getByRole('button', { name: 'Forget key' }).click();
		takeErrors();
		await page.getByLabel('API key').fill(text);
		await page.keyboard.press('Enter');
		await untilTile('other.jpg', 'queued');
		expect(await page.locator('#figures').isVisible()).toBe(false);
		await choose(['more.jpg', photo]);
		await page.getByText('Expected a key with the scope "upload"').waitFor();
		// What it may not is not asked again and again.
		const refusals = takeErrors().filter((error) => error.startsWith('403'));
		expect(refusals.filter((error) => error.includes('/v1/queues'))).toHaveLength(1);
		await eventually(() => page.locator('.tile').count()).toBe(2);
	});

	it('asks again if the key is no longer accepted', async () => {
		const { page, takeErrors } = await openPage(browser, { environment });
		await page.evaluate(`sessionStorage.setItem('picpipe-key', 'a-key-that-was-taken-back')`);
		await page.reload();
		await page.getByText('The key is no longer accepted.').waitFor();
		expect(await page.getByText('Choose pictures').isVisible()).toBe(false);
		takeErrors();
	});
});
