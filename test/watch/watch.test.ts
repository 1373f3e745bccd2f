import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { folderOf, readManifest, writeManifest } from '../../src/catalog/manifest.ts';
import type { Picture } from '../../src/domain/picture.ts';
import { PicpipeError } from '../../src/errors.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { manifestId, manifestKey } from '../../src/storage/keys.ts';
import type { ImportContext } from '../../src/watch/import-file.ts';
import { openLedger } from '../../src/watch/ledger.ts';
import { type WatchCounts, type WatchOptions, watchFolder } from '../../src/watch/watch.ts';
import { listed } from '../contract/storage.ts';
import { connected } from '../helpers/connection.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { makeRecipe } from '../helpers/manifest.ts';
import { photograph } from '../helpers/pictures.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';

const log = createLogger('watch', process.env.TEST_LOG_LEVEL ?? 'silent');
const picture = (seed = 1) => photograph({ width: 64, height: 48, seed });
/** Quick, so that nobody waits long. */
const pace = { seconds: 0.05, settleSeconds: 0.2, concurrency: 2 };

async function open(change: Partial<ImportContext> = {}) {
	const redis = await connected();
	const prefix = freshPrefix();
	const storage = change.storage ?? (await watchedStorage());
	const folder = change.folder ?? (await temporaryFolder());
	const catalog = openCatalog(redis, prefix);
	await catalog.markComplete();
	const context: ImportContext = {
		storage,
		catalog,
		queues: openQueues(redis, { prefix, attempts: 1, retryDelay: 1 }),
		folder,
		ledger: openLedger(storage, folder),
		recipe: () => makeRecipe(),
		duplicates: 'accept',
		limits: { maxBytes: 1e6 },
		abandonedSeconds: 3_600,
		isKept: false,
		log,
		...change,
	};
	const put = async (path: string, bytes: Buffer) => {
		await mkdir(dirname(join(folder, path)), { recursive: true });
		await writeFile(join(folder, path), bytes);
	};
	return {
		context,
		storage,
		folder,
		put,
		once: (options: Partial<WatchOptions> = {}) => run(context, { isOnce: true, ...options }),
		pictures: async () => {
			const ids = (await listed(storage, 'pictures/')).flatMap((key) => manifestId(key) ?? []);
			return Promise.all(ids.map(async (id) => (await readManifest(storage, id)) as Picture));
		},
		files: async (below = '') => {
			const entries = await readdir(join(folder, below), { recursive: true, withFileTypes: true }).catch(() => []);
			return entries
				.filter((entry) => entry.isFile())
				.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
				.sort();
		},
	};
}

function run(context: ImportContext, options: Partial<WatchOptions>): Promise<WatchCounts> {
	const whole = { ...pace, isOnce: false, pressure: { check: async () => {} }, stopping: new AbortController().signal };
	return watchFolder(context, { ...whole, ...options });
}

/** Watches until the test has finished. */
function keepWatching(context: ImportContext, options: Partial<WatchOptions> = {}) {
	const stopping = new AbortController();
	const ended = run(context, { ...options, stopping: stopping.signal });
	onTestFinished(async () => {
		stopping.abort();
		await ended;
	});
	return { stop: () => stopping.abort(), ended };
}

