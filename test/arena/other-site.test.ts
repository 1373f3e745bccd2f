import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, type TestBrowser, watchPage } from '../helpers/browser.ts';
import { jobIn, openTestArena, type TestArena } from './fixture.ts';

let browser: TestBrowser;
let arena: TestArena;
let evil: Server | undefined;

beforeAll(async () => {
	browser = await openBrowser();
});
afterAll(() => browser.close());
afterEach(async () => {
	await arena.close();
	evil?.close();
});

/** A page on another port of this machine: another site would be refused all the sooner. */
async function openEvilPage(html: string) {
	evil = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end(html));
	evil.listen(0, '127.0.0.1');
	await once(evil, 'listening');
	const page = await browser.newPage();
	await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`);
	return page;
}

describe('a page of another website', () => {
	it('cannot send forms to Arena through a browser', async () => {
		arena = await openTestArena();
		const jobId = await jobIn('failed', arena);
		const action = `${arena.address}/api/queue/picpipe/pictures/job/bulk`;
		const page = await openEvilPage(
			`<form method="post" action="${action}"><input name="jobs" value="${jobId}"><button>win</button></form>`,
		);
		const answer = page.waitForResponse(action);
		await page.click('button');
		expect((await answer).status()).toBe(403);
		expect(await page.textContent('body')).toContain('Requests from other websites are refused.');
		await page.close();
	});

	it('cannot send requests to Arena by script', async () => {
		arena = await openTestArena();
		const page = await openEvilPage('<p>');
		const url = `${arena.address}/api/queue/picpipe/pictures/pause`;
		const outcome = await page.evaluate(
			(target) => fetch(target, { method: 'PUT', credentials: 'include' }).catch(() => 'blocked'),
			url,
		);
		expect(outcome).toBe('blocked');
		expect(await arena.pictures.isPaused()).toBe(false);
		await page.close();
	});

	it('cannot show Arena in a frame, to have its buttons clicked', async () => {
		arena = await openTestArena();
		const page = await openEvilPage(`<iframe src="${arena.address}/picpipe/pictures"></iframe>`);
		const frame = page.frames()[1];
		expect(frame).toBeDefined();
		expect(await frame?.locator('button').count()).toBe(0);
		await page.close();
	});
});

describe('a browser with a login', () => {
	it('asks for it, and then every page and button works', async () => {
		arena = await openTestArena({ password: 'a-good-password' });
		const stranger = await browser.newPage();
		await expect(stranger.goto(arena.address)).rejects.toThrow('ERR_INVALID_AUTH_CREDENTIALS');
		await stranger.close();

		const context = await browser.newContext({
			httpCredentials: { username: 'admin', password: 'a-good-password', origin: arena.address },
		});
		const page = await context.newPage();
		page.on('dialog', (dialog) => dialog.accept());
		await page.goto(arena.address);
		const seen = watchPage(page, arena.address);
		await page.click('a:text-is("pictures")');
		await page.waitForURL('**/picpipe/pictures');
		await page.click('text="Pause queue"');
		await page.waitForSelector('text="Resume queue"');
		expect(await arena.pictures.isPaused()).toBe(true);
		expect(seen.take()).toEqual({ foreign: [], errors: [] });
		await context.close();
	});
});
