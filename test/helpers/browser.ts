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

/** What a test expects a page not to do. */
interface Problems {
	/** Addresses asked for on any other server than the page's own. */
	foreign: string[];
	/** Uncaught errors, failed requests, errors on the console; refusals of the content security policy are such. */
	errors: string[];
}

export interface Watched {
	/** What has gone wrong since the last time. */
	take(): Problems;
}

/** @param origin of the server that the page may talk to, such as `http://127.0.0.1:9000` */
export function watchPage(page: Page, origin: string): Watched {
	let foreign: string[] = [];
	let errors: string[] = [];
	page.on('request', (request) => {
		const url = new URL(request.url());
		// Those stay inside of the browser.
		if (!/^(data|blob|about):$/.test(url.protocol) && url.origin !== origin) foreign.push(url.href);
	});
	page.on('pageerror', (error) => errors.push(`uncaught: ${error.message}`));
	page.on('console', (message) => {
		if (message.type() === 'error') errors.push(`console: ${message.text()} (${message.location().url})`);
	});
	page.on('response', (response) => {
		if (response.status() >= 400) errors.push(`${response.status()}: ${response.url()}`);
	});
	return {
		take() {
			const taken = { foreign, errors };
			foreign = [];
			errors = [];
			return taken;
		},
	};
}
