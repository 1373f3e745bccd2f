import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openBrowser } from '../helpers/browser.ts';

/** How the picture that Chromium shows differs from ours. Channels are 0 to 255, over black and over white. */
interface Difference {
	/** Size of the file as Chromium shows it. */
	readonly shown: string;
	/** Size of our picture. */
	readonly ours: string;
	/** Mean difference of all channels. */
	readonly mean: number;
	/** Largest difference of a channel. */
	readonly most: number;
	/** Share of the pixels that differ by more than 8 in a channel, 0 to 1. */
	readonly far: number;
}

/** A browser that shows two files beside each other and compares their pixels. */
export interface SideBySide {
	/**
	 * @param type media type of the file
	 * @param png our picture
	 * @returns undefined if Chromium does not show the file
	 */
	compare(file: Buffer, type: string, png: Buffer): Promise<Difference | undefined>;
	close(): Promise<void>;
}

/** Starts Chromium with a page of its own server. The caller closes it. */
export async function openSideBySide(): Promise<SideBySide> {
	const script = await readFile(new URL('./compare.js', import.meta.url));
	const served = new Map<string, { readonly bytes: Buffer; readonly type: string }>([
		[
			'/',
			{
				bytes: Buffer.from('<!doctype html><title>Side by side</title><script src="/compare.js"></script>'),
				type: 'text/html',
			},
		],
		['/compare.js', { bytes: script, type: 'text/javascript' }],
	]);
	const server = createServer((request, response) => {
		const found = served.get(request.url ?? '');
		response.writeHead(found ? 200 : 404, {
			...(found && { 'content-type': found.type }),
			'cache-control': 'no-store',
		});
		response.end(found?.bytes);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const browser = await openBrowser();
	const page = await browser.newPage();
	await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
	let count = 0;
	return {
		async compare(bytes, type, png) {
			const [file, ours] = [`/file/${++count}`, `/ours/${count}`];
			served.set(file, { bytes, type }).set(ours, { bytes: png, type: 'image/png' });
			try {
				return await page.evaluate<Difference | undefined>(`compare('${file}', '${ours}')`);
			} finally {
				served.delete(file);
				served.delete(ours);
			}
		},
		async close() {
			await browser.close();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
