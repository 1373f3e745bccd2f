import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { randomNumbers } from '../../scripts/random-numbers.ts';
import { smallFile } from '../../src/client/send.ts';
import { json, startTestApi, type TestApi } from '../helpers/api.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { startKeyedApi } from '../helpers/keys.ts';
import { cut, photograph, withComment } from '../helpers/pictures.ts';
import { PicpipeProcess, runPicpipe } from '../helpers/processes.ts';
import { breakingLine, slowLine } from '../helpers/tus.ts';

let bytes: Buffer;
/** Large enough to be sent in pieces. */
let large: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
	const noise = randomNumbers(5);
	// What follows the end of a JPEG is no part of the picture.
	const tail = Buffer.from(Array.from({ length: 64 * 1024 }, () => Math.floor(noise() * 256)));
	large = Buffer.concat([bytes, ...Array<Buffer>(Math.ceil((1.5 * smallFile) / tail.length)).fill(tail)]);
});

/** A folder with a home for what is remembered. */
async function workplace() {
	const folder = await temporaryFolder();
	const photos = join(folder, 'photos');
	await mkdir(photos);
	const state = join(folder, 'state');
	const optionsFor = (args: readonly string[], environment: Record<string, string | undefined> = {}) => ({
		folder,
		command: 'upload' as const,
		arguments: args,
		environment: { XDG_STATE_HOME: state, ...environment },
	});
	return {
		photos,
		put: async (name: string, content: Buffer) => {
			await writeFile(join(photos, name), content);
			return join(photos, name);
		},
		remembered: () => readdir(join(state, 'picpipe/uploads')).catch(() => []),
		run: (args: readonly string[], environment?: Record<string, string>) => runPicpipe(optionsFor(args, environment)),
		start(args: readonly string[]) {
			const picpipe = new PicpipeProcess(optionsFor(args));
			onTestFinished(() => picpipe.destroy());
			return picpipe;
		},
	};
}

async function picturesOf(api: Pick<TestApi, 'url'>, headers: Record<string, string> = {}) {
	return (await json(await fetch(`${api.url}/v1/pictures?view=full`, { headers }))).pictures;
}

