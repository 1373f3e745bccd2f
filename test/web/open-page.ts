import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { startTestApi, type TestApi } from '../helpers/api.ts';
import { type TestBrowser, watchPage } from '../helpers/browser.ts';

/** The page in a browser, against an api of its own. */
export interface Opened {
	readonly api: TestApi;
	readonly page: Page;
	/** Chooses files in the page's file input. */
	choose(...files: (readonly [name: string, bytes: Buffer])[]): Promise<void>;
	/** The tile of the picture with that file name. */
	tile(name: string): Locator;
	/** Waits until the picture with that file name has this state. */
	untilTile(name: string, state: 'queued' | 'processing' | 'ready' | 'failed'): Promise<void>;
	/** What the browser has complained about since the last time. */
	takeErrors(): string[];
}

export interface OpenOptions {
	readonly environment?: Record<string, string>;
	readonly context?: BrowserContextOptions;
	/** Added to the page's address. */
	readonly hash?: string;
}

/**
 * Opens the page for the length of a test. When the test has finished, nothing may have been loaded from elsewhere and nothing
 * may have gone wrong that the test didn't take: no request, no script, nothing that the content security policy forbids.
 */
export async function openPage(browser: TestBrowser, options: OpenOptions = {}): Promise<Opened> {
	const api = await startTestApi(options.environment);
	const context = await browser.newContext(options.context);
	const page = await context.newPage();
	const seen = watchPage(page, api.url);
	onTestFinished(async () => {
		await context.close();
		expect(seen.take()).toEqual({ foreign: [], errors: [] });
	});
	await page.goto(`${api.url}/${options.hash ?? ''}`);
	const tile = (name: string) => page.locator('.tile').filter({ has: page.getByText(name, { exact: true }) });
	return {
		api,
		page,
		choose: (...files) =>
			page.setInputFiles(
				'#files',
				files.map(([name, buffer]) => ({ name, buffer, mimeType: 'application/octet-stream' })),
			),
		tile,
		untilTile: (name, state) =>
			tile(name)
				.and(page.locator(`[data-state=${state}]`))
				.waitFor({ state: 'visible', timeout: 30_000 }),
		takeErrors() {
			const { foreign, errors } = seen.take();
			expect(foreign).toEqual([]);
			return errors;
		},
	};
}

/** Pixels of what an image has loaded; 0 before, and for good when it could not be. */
export function naturalWidth(image: Locator): Promise<number> {
	return image.evaluate((element: { naturalWidth: number }) => element.naturalWidth);
}

/** Does what `await` on one of Playwright's waits does, for anything that can be asked. */
export function eventually<T>(ask: () => Promise<T> | T) {
	return expect.poll(ask, { timeout: 20_000, interval: 50 });
}
