import { setTimeout as sleep } from 'node:timers/promises';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { arenaJobPath, type ProcessJob, processJobIdOf } from '../../src/queue/jobs.ts';
import { openBrowser, type TestBrowser, type Watched, watchPage } from '../helpers/browser.ts';
import { jobIn, openTestArena, type State, type TestArena, workOn } from './fixture.ts';

let browser: TestBrowser;
let context: BrowserContext;
let arena: TestArena;
let page: Page;
let seen: Watched;
/** What the page's dialogs said; each is accepted. */
let dialogs: string[];

// One server and one browser context for all, so that Arena's large scripts are compiled once.
beforeAll(async () => {
	browser = await openBrowser();
	context = await browser.newContext();
	arena = await openTestArena();
});
afterAll(async () => {
	await browser.close();
	await arena.close();
});
beforeEach(async () => {
	await arena.empty();
	page = await context.newPage();
	seen = watchPage(page, arena.address);
	dialogs = [];
	page.on('dialog', (dialog) => {
		dialogs.push(dialog.message());
		return dialog.accept();
	});
});
// Chromium may never answer when a page is closed while it loads itself again; the browser goes at the end in any case.
afterEach(() => Promise.race([page.close(), sleep(5_000)]));

const open = (path: string) => page.goto(`${arena.address}${path}`);
const stateOf = (jobId: string) => arena.pictures.getJobState(jobId);

/** Clicks, and waits for the answer to what the click asks of the server. @returns its status */
async function press(selector: string): Promise<number> {
	const answer = page.waitForResponse((response) => response.url().includes('/api/'));
	await page.click(selector);
	return (await answer).status();
}

/** For those after which the page loads itself again; its buttons do nothing before that is done. */
async function pressAndReload(selector: string): Promise<number> {
	const loaded = page.waitForEvent('load');
	const status = await press(selector);
	await loaded;
	return status;
}

async function openJobIn(state: State): Promise<string> {
	const jobId = await jobIn(state, arena);
	await open(arenaJobPath('pictures', jobId));
	return jobId;
}

describe('buttons of a job', () => {
	afterEach(() => expect(seen.take()).toEqual({ foreign: [], errors: [] }));

	it('Retry queues a failed job again, with all its attempts', async () => {
		const jobId = await openJobIn('failed');
		expect(await press('text="Retry"')).toBe(200);
		expect(await stateOf(jobId)).toBe('waiting');
		expect(await arena.pictures.getJob(jobId)).toMatchObject({ attemptsMade: 0, attemptsStarted: 0 });
	});

	it('Trigger queues a completed job again instead of making a second one', async () => {
		const jobId = await openJobIn('completed');
		expect(await press('text="Trigger"')).toBe(200);
		expect(await stateOf(jobId)).toBe('waiting');
		expect(await arena.pictures.getJobCountByTypes()).toBe(1);
	});

	it.each(['waiting', 'active'] as const)('Trigger does not change a job that is %s', async (state) => {
		const jobId = await openJobIn(state);
		expect(await press('text="Trigger"')).toBe(200);
		expect(await stateOf(jobId)).toBe(state);
		expect(await arena.pictures.getJobCountByTypes()).toBe(1);
	});

	it.each(['Promote', 'Trigger'])('%s lets a delayed job run now', async (button) => {
		const jobId = await openJobIn('delayed');
		expect(await press(`text="${button}"`)).toBe(200);
		expect(await stateOf(jobId)).toBe('waiting');
	});

	it('Remove removes the job and returns to the list', async () => {
		const jobId = await openJobIn('failed');
		expect(await press('text="Remove"')).toBe(200);
		await page.waitForURL('**/picpipe/pictures/failed');
		expect(await stateOf(jobId)).toBe('unknown');
	});

	it('Update stores changed data, with every character unchanged', async () => {
		const jobId = await jobIn('waiting', arena, `it's <"big"> & \`bold\`=1.jpg`);
		const before = (await arena.pictures.getJob(jobId))?.data;
		await open(arenaJobPath('pictures', jobId));
		await page.click('text="Edit"');
		await page.evaluate(() => {
			const { jsonEditor } = globalThis as unknown as { jsonEditor: { get(): object; set(data: object): void } };
			jsonEditor.set({ ...jsonEditor.get(), requestId: 'req-2' });
		});
		expect(await press('.js-update-job-data')).toBe(200);
		expect((await arena.pictures.getJob(jobId))?.data).toEqual({ ...before, requestId: 'req-2' });
	});
});