describe('watchFolder', () => {
	it('imports existing files, moves them, and turns sub-folders into tags', async () => {
		const { put, once, pictures, files, storage } = await open();
		await put('a.jpg', await picture(1));
		await put('Summer 2026/beach/b.jpg', await picture(2));
		await put('c.jpg.part', await picture(3));
		expect(await once()).toEqual({ taken: 2, known: 0, refused: 0, left: 0 });
		const found = await pictures();
		expect(found.map(({ source, tags }) => [source.filename, tags]).sort()).toEqual([
			['a.jpg', []],
			['b.jpg', ['Summer 2026', 'beach']],
		]);
		expect(await files()).toEqual(['.picpipe/done/Summer 2026/beach/b.jpg', '.picpipe/done/a.jpg', 'c.jpg.part']);
		expect(await listed(storage, 'pending/')).toHaveLength(2);
		expect(await once()).toEqual({ taken: 0, known: 0, refused: 0, left: 0 });
		// One of the same name is another one, whatever is in it.
		await put('a.jpg', await picture(1));
		expect(await once()).toMatchObject({ taken: 1 });
		expect(await files('.picpipe/done')).toContain('.picpipe/done/a-2.jpg');
	});

	it('waits until a file has been written, and imports one that is renamed into place', async () => {
		const { put, context, pictures, folder } = await open();
		const bytes = await picture();
		keepWatching(context, { settleSeconds: 1 });
		const parts = 8;
		await put('slow.jpg', Buffer.alloc(0));
		for (let part = 0; part < parts; part++) {
			const from = Math.floor((bytes.length * part) / parts);
			await appendFile(join(folder, 'slow.jpg'), bytes.subarray(from, Math.floor((bytes.length * (part + 1)) / parts)));
			await sleep(150);
			expect(await pictures()).toEqual([]);
		}
		await put('fast.tmp', await picture(2));
		const names = async () => (await pictures()).map(({ source }) => source.filename).sort();
		await expect.poll(names, { timeout: 10_000 }).toEqual(['slow.jpg']);
		// Time enough to take the other one as well.
		await sleep(1_500);
		expect(await names()).toEqual(['slow.jpg']);
		expect((await pictures())[0]).toMatchObject({ owner: 'watch', source: { bytes: bytes.length } });
		await rename(join(folder, 'fast.tmp'), join(folder, 'fast.jpg'));
		await expect.poll(names, { timeout: 10_000 }).toEqual(['fast.jpg', 'slow.jpg']);
	});

	it('does not give up a file that changes while it is read', async () => {
		const storage = await watchedStorage();
		const { put, context, pictures, folder, files } = await open({
			storage: {
				...storage,
				async put(key, body, options) {
					// The writer goes on at the moment in which the file is copied.
					if (key.includes('original') && !isChanged) {
						isChanged = true;
						await appendFile(join(folder, 'a.jpg'), 'more');
					}
					return storage.put(key, body, options);
				},
			},
		});
		let isChanged = false;
		await put('a.jpg', await picture());
		const { stop, ended } = keepWatching(context);
		await expect.poll(files, { timeout: 5_000 }).toEqual(['.picpipe/done/a.jpg']);
		stop();
		await ended;
		const [only, ...others] = await pictures();
		expect(others).toEqual([]);
		expect(only?.source).toMatchObject({ bytes: (await picture()).length + 4 });
		// The half one has left nothing.
		expect(await listed(storage, 'pending/')).toHaveLength(1);
	});

	it('sets aside a file that is not a picture, with a note', async () => {
		const { put, once, pictures, files, folder, storage } = await open({ limits: { maxBytes: 3_000 } });
		await put('a/notes.txt', Buffer.from('no picture'));
		await put('empty.jpg', Buffer.alloc(0));
		await put('large.jpg', Buffer.concat([await picture(), Buffer.alloc(3_000)]));
		await put('good.jpg', await picture());
		expect(await once()).toEqual({ taken: 1, known: 0, refused: 3, left: 0 });
		expect(await pictures()).toHaveLength(1);
		expect(await files('.picpipe/refused')).toEqual(
			['a/notes.txt', 'a/notes.txt.txt', 'empty.jpg', 'empty.jpg.txt', 'large.jpg', 'large.jpg.txt'].map(
				(path) => `.picpipe/refused/${path}`,
			),
		);
		const note = (path: string) => readFile(join(folder, '.picpipe/refused', `${path}.txt`), 'utf8');
		expect(await note('a/notes.txt')).toMatch(/^unsupported-type: Expected a picture /);
		expect(await note('empty.jpg')).toMatch(/^empty-file: The file is empty\./);
		expect(await note('large.jpg')).toMatch(/^file-too-large: Expected at most 3000 bytes/);
		expect(await listed(storage, 'pending/')).toHaveLength(1);
	});

	it('sets aside a file whose picture turns out to be broken, even after a restart, moved or kept', async () => {
		for (const isKept of [false, true]) {
			const { put, once, pictures, files, folder, storage } = await open({ isKept });
			await put('x/a.jpg', await picture());
			await once();
			const [broken] = (await pictures()) as [Picture];
			const failure = { class: 'corrupt', code: 'corrupt-picture', message: 'It ends too early.', attempt: 1 } as const;
			const at = new Date().toISOString();
			await writeManifest(storage, { ...broken, revision: 2, state: 'failed', failure: { ...failure, at } });
			await once();
			await expect
				.poll(files, { timeout: 5_000 })
				.toEqual(['.picpipe/refused/x/a.jpg', '.picpipe/refused/x/a.jpg.txt']);
			const note = await readFile(join(folder, '.picpipe/refused/x/a.jpg.txt'), 'utf8');
			expect(note).toBe(`corrupt-picture: It ends too early.\nPicture: ${broken.id}\n`);
			expect(await listed(storage, 'watched/')).toEqual([]);
		}
	});

	it('does not move a finished file whose picture failed for another reason', async () => {
		const { put, once, pictures, files, storage } = await open();
		await put('a.jpg', await picture());
		await once();
		const [lost] = (await pictures()) as [Picture];
		const failure = { class: 'internal', code: 'worker-lost', message: 'Lost.', attempt: 1 } as const;
		const at = new Date().toISOString();
		await writeManifest(storage, { ...lost, revision: 2, state: 'failed', failure: { ...failure, at } });
		await once();
		expect(await files()).toEqual(['.picpipe/done/a.jpg']);
		expect(await listed(storage, 'watched/')).toEqual([]);
	});
});

