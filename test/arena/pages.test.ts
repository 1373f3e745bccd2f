import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { arenaJobPath, processJobId, queueNames } from '../../src/queue/jobs.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { openBrowser, type TestBrowser, type Watched, watchPage } from '../helpers/browser.ts';
import { names } from '../helpers/filenames.ts';
import { makePicture } from '../helpers/manifest.ts';
import { jobIn, logLine, openTestArena, type State, states, type TestArena } from './fixture.ts';

let browser: TestBrowser;
let arena: TestArena;
let page: Page;
let seen: Watched;

// One page of one server for all, so that the browser compiles Arena's large scripts once.
beforeAll(async () => {
	browser = await openBrowser();
	arena = await openTestArena();
	page = await browser.newPage();
	seen = watchPage(page, arena.address);
});
afterAll(async () => {
	await browser.close();
	await arena.close();
});
beforeEach(() => arena.empty());
afterEach(() => {
	// Nothing is loaded from elsewhere, nothing fails, and the content security policy stops nothing that Arena needs.
	expect(seen.take()).toEqual({ foreign: [], errors: [] });
});

const open = (path: string) => page.goto(`${arena.address}${path}`);
const text = () => page.locator('.main').textContent();

describe('queues', () => {
	it('are all listed on the first page, each with its own page', async () => {
		await open('/');
		expect(await page.locator('.list-group-item a:visible').allInnerTexts()).toEqual([...queueNames]);
		for (const name of queueNames) {
			await page.click(`a:text-is("${name}")`);
			expect(await page.locator('h2').textContent()).toBe(`Queue picpipe/${name}`);
			await page.goBack();
		}
	});

	it('show how many jobs are in each state, and the Redis behind them', async () => {
		for (const state of states) await jobIn(state, arena);
		await open('/picpipe/pictures');
		const counts = await page
			.locator('.list-group-item')
			.evaluateAll((items) =>
				items.map((item) => [item.querySelector('a')?.textContent?.trim(), item.querySelector('.badge')?.textContent]),
			);
		expect(Object.fromEntries(counts)).toEqual({
			waiting: '1',
			prioritized: '1',
			active: '1',
			completed: '1',
			failed: '1',
			delayed: '1',
			'waiting-children': '0',
		});
		expect(await text()).toMatch(/redis_version\s+\d+\.\d+/);
	});
});

describe('jobs in the backlog', () => {
	it('count as waiting, are listed behind those in the queue, and have a page', async () => {
		const queues = openQueues(arena.redis, { prefix: arena.prefix, attempts: 3, retryDelay: 20 });
		const pictures = Array.from({ length: 3 }, () => makePicture());
		for (const picture of pictures) await queues.enqueuePicture(picture, 'upload');
		await open('/picpipe/pictures');
		expect(await page.locator('.list-group-item', { hasText: 'waiting' }).first().locator('.badge').textContent()).toBe(
			'3',
		);
		await open('/picpipe/pictures/waiting');
		const lines = (await page.locator('.list-group-item h4').allTextContents()).join(' ');
		for (const picture of pictures) expect(lines).toContain(processJobId(picture));
		const last = processJobId(pictures[2] ?? expect.fail());
		expect((await open(arenaJobPath('pictures', last)))?.status()).toBe(200);
		expect(await text()).toContain('holiday.jpg');
		expect((await fetch(`${arena.address}/api/queue/picpipe/pictures/job/${last}`, { method: 'DELETE' })).status).toBe(
			200,
		);
		expect((await queues.countWaiting('pictures')).waiting).toBe(2);
		await queues.close();
	});
});

describe.each(states)('a job that is %s', (state: State) => {
	it('is in the list of its state with its file and progress, and has a page with details', async () => {
		const jobId = await jobIn(state, arena, `it's ${names.join(' ')} ${state}.jpg`);
		await open(`/picpipe/pictures/${state}`);
		const line = await page.locator('.list-group-item h4').textContent();
		expect(line).toContain(jobId);
		expect(line).toContain(`process it's ${names.join(' ')} ${state}.jpg`);
		if (state === 'active') expect(line).toContain('45 % (encode large.webp)');

		await page.click('.list-group-item h4');
		await page.click(`a:has-text("Job ${jobId}")`);
		expect(page.url()).toBe(`${arena.address}${arenaJobPath('pictures', jobId)}`);
		const shown = await text();
		expect(shown).toMatch(new RegExp(`State\\s+${state}`, 'i'));
		expect(shown).toContain(`"filename": "it's ${names.join(' ')} ${state}.jpg"`);
		expect(shown).toContain(logLine);
		expect(shown).not.toContain('[object Object]');
		const attemptsMade = state === 'failed' || state === 'completed' ? 1 : 0;
		expect(shown).toMatch(new RegExp(`Attempts Made\\s+${attemptsMade}`));
		if (['active', 'completed', 'failed'].includes(state)) {
			expect(shown).toContain('"percent": 45');
			expect(shown).toContain('"step": "encode large.webp"');
		} else {
			expect(shown).toMatch(/Progress\s+0%/);
		}
		if (state === 'failed') expect(shown).toMatch(/Reason for failure\s+corrupt at decode/);
		if (state === 'completed') expect(shown).toContain('"bytes": 4711');
	});
});

describe('a file name with markup', () => {
	const name = `</script><script>document.title="owned"</script><img src=x onerror="document.title='owned'">.jpg`;

	it('is shown as text and runs nothing', async () => {
		const jobId = await jobIn('waiting', arena, name);
		for (const path of [arenaJobPath('pictures', jobId), '/picpipe/pictures/waiting']) {
			await open(path);
			expect(await page.title()).toBe('Arena');
			expect(await page.locator('img').count()).toBe(0);
			expect(await text()).toContain('<script>document.title=');
		}
	});
});