it('Remove does not touch a job that a worker holds, and says so', async () => {
	const jobId = await openJobIn('active');
	expect(await press('text="Remove"')).toBe(500);
	await expect.poll(() => dialogs).toContainEqual(expect.stringContaining('Request failed'));
	expect(await stateOf(jobId)).toBe('active');
});

describe('buttons of a queue', () => {
	it('Pause and Resume work', async () => {
		await open('/picpipe/pictures');
		expect(await pressAndReload('text="Pause queue"')).toBe(200);
		expect(await arena.pictures.isPaused()).toBe(true);
		expect(await pressAndReload('text="Resume queue"')).toBe(200);
		expect(await arena.pictures.isPaused()).toBe(false);
		expect(seen.take()).toEqual({ foreign: [], errors: [] });
	});

	it('Update limits the number of concurrent jobs, and lifts the limit', async () => {
		await open('/picpipe/pictures');
		await page.waitForSelector('text="Global Configuration"');
		for (const limit of ['3', '']) {
			await page.click('.panel-heading .js-toggle-update-queue-meta');
			await page.fill('.js-update-meta-concurrency', limit);
			expect(await pressAndReload('.meta-config-editor .js-update-queue-meta')).toBe(200);
			expect(await arena.pictures.getGlobalConcurrency()).toBe(limit === '' ? null : Number(limit));
		}
		expect(seen.take()).toEqual({ foreign: [], errors: [] });
	});

	async function create(name: string, data: unknown): Promise<number> {
		await open('/picpipe/pictures');
		await page.evaluate('localStorage.clear()');
		await page.click('.js-toggle-add-job-editor');
		await page.evaluate((value) => {
			(globalThis as unknown as { jsonEditor: { set(data: unknown): void } }).jsonEditor.set(value);
		}, data);
		await page.fill('.js-add-job-name', name);
		return press('.js-add-job');
	}

	it('Create queues a job as the API does: derived id, same attempts, same retention', async () => {
		const work = workOn('added.jpg');
		expect(await create('process', work)).toBe(200);
		await expect.poll(() => dialogs).toEqual(['Job successfully added!']);
		const job = await arena.pictures.getJob(processJobIdOf(work));
		expect(job).toMatchObject({ name: 'process', data: work });
		expect(job?.opts).toMatchObject({ attempts: 5, removeOnComplete: { age: 86_400 }, removeOnFail: false });
		expect(await create('process', work)).toBe(200);
		expect(await arena.pictures.getJobCountByTypes()).toBe(1);
		expect(seen.take()).toEqual({ foreign: [], errors: [] });
	});

	it.each<[string, string, unknown]>([
		['data that is no work', 'process', { id: '' }],
		['another name', 'destroy', workOn('a.jpg')],
		['no name', '', workOn('a.jpg')],
	])('Create refuses %s', async (_what, name, data) => {
		expect(await create(name, data as ProcessJob)).toBe(500);
		await expect.poll(() => dialogs).toEqual(['Failed to save job, check console for error.']);
		expect(await arena.pictures.getJobCountByTypes()).toBe(0);
	});
});

describe('buttons for many jobs', () => {
	async function openTwoIn(state: State): Promise<string[]> {
		const jobIds = [await jobIn(state, arena, '1.jpg'), await jobIn(state, arena, '2.jpg')];
		await open(`/picpipe/pictures/${state}`);
		await page.check('.js-select-all-jobs');
		return jobIds;
	}
	const statesOf = (jobIds: string[]) => Promise.all(jobIds.map(stateOf));

	afterEach(() => expect(seen.take()).toEqual({ foreign: [], errors: [] }));

	it('Retry Jobs works', async () => {
		const jobIds = await openTwoIn('failed');
		expect(await press('text="Retry Jobs"')).toBe(200);
		expect(await statesOf(jobIds)).toEqual(['waiting', 'waiting']);
	});

	it('Promote Jobs works', async () => {
		const jobIds = await openTwoIn('delayed');
		expect(await press('text="Promote Jobs"')).toBe(200);
		expect(await statesOf(jobIds)).toEqual(['waiting', 'waiting']);
	});

	it('Remove Jobs works', async () => {
		const jobIds = await openTwoIn('waiting');
		expect(await press('text="Remove Jobs"')).toBe(200);
		expect(await statesOf(jobIds)).toEqual(['unknown', 'unknown']);
	});

	it('Clean 1000 Jobs removes all of that state and no others', async () => {
		const jobIds = await openTwoIn('failed');
		const other = await jobIn('delayed', arena);
		expect(await press('text="Clean 1000 Jobs"')).toBe(200);
		expect(await statesOf(jobIds)).toEqual(['unknown', 'unknown']);
		expect(await stateOf(other)).toBe('delayed');
	});
});
