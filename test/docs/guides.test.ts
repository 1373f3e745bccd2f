import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorTable } from '../../src/errors.ts';
import { form, json, startTestApi, untilFinished } from '../helpers/api.ts';
import { openBrowser, watchPage } from '../helpers/browser.ts';
import { bytesOf } from '../helpers/delivery.ts';
import { bearer } from '../helpers/keys.ts';
import { photograph } from '../helpers/pictures.ts';
import { PicpipeProcess } from '../helpers/processes.ts';
import { readGuide } from './guide.ts';

/*
 * Runs the guides: their commands, programs and recipes as they stand, in this order, against one `picpipe start`. Only ports and folders are
 * exchanged, and npm installs nothing, because the packages are here already.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const guides = {
	start: readGuide('getting-started'),
	uploads: readGuide('browser-uploads'),
	recipes: readGuide('recipes'),
	urls: readGuide('signed-urls'),
	webhooks: readGuide('webhooks'),
	production: readGuide('production'),
};
/** What stands in the guides for the id of a reader's picture. */
const exampleId = 'pic_01kbpx5c9ye8kr5pm3v1kxkq0a';

/** Where a reader would be: the folder of the checkout, and that of a site, in one. */
let folder: string;
let data: string;
let picpipe: PicpipeProcess;
let api: string;
let sitePort: number;
let receiverPort: number;
/** The API key of the site that visitors upload from. */
let siteKey: string;
const programs: ChildProcess[] = [];
/** What the shell of the reader knows. */
const shell: Record<string, string> = {};

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'pp-'));
	data = join(folder, 'data');
	[sitePort, receiverPort] = [await freePort(), await freePort()];
	await mkdir(join(folder, 'examples'));
	// The same picture, but smaller: it is encoded as AVIF, too.
	const lighthouse = sharp(join(root, 'examples/lighthouse.jpg')).resize(600);
	await lighthouse.jpeg().toFile(join(folder, 'examples/lighthouse.jpg'));
	await symlink(join(root, 'examples/logo.png'), join(folder, 'examples/logo.png'));
	// What `npm install` of the guides brings.
	await mkdir(join(folder, 'node_modules/.bin'), { recursive: true });
	for (const name of ['@uppy', 'dropzone', 'esbuild', 'filepond', 'standardwebhooks', '.bin/esbuild']) {
		await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
	}
	await symlink(root, join(folder, 'node_modules/picpipe'));
	await mkdir(join(folder, 'bin'));
	const program = `#!/bin/sh\nexec node ${join(root, 'dist/bin/cli.js')} "$@"\n`;
	await writeFile(join(folder, 'bin/picpipe'), program, { mode: 0o755 });
	const presets = guides.urls.take('presets:');
	await writeFile(join(folder, 'recipes.yaml'), `${guides.recipes.all('yaml').join('')}${presets}`);

	Object.assign(
		shell,
		await variablesAfter(guides.webhooks.take('export WEBHOOK_SECRET')),
		await variablesAfter(guides.recipes.take('export PICPIPE_RECIPES').replace(/^picpipe.*$/m, 'npm start')),
		await variablesAfter(guides.urls.take('export PICPIPE_DELIVERY_KEYS')),
	);
	const settings = {
		...shell,
		...(await variablesAfter(guides.webhooks.take('export PICPIPE_WEBHOOK_URL'))),
		...(await variablesAfter(guides.uploads.take('PICPIPE_CORS_ORIGINS'))),
	};
	expect(Object.keys(settings).sort()).toEqual([
		'PICPIPE_ASSETS',
		'PICPIPE_CORS_ORIGINS',
		'PICPIPE_DELIVERY_KEYS',
		'PICPIPE_RECIPES',
		'PICPIPE_WEBHOOK_NETWORKS',
		'PICPIPE_WEBHOOK_PORTS',
		'PICPIPE_WEBHOOK_SECRETS',
		'PICPIPE_WEBHOOK_URL',
		'WEBHOOK_SECRET',
	]);
	picpipe = new PicpipeProcess({
		folder: data,
		run: { program: process.execPath, arguments: [join(root, 'dist/bin/cli.js'), 'start'], cwd: folder },
		environment: { ...settings, PICPIPE_IPX: 'true', PICPIPE_KEYS_SECONDS: '1' },
	});
	({ api } = await picpipe.ready());
}, 120_000);

