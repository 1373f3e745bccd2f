import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const executablePath = process.env.CHROME_PATH ?? '/usr/bin/chromium';

/**
 * A real headless Chromium. The caller closes it.
 *
 * @throws Error that says how to get one
 */
export async function openBrowser(): Promise<Browser> {
	if (!existsSync(executablePath)) {
		throw new Error(
			`Expected Chromium at ${executablePath}: install it (Debian: apt-get install chromium) or set CHROME_PATH.`,
		);
	}
	return chromium.launch({
		executablePath,
		args: [
			// A container's root has no sandbox of its own; only our own pages are opened.
			'--no-sandbox',
			'--disable-gpu',
			'--disable-quic',
			'--no-first-run',
			// Chromium's own calls home, which would hide those of a page.
			'--disable-background-networking',
			'--disable-component-update',
			'--disable-sync',
		],
	});
}

/** What went wrong on a page, as lists that a test expects to be empty. */
export interface Watched {
	/** Addresses asked for on any other server than the page's own. */
	readonly foreign: string[];
	/** Uncaught errors, failed requests, errors on the console; refusals of the content security policy are such. */
	readonly errors: string[];
}

/** @param origin of the server that the page may talk to, such as `http://127.0.0.1:9000` */
export function watchPage(page: Page, origin: string): Watched {
	const foreign: string[] = [];
	const errors: string[] = [];
	page.on('request', (request) => {
		const url = new URL(request.url());
		// Those two stay inside of the browser.
		if (url.protocol !== 'data:' && url.protocol !== 'blob:' && url.origin !== origin) foreign.push(url.href);
	});
	page.on('pageerror', (error) => errors.push(`uncaught: ${error.message}`));
	page.on('console', (message) => {
		if (message.type() === 'error') errors.push(`console: ${message.text()} (${message.location().url})`);
	});
	page.on('response', (response) => {
		if (response.status() >= 400) errors.push(`${response.status()}: ${response.url()}`);
	});
	return { foreign, errors };
}