describe('watchFolder that keeps files', () => {
	it('imports each once, across restarts, even if they are touched or copied', async () => {
		const { put, once, pictures, files, folder } = await open({ isKept: true });
		await put('a.jpg', await picture(1));
		await put('b/c.jpg', await picture(2));
		expect(await once()).toMatchObject({ taken: 2 });
		expect(await once()).toMatchObject({ taken: 0, known: 2 });
		await utimes(join(folder, 'a.jpg'), new Date(), new Date('2020-01-01'));
		await rm(join(folder, 'b/c.jpg'));
		await put('b/c.jpg', await picture(2));
		expect(await once()).toMatchObject({ taken: 0, known: 2 });
		expect(await pictures()).toHaveLength(2);
		expect(await files()).toEqual(['a.jpg', 'b/c.jpg']);
	});

	it('imports a file again if its contents change', async () => {
		const { put, once, pictures } = await open({ isKept: true });
		await put('a.jpg', await picture(1));
		await once();
		await put('a.jpg', await picture(2));
		expect(await once()).toMatchObject({ taken: 1 });
		expect(await pictures()).toHaveLength(2);
	});

	it('looks at some of the imported files in each scan, and at every new one', { timeout: 60_000 }, async () => {
		const scans: { files: number; checked: number }[] = [];
		const watched = pino({ level: 'debug' }, { write: (line: string) => takeScan(JSON.parse(line)) });
		const takeScan = (line: { msg?: string; files: number; checked: number }) =>
			line.msg === 'folder scanned' && scans.push(line);
		const { put, context, pictures } = await open({ isKept: true, log: watched });
		for (let at = 0; at < 30; at++) await put(`${at}.jpg`, await picture(at));
		const { stop, ended } = keepWatching(context, { maximumChecks: 10 });
		const count = async () => (await pictures()).length;
		await expect.poll(count, { timeout: 20_000 }).toBe(30);
		await expect.poll(() => scans.at(-1)?.checked, { timeout: 20_000 }).toBeLessThanOrEqual(10);
		const idle = scans.length;
		await expect.poll(() => scans.length, { timeout: 20_000 }).toBeGreaterThan(idle + 8);
		const later = scans.slice(idle);
		expect(later.map(({ files }) => files)).toEqual(later.map(() => 30));
		expect(Math.max(...later.map(({ checked }) => checked))).toBeLessThanOrEqual(10);
		// Each file has had its turn.
		expect(later.reduce((sum, { checked }) => sum + checked, 0)).toBeGreaterThanOrEqual(30);
		await put('new.jpg', await picture(100));
		for (let at = 0; at < 30; at += 10) await put(`${at}.jpg`, await picture(101 + at));
		await expect.poll(count, { timeout: 20_000 }).toBe(34);
		expect(Math.max(...scans.slice(idle).map(({ checked }) => checked))).toBeLessThanOrEqual(14);
		stop();
		await ended;
	});

	it('does not restore a deleted picture', async () => {
		const { put, once, pictures, storage } = await open({ isKept: true });
		await put('a.jpg', await picture(1));
		await once();
		const [only] = (await pictures()) as [Picture];
		await writeManifest(storage, { ...only, revision: 2, state: 'ready' });
		await once();
		await storage.deleteFolder(folderOf(only.id));
		expect(await once()).toMatchObject({ taken: 0, known: 1 });
		expect(await pictures()).toEqual([]);
	});
});