afterAll(async () => {
	for (const program of programs) program.kill();
	await picpipe?.stop();
	await picpipe?.destroy();
	await rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

async function freePort(): Promise<number> {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	server.close();
	await once(server, 'close');
	return port;
}

/** With the ports of this test. */
function here(text: string): string {
	return text
		.replaceAll('http://127.0.0.1:3000', api)
		.replaceAll('http://127.0.0.1:8080', `http://127.0.0.1:${sitePort}`)
		.replaceAll(/\b8081\b/g, String(receiverPort));
}

/** Runs commands as a reader would. @returns standard output */
async function run(commands: string): Promise<string> {
	const environment = { ...process.env, ...shell, PICPIPE_URL: api, PICPIPE_DATA: data };
	const path = `${join(folder, 'bin')}:${process.env.PATH}`;
	const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', here(commands)], {
		cwd: folder,
		env: { ...environment, PATH: path },
	});
	return stdout;
}

/** The settings that picpipe, or a program of the guide, would be started with. */
async function variablesAfter(commands: string): Promise<Record<string, string>> {
	const shown = 'show() { env -0 | grep -zE "^(PICPIPE_[A-Z_]+|WEBHOOK_SECRET)="; }';
	const instead = `${shown}; npm() { if [ "$1" = start ]; then show; fi; }; node() { show; }`;
	const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', `${instead}\n${here(commands)}`], {
		env: { PATH: process.env.PATH, ...shell },
	});
	const pairs = stdout.split('\0').filter((line) => line !== '');
	return Object.fromEntries(pairs.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** Writes a program of a guide, starts it, and waits for its first line. @returns what it has written so far */
async function start(name: string, text: string, port: number): Promise<() => string> {
	await writeFile(join(folder, name), here(text));
	const program = spawn(process.execPath, [name], {
		cwd: folder,
		env: { ...process.env, ...shell, PICPIPE_URL: api, PORT: String(port) },
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	programs.push(program);
	let output = '';
	program.stdout.on('data', (chunk) => {
		output += chunk;
	});
	await expect.poll(() => output).toContain(`http://127.0.0.1:${port}\n`);
	return () => output;
}

async function upload(name: string, bytes: Buffer, recipe: string) {
	const created = await json(
		await fetch(`${api}/v1/pictures`, { method: 'POST', body: form([[name, bytes]], ['recipe', recipe]) }),
	);
	const picture = await untilFinished({ url: api }, created.id);
	expect(picture, JSON.stringify(picture)).toMatchObject({ state: 'ready' });
	const variant = async (variantName: string) =>
		bytesOf(await fetch(`${api}/v1/pictures/${picture.id}/variants/${variantName}`));
	return { picture, variant };
}

/** A variant's pixels, with opacity. */
async function pixelsOf(bytes: Buffer) {
	const { data: pixels, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
	return (x: number, y: number) => [...pixels.subarray((y * info.width + x) * 4, (y * info.width + x) * 4 + 4)];
}

describe('getting started', () => {
	it('runs picpipe from a checkout', async () => {
		const guide = guides.start;
		const { stdout } = await promisify(execFile)('bash', ['-c', guide.take('npx picpipe --help')], { cwd: root });
		expect(stdout).toContain('Usage: picpipe');
		const alias = `shopt -s expand_aliases\n${guide.take('alias picpipe')}picpipe --version`;
		const version = await promisify(execFile)('bash', ['-c', alias], { cwd: root });
		expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
		expect(await variablesAfter(guide.take('PICPIPE_PORT=8000'))).toMatchObject({
			PICPIPE_PORT: '8000',
			PICPIPE_DATA: '/srv/picpipe',
		});
		expect(guide.take('npm start\n')).toBe('npm start\n');
	});

	it('uploads a picture, and fetches a variant', async () => {
		const guide = guides.start;
		const picture = JSON.parse(await run(guide.take('curl -F file=@examples/lighthouse.jpg')));
		expect(picture).toMatchObject({ state: 'ready', recipe: { name: 'web' } });
		expect(picture.variants).toHaveLength(4);
		await run(guide.take('curl -o large.webp').replace(exampleId, picture.id));
		expect(await sharp(join(folder, 'large.webp')).metadata()).toMatchObject({ format: 'webp', width: 600 });
		expect(await run(guide.take('picpipe upload'))).toMatch(/examples\/lighthouse\.jpg +.*ready/);
	});
});

describe('recipes from scratch', () => {
	it('can be tried without a server', async () => {
		await run(guides.recipes.take('picpipe process'));
		const made = ['avif', 'jpg', 'webp'].flatMap((extension) =>
			['large', 'medium', 'small'].map((name) => `lighthouse-${name}.${extension}`),
		);
		expect((await readdir(join(folder, 'made'))).sort()).toEqual(made.sort());
	});

	it('make responsive images and their element', async () => {
		const { picture, variant } = await upload('a.jpg', await photograph({ width: 640, height: 480 }), 'blog');
		for (const [name, width] of [
			['large', 640],
			['medium', 640],
			['small', 480],
		] as const) {
			for (const [format, decoder] of [
				['avif', 'heif'],
				['webp', 'webp'],
				['jpeg', 'jpeg'],
			] as const) {
				const facts = await sharp(await variant(`${name}.${format}`)).metadata();
				expect(facts).toMatchObject({ format: decoder, width, height: (width * 3) / 4 });
			}
		}
		expect(picture.analysis.element).toMatch(/^<picture><source type="image\/avif" srcset="[^"]+ 480w, [^"]+ 640w/);
		expect(picture.analysis.element).toContain('background: url(data:image/webp;base64,');
	});

	it('put a product on white, with a watermark', async () => {
		const product = await photograph({ width: 400, height: 300 });
		const white = { r: 255, g: 255, b: 255 };
		const photographed = await sharp(product)
			.extend({ top: 200, bottom: 60, left: 150, right: 150, background: white })
			.png()
			.toBuffer();
		const { variant } = await upload('b.png', photographed, 'shop');
		for (const format of ['webp', 'jpeg']) {
			const main = await variant(`main.${format}`);
			expect(await sharp(main).metadata()).toMatchObject({ format, width: 1200, height: 1200 });
			const at = await pixelsOf(main);
			for (const [x, y] of [
				[20, 20],
				[90, 600],
				[600, 215],
				[600, 985],
			] as const) {
				expect(Math.min(...at(x, y)), `white at ${x}, ${y}`).toBeGreaterThan(245);
			}
			// The product is 1000 × 750, in the middle.
			for (const [x, y] of [
				[110, 600],
				[1090, 600],
				[600, 235],
				[600, 965],
			] as const) {
				expect(Math.min(...at(x, y)), `product at ${x}, ${y}`).toBeLessThan(235);
			}
			// The red dot of the logo, which lies 3 % from the right bottom and is 240 pixels wide.
			const [red = 0, green = 0] = at(1200 - 36 - 240 + 42, 1200 - 36 - 40);
			expect(red - green).toBeGreaterThan(60);
		}
		expect(await sharp(await variant('thumb')).metadata()).toMatchObject({ format: 'webp', width: 240, height: 240 });
	});

	it('make a square and a round avatar', async () => {
		const { variant } = await upload('c.jpg', await photograph({ width: 400, height: 600 }), 'profile');
		expect(await sharp(await variant('square')).metadata()).toMatchObject({ format: 'webp', width: 512, height: 512 });
		for (const format of ['webp', 'png']) {
			const round = await variant(`round.${format}`);
			expect(await sharp(round).metadata()).toMatchObject({ format, width: 128, height: 128 });
			const at = await pixelsOf(round);
			expect([at(2, 2)[3], at(125, 125)[3], at(64, 64)[3]]).toEqual([0, 0, 255]);
		}
	});

	it('make a social card with text on a dark background', async () => {
		const grey = await sharp({ create: { width: 800, height: 800, channels: 3, background: '#bbbbbb' } })
			.png()
			.toBuffer();
		const { variant } = await upload('d.png', grey, 'card');
		const card = await variant('card');
		expect(await sharp(card).metadata()).toMatchObject({ format: 'jpeg', width: 1200, height: 630 });
		const at = await pixelsOf(card);
		expect(at(600, 100)[0]).toBeGreaterThan(170);
		expect(at(1100, 620)[0]).toBeLessThan(90);
		const lettering = sharp(card).extract({ left: 48, top: 530, width: 320, height: 60 });
		const { channels } = await lettering.greyscale().stats();
		expect(channels[0]?.max).toBeGreaterThan(240);
	});

	it('make an animated WebP from a GIF, and a still', async () => {
		const frames = await Promise.all(
			['#ff0000', '#00ff00', '#0000ff'].map((background) =>
				sharp({ create: { width: 64, height: 48, channels: 3, background } })
					.png()
					.toBuffer(),
			),
		);
		const gif = await sharp(frames, { join: { animated: true } })
			.gif()
			.toBuffer();
		const { variant } = await upload('e.gif', gif, 'clip');
		const animation = await sharp(await variant('animation'), { animated: true }).metadata();
		expect(animation).toMatchObject({ format: 'webp', width: 64, pageHeight: 48, pages: 3 });
		const still = await variant('still');
		expect(await sharp(still).metadata()).toMatchObject({ format: 'jpeg', width: 64, height: 48 });
		expect((await pixelsOf(still))(32, 24)[0]).toBeGreaterThan(230);
	});

	it('make a lossless archive copy, and a preview with its owner', async () => {
		const original = await photograph({ width: 320, height: 240, gps: true });
		const { picture, variant } = await upload('f.jpg', original, 'master');
		const lossless = await variant('lossless');
		const facts = await sharp(lossless).metadata();
		expect(facts).toMatchObject({ format: 'png', width: 320, height: 240 });
		expect(facts.exif?.includes('Picpipe Camera Works')).toBe(true);
		const raw = (bytes: Buffer) => sharp(bytes).removeAlpha().raw().toBuffer();
		expect((await raw(lossless)).equals(await raw(original))).toBe(true);
		const preview = await variant('preview');
		expect(await sharp(preview).metadata()).toMatchObject({ format: 'webp', width: 320 });
		expect(preview.toString('utf8')).toContain('2026 Example Ltd');
		expect(picture.analysis.phash).toMatch(/^[0-9a-f]{16}$/);
	});
});

describe('webhooks', () => {
	it('reach the receiver, which verifies them and handles each once', async () => {
		const guide = guides.webhooks;
		const output = await start('receiver.mjs', guide.file('receiver.mjs'), receiverPort);
		const { id } = JSON.parse(await run(guide.take('curl -F file=@examples/lighthouse.jpg')));
		await expect
			.poll(output, { timeout: 30_000 })
			.toContain(`${id} is ready: /v1/pictures/${id}/variants/large.webp /v1/pictures/${id}/`);
		const tested = JSON.parse(await run(guide.take('/v1/webhooks/setting/test')));
		expect(tested).toMatchObject({ type: 'webhook.test' });
		const delivery = async () => json(await fetch(new URL(tested.links.self, api)));
		await expect.poll(async () => (await delivery()).state, { timeout: 30_000 }).toBe('delivered');
		const url = `http://127.0.0.1:${receiverPort}/picpipe`;
		const body = JSON.stringify({ type: 'picture.deleted', data: { id: 'pic_gone' } });
		const send = (secret: string) => {
			const headers = {
				'webhook-id': 'msg_1',
				'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
				'webhook-signature': new Webhook(secret).sign('msg_1', new Date(), body),
			};
			return fetch(url, { method: 'POST', body, headers });
		};
		expect((await send(`whsec_${Buffer.alloc(32, 1).toString('base64')}`)).status).toBe(401);
		expect((await fetch(url, { method: 'POST', body })).status).toBe(401);
		expect(output()).not.toContain('pic_gone');
		for (let time = 0; time < 2; time++) expect((await send(shell.WEBHOOK_SECRET ?? '')).status).toBe(204);
		expect(output().split('pic_gone was deleted')).toHaveLength(2);
	});
});

describe('an API key', () => {
	/** The key that these commands end with. */
	const keyAfter = async (commands: string) =>
		(await run(`${commands}\nprintf '\n%s' "$PICPIPE_KEY"`)).split('\n').at(-1) ?? '';

	it('protects the API', async () => {
		const { start: guide, production, uploads } = guides;
		const output = await run(guide.take('export PICPIPE_KEY'));
		expect(JSON.parse(output).pictures.length).toBeGreaterThan(6);
		await expect.poll(async () => (await fetch(`${api}/v1/pictures`)).status).toBe(401);
		expect(await run(production.take('picpipe keys add --name shop'))).toMatch(/^picpipe_[\w-]+\n$/);
		expect(await run('picpipe keys list')).toMatch(/shop .*upload/);
		siteKey = await keyAfter(uploads.take('export PICPIPE_KEY'));
		shell.PICPIPE_KEY = await keyAfter('PICPIPE_KEY=$(picpipe keys add --name me --scope admin)');
		await expect
			.poll(async () => (await fetch(`${api}/v1/pictures`, { headers: bearer(shell.PICPIPE_KEY ?? '') })).status)
			.toBe(200);
	});

	it('registers a webhook without a restart', async () => {
		const endpoint = JSON.parse(await run(guides.webhooks.take('"events":[')));
		expect(endpoint).toMatchObject({ events: ['picture.ready'], secret: expect.stringMatching(/^whsec_/) });
	});
});

describe('signed URLs', () => {
	let id: string;
	const made = (commands: string) => run(commands.replaceAll(exampleId, id)).then((output) => output.trim());
	const program = async (name: string) => {
		await writeFile(join(folder, name), here(guides.urls.file(name)));
		return made(`node ${name} ${id}`);
	};
	/** Shown to everybody, and with another character in the signature to nobody. */
	async function expectSigned(url: string, facts: object, signature = /(?<=\/img\/)./) {
		const answer = await fetch(url);
		expect([url, answer.status]).toEqual([url, 200]);
		expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject(facts);
		const forged = await fetch(url.replace(signature, (first) => (first === 'A' ? 'B' : 'A')));
		expect([forged.status, (await json(forged)).code]).toEqual([403, 'invalid-signature']);
	}

	beforeAll(async () => {
		const answer = await fetch(`${api}/v1/pictures`, { headers: bearer(shell.PICPIPE_KEY ?? '') });
		const { pictures } = await json(answer);
		id = pictures.find(
			({ recipe, state }: { recipe: { name: string }; state: string }) => recipe.name === 'web' && state === 'ready',
		).id;
	});

	it('are created equally by each way of the guide', async () => {
		const guide = guides.urls;
		const url = await made(guide.take('picpipe sign rs:fill'));
		expect(url).toMatch(new RegExp(`^${api}/img/[\\w-]{43}/rs:fill:300:200/q:80/plain/${id}@webp$`));
		await expectSigned(url, { format: 'webp', width: 300, height: 200 });
		expect(JSON.parse(await made(guide.take('/v1/sign')))).toMatchObject({ url });
		expect(await program('sign.mjs')).toBe(url);
		expect(await made(guide.take('node sign.mjs'))).toBe(url);
		expect(await made(guide.take('openssl dgst'))).toBe(url);
		expect(await program('url.mjs')).toBe(url);
	});

	it('of IPX are created by its program', async () => {
		await expectSigned(await program('sign-ipx.mjs'), { format: 'webp', width: 300, height: 200 }, /(?<=\?s=)./);
	});

	it('serve variants and presets, choose the format, and expire', async () => {
		const guide = guides.urls;
		await expectSigned(await made(guide.take('variant:large')), { format: 'webp', width: 600 });
		await expectSigned(await made(`picpipe sign pr:card ${id} --format webp`), {
			format: 'webp',
			width: 300,
			height: 200,
		});
		const auto = await made(`picpipe sign w:100 ${id} --format auto`);
		const chosen = await fetch(auto, { headers: { accept: 'image/webp,*/*' } });
		expect([chosen.headers.get('content-type'), chosen.headers.get('vary')]).toEqual(['image/webp', 'Accept']);
		const expiring = await made(guide.take('--expires 3600'));
		expect(expiring).toMatch(/\/exp:\d{10}\/plain\//);
		await expectSigned(expiring, { format: 'jpeg' });
		const past = await fetch(await made(`picpipe sign w:100/exp:1700000000 ${id}`));
		expect([past.status, (await json(past)).code]).toEqual([410, 'url-expired']);
	});
});

describe('uploads from a browser', () => {
	it('go from the page to picpipe, with an upload token of the server', async () => {
		const guide = guides.uploads;
		const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
		const commands = guide.take('npx esbuild upload.js').split('\n');
		expect(commands[0]).toBe(
			`npm install ${['@uppy/core', '@uppy/tus', 'esbuild'].map((name) => `${name}@${devDependencies[name]}`).join(' ')}`,
		);
		for (const name of ['index.html', 'upload.js']) await writeFile(join(folder, name), here(guide.file(name)));
		await run(commands[1] ?? '');
		const adminKey = shell.PICPIPE_KEY ?? '';
		shell.PICPIPE_KEY = siteKey;
		await start('server.mjs', guide.file('server.mjs'), sitePort);
		shell.PICPIPE_KEY = adminKey;

		const browser = await openBrowser();
		try {
			const page = await browser.newPage();
			const seen = watchPage(page, `http://127.0.0.1:${sitePort}`);
			await page.goto(`http://127.0.0.1:${sitePort}/`);
			const files = await Promise.all(
				[11, 12].map(async (seed) => ({
					name: `${seed}.jpg`,
					mimeType: 'image/jpeg',
					buffer: await photograph({ width: 320, height: 240, seed }),
				})),
			);
			await page.setInputFiles('#files', files);
			for (const { name, buffer } of files) {
				const row = page.locator('li').filter({ hasText: name });
				await row.getByText(/Uploaded as pic_/).waitFor({ timeout: 30_000 });
				const id = /pic_\w+/.exec((await row.textContent()) ?? '')?.[0];
				const picture = await json(await fetch(`${api}/v1/pictures/${id}`, { headers: bearer(adminKey) }));
				expect(picture).toMatchObject({
					recipe: { name: 'web' },
					tags: ['visitor'],
					source: { bytes: buffer.length, filename: name },
				});
			}
			const { foreign, errors } = seen.take();
			expect(errors).toEqual([]);
			expect(foreign.length).toBeGreaterThan(2);
			expect(foreign.filter((url) => !url.startsWith(`${api}/v1/uploads`))).toEqual([]);

			// Dropped, and no picture: the page shows why picpipe refuses it.
			const dataTransfer = await page.evaluateHandle(`(() => {
				const transfer = new DataTransfer();
				transfer.items.add(new File(['just words, and enough of them to tell'], 'words.png', { type: 'image/png' }));
				return transfer;
			})()`);
			await page.dispatchEvent('#drop', 'drop', { dataTransfer });
			const refused = page.locator('li').filter({ hasText: 'words.png' });
			await refused.getByText(errorTable['unsupported-type'].title).waitFor({ timeout: 30_000 });
			await page.close();
		} finally {
			await browser.close();
		}
	});
});

describe('other widgets', () => {
	it('upload with their defaults, as a plain form does, and keep metadata', async () => {
		const guide = guides.uploads;
		const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
		const packages = ['@uppy/xhr-upload', 'filepond', 'dropzone'].map((name) => `${name}@${devDependencies[name]}`);
		expect(guide.take('npm install @uppy/xhr-upload')).toBe(`npm install ${packages.join(' ')}\n`);
		const bundles = guide.take('npx esbuild uppy-xhr.js').trim().split('\n');
		const site = `http://127.0.0.1:${sitePort}`;
		const browser = await openBrowser();
		try {
			for (const [at, name] of ['uppy-xhr', 'filepond', 'dropzone'].entries()) {
				await writeFile(join(folder, `${name}.js`), here(guide.file(`${name}.js`)));
				await run(bundles[at] ?? '');
				const page = await browser.newPage();
				const seen = watchPage(page, site);
				await page.goto(`${site}/`, { waitUntil: 'networkidle' });
				const buffer = await photograph({ width: 320, height: 240, seed: 20 + at });
				const file = { name: `${name}.jpg`, mimeType: 'image/jpeg', buffer };
				// Each has an input of its own; Dropzone's is the last one of the page.
				await page.locator('input[type=file]').last().setInputFiles(file);
				const row = page.locator('#list li');
				await row.getByText(/\.jpg: pic_/).waitFor({ timeout: 30_000 });
				await expectUploaded((await row.textContent()) ?? '', file);
				expect(seen.take().errors).toEqual([]);
				await page
					.locator('input[type=file]')
					.last()
					.setInputFiles({ ...file, name: 'words.jpg', buffer: Buffer.from('just words, and enough of them to tell') });
				await row.getByText(errorTable['unsupported-type'].title).waitFor({ timeout: 30_000 });
				await page.close();
			}
			const page = await browser.newPage();
			await page.goto(`${site}/`);
			const { token } = await json(await fetch(`${site}/upload-token`, { method: 'POST' }));
			await page.setContent(here(guide.take('<form method="post"')).replace('TOKEN', token));
			const file = {
				name: 'form.jpg',
				mimeType: 'image/jpeg',
				buffer: await photograph({ width: 320, height: 240, seed: 30 }),
			};
			await page.setInputFiles('input[type=file]', file);
			await Promise.all([page.waitForURL(`${api}/**`), page.click('button')]);
			await expectUploaded((await page.textContent('pre')) ?? '', file);
		} finally {
			await browser.close();
		}
	});
});

/** The picture that a page shows the id of is that file, with what the page and the token say about it. */
async function expectUploaded(text: string, { name, buffer }: { readonly name: string; readonly buffer: Buffer }) {
	const id = /pic_\w{26}/.exec(text)?.[0];
	const picture = await json(await fetch(`${api}/v1/pictures/${id}`, { headers: bearer(shell.PICPIPE_KEY ?? '') }));
	expect(picture).toMatchObject({ tags: ['visitor'], source: { bytes: buffer.length, filename: name } });
	expect(picture.meta).toEqual({ album: 'Summer 2026', site: 'shop' });
}

describe('the production checklist', () => {
	it('has valid settings, and a backup that restores everything', async () => {
		const guide = guides.production;
		const there = (commands: string) =>
			commands.replaceAll('/backup', folder).replaceAll('/srv/picpipe', data).replaceAll('/srv', folder);
		const headers = bearer(shell.PICPIPE_KEY ?? '');
		const list = async () => (await json(await fetch(`${api}/v1/pictures?view=full&limit=50`, { headers }))).pictures;
		// As they are once all of them have ended.
		await expect
			.poll(async () => (await list()).filter(({ state }: { state: string }) => state !== 'ready'), { timeout: 30_000 })
			.toEqual([]);
		const pictures = await list();
		expect(executedBy(guide.file('/etc/systemd/system/picpipe.service'))).toBe('dist/bin/cli.js');
		await run(there(guide.take('tar --exclude')));
		await run(there(guide.take('tar -xzf')));
		expect(await readdir(join(folder, 'restored'))).not.toContain('redis');

		const settings = Object.fromEntries(
			guide
				.file('/etc/picpipe.env')
				.replace('<key>:<salt>', shell.PICPIPE_DELIVERY_KEYS ?? '')
				.replace('/etc/picpipe/recipes.yaml', join(folder, 'recipes.yaml'))
				.replace('/srv/picpipe', join(folder, 'restored'))
				.trim()
				.split('\n')
				.map((line) => line.split(/=(.*)/s, 2)),
		);
		// The test need not wait for a load balancer.
		const restored = await startTestApi({ ...settings, PICPIPE_DRAIN_SECONDS: '0' });
		expect((await fetch(`${restored.url}/v1/pictures`)).status).toBe(401);
		for (const { id, variants } of pictures) {
			const picture = await json(await fetch(`${restored.url}/v1/pictures/${id}`, { headers }));
			expect(picture).toMatchObject({ id, state: 'ready', variants });
			const { url } = picture.variants[0];
			const bytes = await bytesOf(await fetch(`${restored.url}${url}`, { headers }));
			expect(bytes.length).toBe(picture.variants[0].bytes);
		}
	});
});

it('the guides have no command or program that is not run here', () => {
	// Both need a system of the reader's own.
	guides.production.take('systemctl stop');
	guides.production.take('picpipe reprocess --stale\n');
	guides.webhooks.take('export PICPIPE_WEBHOOK_URL');
	expect(Object.values(guides).flatMap((guide) => guide.untaken())).toEqual([]);
});

/** What a unit of systemd runs with Node. */
function executedBy(unit: string): string | undefined {
	return /^ExecStart=\/usr\/bin\/node (\S+) start$/m.exec(unit)?.[1];
}
