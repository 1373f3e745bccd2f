import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../../../src/http/listen.ts';
import { json, startTestApi } from '../../helpers/api.ts';
import { openBrowser, type TestBrowser } from '../../helpers/browser.ts';
import { bearer, startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';
import { endWithTest, shared } from '../../helpers/shared.ts';

/*
 * Upload widgets as npm installs them, with their default settings, in a real browser, on a page of another origin than the API's. Each with an
 * API key, with an upload token, and at an API without keys.
 */

const script = `
import Uppy from '@uppy/core';
import Tus from '@uppy/tus';
import XHRUpload from '@uppy/xhr-upload';
import Dropzone from 'dropzone';
import * as FilePond from 'filepond';

const fileOf = (base64, name = 'höhe 1.jpg') =>
	new File([Uint8Array.from(atob(base64), (one) => one.charCodeAt(0))], name, { type: 'image/jpeg' });
const element = (markup) => {
	document.body.innerHTML = markup;
	return document.body.firstElementChild;
};

async function uppy(plugin, options, [photo, other]) {
	const uppy = new Uppy().use(plugin, options);
	uppy.addFile({ name: 'höhe 1.jpg', type: 'image/jpeg', data: fileOf(photo) });
	if (other) uppy.addFile({ name: '2.jpg', type: 'image/jpeg', data: fileOf(other) });
	uppy.setMeta({ caption: 'Am Meer', order: 7 });
	const answers = [];
	// Tus has the answer to the last byte, XHRUpload its JSON.
	const headerOf = ({ xhr }) => ({ id: xhr.getResponseHeader('Picpipe-Picture') });
	uppy.on('upload-success', (_file, { body }) => answers.push(plugin === Tus ? headerOf(body) : body));
	const { failed } = await uppy.upload();
	return failed.length > 0 ? { error: failed[0].error } : answers[0];
}

globalThis.widgets = {
	uppyXhr: (url, headers, photos) => uppy(XHRUpload, { endpoint: url + '/v1/pictures', headers }, photos),
	uppyBundle: (url, headers, photos) => uppy(XHRUpload, { endpoint: url + '/v1/pictures', headers, bundle: true }, photos),
	uppyTus: (url, headers, photos) => uppy(Tus, { endpoint: url + '/v1/uploads', headers }, photos),

	filePond: (url, headers, [photo]) => new Promise((resolve) => {
		const input = element('<input type="file" />');
		const pond = FilePond.create(input, { server: { url: url + '/v1/pictures', process: { headers }, revert: { headers } } });
		globalThis.pond = pond;
		pond.on('processfile', (error, file) => resolve(error ? { error: error.body } : JSON.parse(file.serverId)));
		pond.addFile(fileOf(photo), { metadata: { caption: 'Am Meer', order: 7, crop: { zoom: 1 } } });
	}),
	revert: () => new Promise((resolve) => {
		globalThis.pond.on('removefile', () => resolve(globalThis.pond.getFiles().length));
		globalThis.pond.removeFile({ revert: true });
	}),

	dropzone: (url, headers, [photo]) => new Promise((resolve) => {
		const form = element(
			'<form class="dropzone" action="' + url + '/v1/pictures"><div class="fallback"><input name="file" type="file" multiple /></div>' +
				'<input type="hidden" name="caption" value="Am Meer" /><input name="order" value="7" />' +
				'<input type="submit" name="submit" value="Send" /></form>',
		);
		const zone = new Dropzone(form, { headers });
		zone.on('success', (_file, answer) => resolve(answer));
		zone.on('error', (_file, error) => resolve({ error }));
		zone.addFile(fileOf(photo));
	}),
	dropzoneChunks: (url, headers, [photo]) => new Promise((resolve) => {
		const zone = new Dropzone(element('<div></div>'), { url: url + '/v1/pictures', headers, chunking: true, chunkSize: 1000 });
		zone.on('success', (_file, answer) => resolve(answer));
		zone.on('error', (_file, error) => resolve({ error }));
		zone.addFile(fileOf(photo));
	}),
};
`;

let browser: TestBrowser;
let photos: readonly string[];
let bytes: Buffer;
beforeAll(async () => {
	browser = await openBrowser();
	const made = await Promise.all([1, 2].map((seed) => photograph({ width: 160, height: 120, seed })));
	photos = made.map((one) => one.toString('base64'));
	[bytes = Buffer.alloc(0)] = made;
});
afterAll(() => browser.close());

interface Access {
	readonly url: string;
	/** What the page sends. */
	readonly headers: { readonly authorization?: string };
	/** What reads the pictures. */
	readonly reader: { readonly authorization?: string };
	/** The meta that comes from the token. */
	readonly fixed: object;
}

const running = shared(async () => {
	const bundle = await build({
		stdin: { contents: script, resolveDir: import.meta.dirname, loader: 'js' },
		bundle: true,
		write: false,
		format: 'iife',
		logLevel: 'silent',
	});
	const site = await listen(
		(request, response) => {
			if (request.url === '/widgets.js')
				response.setHeader('content-type', 'text/javascript').end(bundle.outputFiles[0]?.text);
			else
				response
					.setHeader('content-type', 'text/html')
					.end('<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body></body>');
		},
		{ host: '127.0.0.1', port: 0, variable: 'PICPIPE_PORT' },
	);
	endWithTest(() => site.close());
	const environment = { PICPIPE_CORS_ORIGINS: site.address };
	const open = await startTestApi(environment);
	const { api, keys, ask } = await startKeyedApi(
		{ app: { scopes: ['upload'] }, reader: { scopes: ['read'] } },
		environment,
	);
	const made = await ask('app', '/v1/upload-tokens', {
		method: 'POST',
		body: JSON.stringify({ meta: { site: 'shop' }, maxPictures: 100 }),
		headers: { 'content-type': 'application/json' },
	});
	const { token } = await json(made);
	const reader = bearer(keys.reader);
	const access: Record<string, Access> = {
		'an API key': { url: api.url, headers: bearer(keys.app), reader, fixed: {} },
		'an upload token': { url: api.url, headers: bearer(token), reader, fixed: { site: 'shop' } },
		'no key at all': { url: open.url, headers: {}, reader: {}, fixed: {} },
	};
	return { site: site.address, access, token: String(token), keyed: api.url };
});

async function openSite(): Promise<Page> {
	const page = await browser.newPage();
	await page.goto(running().site);
	await page.addScriptTag({ url: '/widgets.js' });
	return page;
}

type Widget = 'uppyXhr' | 'uppyBundle' | 'uppyTus' | 'filePond' | 'dropzone' | 'dropzoneChunks';

/** Lets a widget upload. @returns what the page learns from the API */
async function uploadWith(page: Page, widget: Widget, { url, headers }: Pick<Access, 'url' | 'headers'>, count = 1) {
	return page.evaluate(
		// biome-ignore lint/suspicious/noExplicitAny: the page's own
		([name, ...given]) => (globalThis as any).widgets[name](...given),
		[widget, url, headers, photos.slice(0, count)] as const,
	);
}

describe.each(['an API key', 'an upload token', 'no key at all'])('with %s', (way) => {
	it.each<[Widget, string]>([
		['uppyXhr', 'XHRUpload of Uppy'],
		['uppyTus', 'Tus of Uppy'],
		['filePond', 'FilePond'],
		['dropzone', 'Dropzone'],
	])('%s uploads, and its metadata is kept', async (widget) => {
		const access = running().access[way] as Access;
		const page = await openSite();
		const answer = await uploadWith(page, widget, access);
		expect(answer).toMatchObject({ id: expect.stringMatching(/^pic_/) });
		const picture = await json(await fetch(`${access.url}/v1/pictures/${answer.id}`, { headers: access.reader }));
		expect(picture.source).toMatchObject({ filename: 'höhe 1.jpg', bytes: bytes.length });
		expect(picture.meta).toEqual({ caption: 'Am Meer', order: '7', ...access.fixed });
		await page.close();
	});

	it('Uppy uploads several files in one form', async () => {
		const access = running().access[way] as Access;
		const page = await openSite();
		const { pictures } = await uploadWith(page, 'uppyBundle', access, 2);
		expect(pictures.map(({ source }: { source: { filename: string } }) => source.filename)).toEqual([
			'höhe 1.jpg',
			'2.jpg',
		]);
		for (const { meta } of pictures) expect(meta).toEqual({ caption: 'Am Meer', order: '7', ...access.fixed });
		await page.close();
	});
});

describe('a page', () => {
	it('learns why it is refused: no key, or a chunk of a file', async () => {
		const { access, keyed } = running();
		const page = await openSite();
		const stranger = { url: keyed, headers: {} };
		const refused = await uploadWith(page, 'dropzone', stranger);
		expect(JSON.parse(refused.error)).toMatchObject({ status: 401, code: 'unauthorized' });
		const chunked = await uploadWith(page, 'dropzoneChunks', access['an API key'] as Access);
		expect(JSON.parse(chunked.error)).toMatchObject({
			code: 'invalid-field',
			detail: expect.stringContaining('tus client'),
		});
		await page.close();
	});

	it('can undo in FilePond, which leaves the picture here', async () => {
		const access = running().access['no key at all'] as Access;
		const page = await openSite();
		const { id } = await uploadWith(page, 'filePond', access);
		// biome-ignore lint/suspicious/noExplicitAny: the page's own
		expect(await page.evaluate(() => (globalThis as any).widgets.revert())).toBe(0);
		expect((await fetch(`${access.url}/v1/pictures/${id}`)).status).toBe(200);
		await page.close();
	});
});

describe('a plain form', () => {
	it.each(['with a token', 'without keys'])('uploads %s, and shows the answer', async (way) => {
		const { access, token, keyed } = running();
		const open = access['no key at all'] as Access;
		const action = way === 'with a token' ? `${keyed}/v1/pictures?token=${token}` : `${open.url}/v1/pictures`;
		const page = await openSite();
		const show = () =>
			page.setContent(`<form method="post" enctype="multipart/form-data" action="${action}">
				<input type="file" name="photo" id="photo"><input type="file" name="second">
				<textarea name="caption">Zwei\nZeilen</textarea>
				<input type="hidden" name="meta[site]" value="shop"><input type="hidden" name="_token" value="s3cret">
				<button name="submit" value="Send">Send</button>
			</form>`);
		const submit = async (name: string, buffer: Buffer) => {
			await show();
			await page.setInputFiles('#photo', { name, mimeType: 'image/jpeg', buffer });
			const [answer] = await Promise.all([page.waitForNavigation(), page.click('button')]);
			return { status: answer?.status(), shown: JSON.parse((await page.textContent('pre')) ?? '') };
		};
		const sent = await submit('b.jpg', bytes);
		expect(sent).toMatchObject({ status: 202, shown: { source: { filename: 'b.jpg' } } });
		expect(sent.shown.meta).toEqual({ caption: 'Zwei\r\nZeilen', site: 'shop' });
		await page.goto(running().site);
		const refused = await submit('c.jpg', Buffer.from('no picture, but words'));
		expect(refused).toMatchObject({ status: 415, shown: { code: 'unsupported-type' } });
		await page.close();
	});
});