describe('a watch that was killed', () => {
	it('after the picture was accepted and before the file was moved: the file is moved, and no picture created', async () => {
		const { put, once, pictures, files, context } = await open();
		await put('a.jpg', await picture());
		const bare = { ...context, isKept: true };
		await run(bare, { isOnce: true });
		expect(await files()).toEqual(['a.jpg']);
		expect(await once()).toEqual({ taken: 0, known: 1, refused: 0, left: 0 });
		expect(await files()).toEqual(['.picpipe/done/a.jpg']);
		expect(await pictures()).toHaveLength(1);
	});

	it('after the ledger entry and before the manifest: the reserved picture is created from the received original', async () => {
		const { put, once, pictures, storage, context } = await open();
		await put('a.jpg', await picture());
		await run({ ...context, isKept: true }, { isOnce: true });
		const [{ id }] = (await pictures()) as [Picture];
		await storage.delete(manifestKey(folderOf(id)));
		expect(await once()).toMatchObject({ taken: 1 });
		expect((await pictures()).map((one) => one.id)).toEqual([id]);
		expect((await listed(storage, 'pictures/')).length).toBe(2);
	});

	it('with nothing left of the attempt: the file is imported again', async () => {
		const { put, once, pictures, storage, context } = await open();
		await put('a.jpg', await picture());
		await run({ ...context, isKept: true }, { isOnce: true });
		const [{ id }] = (await pictures()) as [Picture];
		await storage.deleteFolder(folderOf(id));
		expect(await once()).toMatchObject({ taken: 1 });
		expect(await pictures()).toHaveLength(1);
	});

	it('between moving and updating the ledger: the entry does not stay for ever', async () => {
		const { put, once, pictures, storage, context, folder } = await open();
		await put('a.jpg', await picture());
		await run({ ...context, isKept: true }, { isOnce: true });
		await rm(join(folder, 'a.jpg'));
		const [only] = (await pictures()) as [Picture];
		await writeManifest(storage, { ...only, revision: 2, state: 'ready' });
		await once();
		expect(await listed(storage, 'watched/')).toEqual([]);
	});
});