describe('picpipe upload', () => {
	it('sends files, folders and URLs, and shows the result of each', async () => {
		const api = await startTestApi();
		const { photos, put, run, remembered } = await workplace();
		await mkdir(join(photos, 'deep/er'), { recursive: true });
		await put('deep/er/ä 1.jpg', bytes);
		await put('deep/notes.txt', Buffer.from('no picture'));
		await put('large.jpg', large);
		const address = 'https://pictures.example.org/a.jpg?signature=1';
		const { code, output } = await run([
			...[photos, address, '--api', api.url, '--recipe', 'avatar'],
			...['--tags', 'a,am Meer', '--tags', 'c', '--priority', '7'],
			...['--meta', 'photo by=Ana = Bo', '--meta', 'größe='],
		]);
		expect(code, output).toBe(0);
		expect(output).toContain('3 of 3 pictures');
		const pictures = await picturesOf(api);
		expect(pictures).toHaveLength(3);
		for (const picture of pictures) {
			expect(picture).toMatchObject({ recipe: { name: 'avatar' }, tags: ['a', 'am Meer', 'c'], priority: 7 });
			expect(picture.meta).toEqual({ 'photo by': 'Ana = Bo', größe: '' });
			expect(output).toMatch(new RegExp(`${picture.id} +queued`));
		}
		expect(pictures.map(({ source }: { source: { filename: string } }) => source.filename).sort()).toEqual([
			'a.jpg',
			'large.jpg',
			'ä 1.jpg',
		]);
		const sha256 = createHash('sha256').update(large).digest('hex');
		expect(pictures.filter(({ source }: { source: { sha256: string } }) => source.sha256 === sha256)).toHaveLength(1);
		expect(await remembered()).toEqual([]);
	});

	it('continues after a refusal, reports it, and exits with 1; the next run sends only the rest', async () => {
		const api = await startTestApi({ PICPIPE_MAX_BYTES: String(bytes.length + 100) });
		const { photos, put, run } = await workplace();
		await put('good.jpg', bytes);
		const text = await put('text.jpg', Buffer.from('no picture'));
		const tooLarge = await put('too-large.jpg', large);
		const args = [photos, text, tooLarge, '--api', api.url];
		const first = await run(args);
		expect(first.code).toBe(1);
		expect(first.output).toContain('1 of 3 pictures');
		expect(first.output).toMatch(/refused: .*text\.jpg: Expected a picture .*\(unsupported-type\)/);
		expect(first.output).toMatch(/refused: .*too-large\.jpg: Expected at most \d+ bytes .*\(file-too-large\)/);
		const second = await run([...args, '--json']);
		const results = JSON.parse(second.output.slice(second.output.indexOf('[\n')).replace(/\n\][\s\S]*/, '\n]'));
		expect(results).toMatchObject([
			{ name: join(photos, 'good.jpg'), state: 'queued', isFromBefore: true },
			{ name: tooLarge, state: 'refused', problem: { code: 'file-too-large' } },
			{ name: text, state: 'refused', problem: { code: 'unsupported-type' } },
		]);
		expect(await picturesOf(api)).toHaveLength(1);
		await put('text.jpg', withComment(bytes, 'now it is one'));
		await run([photos, text, '--api', api.url]);
		expect(await picturesOf(api)).toHaveLength(2);
		// Without the one that is too large that run came to its end, and so the next one is another.
		await rm(tooLarge);
		await run([photos, '--api', api.url]);
		expect(await picturesOf(api)).toHaveLength(2);
		await run([photos, '--api', api.url]);
		expect(await picturesOf(api)).toHaveLength(4);
	});

	it('starts from the beginning with --fresh', async () => {
		const api = await startTestApi();
		const { photos, put, run } = await workplace();
		await put('good.jpg', bytes);
		const text = await put('text.jpg', Buffer.from('no picture'));
		for (let time = 0; time < 2; time++) await run([photos, text, '--api', api.url, '--fresh']);
		expect(await picturesOf(api)).toHaveLength(2);
	});

	it('resumes with the same command after an interruption', { timeout: 60_000 }, async () => {
		const api = await startTestApi();
		const { photos, put, start, run, remembered } = await workplace();
		for (let number = 0; number < 3; number++) await put(`${number}.jpg`, withComment(bytes, `number ${number}`));
		await put('large.jpg', large);
		const line = await slowLine(api.url, 4_000_000);
		const args = [photos, '--api', line.url, '--parallel', '1'];
		const first = start(args);
		await expect.poll(() => line.sent(), { timeout: 30_000, interval: 5 }).toBeGreaterThan(large.length / 2);
		first.kill('SIGINT');
		expect(await first.exited).toEqual({ code: 130, signal: null });
		expect(first.output).toContain('Interrupted. Run the same command again to resume.');
		expect(first.output).toMatch(/large\.jpg +unsent/);
		expect(await remembered()).toHaveLength(4);
		const before = line.sent();
		const second = await run(args);
		expect(second.code, second.output).toBe(0);
		expect(second.output).toContain('4 of 4 pictures');
		expect(second.output.match(/sent before/g)).toHaveLength(3);
		// Half of it was there, and the small ones were.
		expect(line.sent() - before).toBeLessThan(large.length * 0.7);
		expect(await picturesOf(api)).toHaveLength(4);
		expect(await remembered()).toEqual([]);
	});

	it('survives a broken connection, and creates no picture twice', { timeout: 60_000 }, async () => {
		const api = await startTestApi();
		const { photos, put, run } = await workplace();
		for (let number = 0; number < 4; number++) await put(`${number}.jpg`, withComment(bytes, `number ${number}`));
		await put('large.jpg', large);
		const random = randomNumbers(3);
		let connections = 0;
		const line = await breakingLine(api.url, () =>
			++connections % 3 === 0 ? undefined : 3_000 + Math.floor(random() * bytes.length),
		);
		const { code, output } = await run([photos, '--api', line.url, '--parallel', '2']);
		expect(code, output).toBe(0);
		expect(line.broken()).toBeGreaterThan(0);
		expect(await picturesOf(api)).toHaveLength(5);
	});

	it('waits as long as a busy API asks for', { timeout: 60_000 }, async () => {
		const { api, keys } = await startKeyedApi({
			one: { scopes: ['upload'], limits: { rate: { requests: 3, seconds: 2 } } },
			all: {},
		});
		const { photos, put, run } = await workplace();
		for (let number = 0; number < 7; number++) await put(`${number}.jpg`, withComment(bytes, `number ${number}`));
		const { code, output } = await run([photos, '--api', api.url], { PICPIPE_KEY: keys.one });
		expect(code, output).toBe(0);
		expect(output).toMatch(/Expected at most 3 requests .* Again in \d s\./);
		expect(await picturesOf(api, { authorization: `Bearer ${keys.all}` })).toHaveLength(7);
	});

	it('uses a key or an upload token from its environment', async () => {
		const { api, keys, ids, ask } = await startKeyedApi({ one: { scopes: ['upload'] }, all: {} });
		const { photos, put, run } = await workplace();
		await put('small.jpg', bytes);
		await put('large.jpg', large);
		const without = await run([photos, '--api', api.url]);
		expect([without.code, without.output]).toEqual([2, expect.stringContaining('(unauthorized)')]);
		const made = await ask('one', '/v1/upload-tokens', {
			method: 'POST',
			body: JSON.stringify({ tags: ['guest'] }),
			headers: { 'content-type': 'application/json' },
		});
		const { token } = await json(made);
		for (const key of [keys.one, token]) {
			const { code, output } = await run([photos], { PICPIPE_KEY: key, PICPIPE_URL: `${api.url}/` });
			expect(code, output).toBe(0);
			expect(output).not.toContain(key);
		}
		const pictures = await picturesOf(api, { authorization: `Bearer ${keys.all}` });
		expect(pictures.map(({ tags }: { tags: string[] }) => tags.length).sort()).toEqual([0, 0, 1, 1]);
		expect(pictures.map(({ owner }: { owner: string }) => owner)).toEqual(Array(4).fill(ids.one));
		// A key waits for what it uploaded; a token sees no pictures.
		const waiting = await run([photos, '--wait', '--api', api.url], { PICPIPE_KEY: token });
		expect([waiting.code, waiting.output]).toEqual([2, expect.stringContaining('(insufficient-scope)')]);
		await api.startWorker();
		const waited = await run([photos, '--wait', '--api', api.url], { PICPIPE_KEY: keys.one });
		expect(waited.code, waited.output).toBe(0);
	});

	it('waits for the pictures, and reports failed ones', { timeout: 60_000 }, async () => {
		const api = await startTestApi();
		await api.startWorker();
		const { photos, put, run } = await workplace();
		await put('good.jpg', bytes);
		const good = await run([photos, '--api', api.url, '--wait']);
		expect([good.code, good.output]).toEqual([0, expect.stringMatching(/good\.jpg +pic_\w+ +ready/)]);
		await put('half.jpg', cut(bytes, 50));
		const half = await run([photos, '--api', api.url, '--wait', '--duplicates', 'link']);
		expect(half.code).toBe(1);
		expect(half.output).toMatch(/good\.jpg +pic_\w+ +ready, was there/);
		expect(half.output).toMatch(/failed: .*half\.jpg: .*\(corrupt, corrupt-picture\)/);
	});

	it('names the variants that are missing or less than the recipe asks for', { timeout: 60_000 }, async () => {
		const { put, run } = await workplace();
		const encode = [{ webp: { effort: 0 } }];
		const variants = { whole: { encode: [...encode, { png: {} }] }, second: { page: 2, encode } };
		const recipes = await put('recipes.json', Buffer.from(JSON.stringify({ recipes: { both: { variants } } })));
		const api = await startTestApi({ PICPIPE_RECIPES: recipes });
		await api.startWorker();
		const long = sharp({ create: { width: 16_500, height: 100, channels: 3, background: '#336699' } });
		const file = await put('long.png', await long.png().toBuffer());
		const args = [file, '--api', api.url, '--recipe', 'both', '--wait'];
		const { code, output } = await run(args);
		expect(code).toBe(1);
		expect(output.match(/^(limited|failed): .*$/gm)).toEqual([
			expect.stringMatching(/^limited: .*long\.png, variant whole\.webp: .*16500 × 100 was scaled down to 16383 × 99/),
			expect.stringMatching(/^failed: .*long\.png, variant second: .* \(unsupported, no-such-page\)$/),
		]);
		const { output: shown } = await run([...args, '--json', '--duplicates', 'link']);
		expect(JSON.parse(shown.slice(shown.indexOf('[\n'), shown.lastIndexOf(']') + 1))).toMatchObject([
			{
				state: 'ready',
				limited: [{ variant: 'whole', format: 'webp', detail: expect.stringContaining('16383 × 99') }],
				failures: [{ variant: 'second', class: 'unsupported', code: 'no-such-page' }],
			},
		]);
	});

	it('reports a file that vanished before its turn', async () => {
		const api = await startTestApi();
		const { photos, put, start } = await workplace();
		await put('a.jpg', large);
		const gone = await put('b.jpg', bytes);
		const line = await slowLine(api.url, 8_000_000);
		const picpipe = start([photos, '--api', line.url, '--parallel', '1']);
		await expect.poll(() => line.sent(), { timeout: 30_000, interval: 5 }).toBeGreaterThan(100_000);
		await rm(gone);
		expect(await picpipe.exited).toEqual({ code: 1, signal: null });
		expect(picpipe.output).toMatch(/refused: .*b\.jpg: .*no such file.*\(unreadable\)/);
	});

	it('exits with 2 if nothing can be started', async () => {
		const api = await startTestApi();
		const { photos, put, run } = await workplace();
		await put('a.jpg', bytes);
		await put('b.jpg', bytes);
		const cases: [string[], RegExp][] = [
			[[], /missing required argument 'sources'/],
			[[photos, '--colour', 'red'], /unknown option '--colour'/],
			[[join(photos, 'none.jpg'), '--api', api.url], /none\.jpg does not exist/],
			[[photos, '--api', api.url, '--parallel', '0'], /--parallel: expected an integer from 1 to 64/],
			[[photos, '--api', api.url, '--meta', 'x'], /--meta: expected a name, = and a value but received "x"/],
			[[photos, '--api', 'elsewhere'], /PICPIPE_URL: expected a URL/],
			[[photos, '--api', 'http://127.0.0.1:9'], /There is no picpipe at http:\/\/127\.0\.0\.1:9/],
			[[photos, '--api', api.url, '--recipe', 'none'], /\(unknown-recipe\)/],
			[[photos, '--api', api.url, '--tags', '!'], /\(invalid-field\)/],
			[[photos, '--api', api.url, '--meta', '__proto__=x'], /\(invalid-field\)/],
		];
		for (const [args, problem] of cases) {
			const { code, output } = await run(args);
			expect([args.slice(1), code, output]).toEqual([args.slice(1), 2, expect.stringMatching(problem)]);
		}
		expect(await picturesOf(api)).toEqual([]);
	});
});
