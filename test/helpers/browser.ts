import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const executablePath = process.env.CHROME_PATH ?? '/usr/bin/chromium';

/** What one test file has opened in the browser. */
export interface TestBrowser extends Pick<Browser, 'newContext' | 'newPage'> {
	/** Closes all of it. */
	close(): Promise<void>;
}

/** One for all test files of this process: a start takes a second of CPU time. It ends with the process. */
let running: Promise<Browser> | undefined;

/** Chromium may never answer when a page is closed while it loads itself again, milliseconds. */
const patience = 5_000;

/**
 * A real headless Chromium. The caller closes what it has opened.
 *
 * @throws Error that explains how to install one
 */
export async function openBrowser(): Promise<TestBrowser> {
	running ??= launch();
	const started = running;
	const browser = await started;
	const contexts: BrowserContext[] = [];
	const newContext = async (options?: BrowserContextOptions) => {
		const context = await browser.newContext(options);
		contexts.push(context);
		return context;
	};
	return {
		newContext,
		newPage: async (options) => (await newContext(options)).newPage(),
		async close() {
			const closed = Promise.all(contexts.splice(0).map((context) => context.close()));
			if ((await Promise.race([closed, sleep(patience, 'late')])) !== 'late') return;
			// The next file gets a new one.
			if (running === started) running = undefined;
			await browser.close();
		},
	};
}

async function launch(): Promise<Browser> {
	if (!existsSync(executablePath)) {
		throw new Error(
			`Expected Chromium at ${executablePath}: install it (Debian: apt-get install chromium) or set CHROME_PATH.`,
		);
	}
	const browser = await chromium.launch({
		executablePath,
		args: [
			// Root in a container has no sandbox; only our own pages are opened.
			'--no-sandbox',
			'--disable-gpu',
			'--disable-quic',
			'--no-first-run',
			// Chromium's own requests would hide those of a page.
			'--disable-background-networking',
			'--disable-component-update',
			'--disable-sync',
		],
	});
	browser.on('disconnected', () => {
		running = undefined;
	});
	return browser;
}

/** Things that a test expects a page not to do. */
interface Problems {
	/** URLs requested from any server other than the page's own. */
	foreign: string[];
	/** Uncaught errors, failed requests and console errors, including violations of the content security policy. */
	errors: string[];
}

export interface Watched {
	/** The problems since the last call. */
	take(): Problems;
}

/** @param origin of the server that the page may talk to, such as `http://127.0.0.1:9000` */
export function watchPage(page: Page, origin: string): Watched {
	let foreign: string[] = [];
	let errors: string[] = [];
	page.on('request', (request) => {
		const url = new URL(request.url());
		// These stay inside the browser.
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