describe('watchFolder in trouble', () => {
	it('waits while there is no space, and continues by itself', async () => {
		const { put, once, pictures, files } = await open();
		await put('a.jpg', await picture());
		let asked = 0;
		const pressure = {
			async check() {
				asked++;
				if (asked <= 1) throw new PicpipeError('queue-full', 'Expected fewer jobs.');
			},
		};
		const counts = once({ pressure });
		await expect.poll(() => asked, { timeout: 5_000 }).toBe(1);
		expect(await pictures()).toEqual([]);
		expect(await files()).toEqual(['a.jpg']);
		expect(await counts).toMatchObject({ taken: 1 });
	});

	it('keeps every file while the storage is full, and creates one picture of each afterwards', async () => {
		const storage = await watchedStorage();
		const { put, once, pictures, files } = await open({ storage });
		for (const seed of [1, 2, 3]) await put(`${seed}.jpg`, await picture(seed));
		storage.failOn(/(put|create) .*(picture\.json|original)/);
		const counts = once();
		await sleep(800);
		expect(await files()).toHaveLength(3);
		storage.failOn(/^nothing$/);
		expect(await counts).toEqual({ taken: 3, known: 0, refused: 0, left: 0 });
		expect(await pictures()).toHaveLength(3);
	});

	it('skips unreadable files, and reports them', async () => {
		const { put, once, files, folder } = await open();
		await put('a.jpg', await picture(1));
		await put('b.jpg', await picture(2));
		await chmod(join(folder, 'b.jpg'), 0);
		const isRoot = process.getuid?.() === 0;
		// Nothing keeps root from reading.
		expect(await once()).toMatchObject(isRoot ? { taken: 2, left: 0 } : { taken: 1, left: 1 });
		expect(await files()).toContain(isRoot ? '.picpipe/done/b.jpg' : 'b.jpg');
	});

	it('skips a file that never stops changing', async () => {
		const { put, once, folder } = await open();
		await put('a.jpg', await picture(1));
		const writer = setInterval(() => void appendFile(join(folder, 'a.jpg'), 'x'), 20);
		onTestFinished(() => clearInterval(writer));
		expect(await once()).toEqual({ taken: 0, known: 0, refused: 0, left: 1 });
	});

	it('waits for a folder that is missing for a while', async () => {
		const { put, context, pictures, folder } = await open();
		keepWatching(context);
		await rename(folder, `${folder}-away`);
		await sleep(200);
		await rename(`${folder}-away`, folder);
		await put('a.jpg', await picture());
		await expect.poll(async () => (await pictures()).length, { timeout: 5_000 }).toBe(1);
	});

	it('imports hundreds of files from many sub-folders, each once, although only a few wait at a time', async () => {
		const { put, once, pictures, files } = await open();
		const bytes = await picture();
		for (let at = 0; at < 300; at++) await put(`${at % 7}/${at}.jpg`, Buffer.concat([bytes, Buffer.from(`${at}`)]));
		expect(await once({ concurrency: 4, maximumWaiting: 100 })).toEqual({ taken: 300, known: 0, refused: 0, left: 0 });
		expect(new Set((await pictures()).map(({ source }) => ('sha256' in source ? source.sha256 : ''))).size).toBe(300);
		expect((await files()).every((path) => path.startsWith('.picpipe/done/'))).toBe(true);
	});

	it('refuses, links or dedupes equal bytes if configured', async () => {
		const { put, context, pictures, files } = await open();
		await put('a.jpg', await picture());
		await run({ ...context, duplicates: 'dedupe' }, { isOnce: true });
		await put('b.jpg', await picture());
		expect(await run({ ...context, duplicates: 'dedupe' }, { isOnce: true })).toMatchObject({ taken: 0, known: 1 });
		await put('c.jpg', await picture());
		expect(await run({ ...context, duplicates: 'refuse' }, { isOnce: true })).toMatchObject({ taken: 0, refused: 1 });
		expect(await pictures()).toHaveLength(1);
		expect(await files()).toEqual([
			'.picpipe/done/a.jpg',
			'.picpipe/done/b.jpg',
			'.picpipe/refused/c.jpg',
			'.picpipe/refused/c.jpg.txt',
		]);
	});
});
