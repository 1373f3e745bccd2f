import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readManifest } from '../../src/catalog/manifest.ts';
import { isReceived, type Picture } from '../../src/domain/picture.ts';
import { openStorage } from '../../src/storage/index.ts';
import { manifestId } from '../../src/storage/keys.ts';
import { listed } from '../contract/storage.ts';
import { until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { PicpipeProcess, runPicpipe } from '../helpers/processes.ts';
import { endWithTest, shared } from '../helpers/shared.ts';

const pace = {
	PICPIPE_WATCH_SECONDS: '1',
	PICPIPE_WATCH_SETTLE_SECONDS: '1',
	PICPIPE_SWEEP_SECONDS: '1',
	PICPIPE_RETRY_DELAY: '200',
};

async function put(folder: string, path: string, bytes: Buffer): Promise<void> {
	await mkdir(dirname(join(folder, path)), { recursive: true });
	await writeFile(join(folder, path), bytes);
}

async function filesIn(folder: string): Promise<string[]> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
	const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
	return files.map((path) => path.slice(folder.length + 1)).sort();
}

async function picturesIn(data: string): Promise<Picture[]> {
	const storage = openStorage(`file:${data}`);
	const ids = (await listed(storage, 'pictures/')).flatMap((key) => manifestId(key) ?? []);
	const pictures = await Promise.all(ids.map((id) => readManifest(storage, id)));
	return pictures.filter((picture) => picture !== undefined);
}

function start(data: string, environment: Record<string, string>): PicpipeProcess {
	const picpipe = new PicpipeProcess({ folder: data, environment: { ...pace, ...environment } });
	endWithTest(() => picpipe.destroy());
	return picpipe;
}

describe('a watched folder', () => {
	for (const then of ['move', 'keep']) {
		it(`makes one picture of each of 40 files, whatever is killed in between (${then})`, {
			timeout: 240_000,
		}, async () => {
			const [data, inbox] = [await temporaryFolder(), await temporaryFolder()];
			const small = await photograph({ width: 320, height: 240 });
			const files = Array.from({ length: 40 }, (_, at) => withComment(small, `number ${at}`));
			for (const [at, bytes] of files.entries()) await put(inbox, `album ${at % 3}/${at}.jpg`, bytes);
			const environment = { PICPIPE_WATCH: inbox, PICPIPE_WATCH_THEN: then, PICPIPE_WATCH_CONCURRENCY: '2' };

			const first = start(data, environment);
			await first.ready();
			await until('some are taken in', async () => (await picturesIn(data)).length >= 5);
			process.kill(first.pidOf('watch'), 'SIGKILL');
			const from = first.lines.length;
			await first.waitFor(({ role, msg }) => role === 'watch' && /^watching/.test(msg ?? ''), from);
			await until('more are taken in', async () => (await picturesIn(data)).length >= 15, 60_000);
			// Everything at once, as a power cut would.
			await first.destroy();

			const second = start(data, environment);
			await second.ready();
			await until('all are taken in', async () => (await picturesIn(data)).length >= 40, 90_000);
			await until(
				'all are ready',
				async () => (await picturesIn(data)).every(({ state }) => state === 'ready'),
				120_000,
			);
			// A round in which it would find what is left.
			await sleep(2_500);
			const pictures = await picturesIn(data);
			expect(pictures).toHaveLength(40);
			expect(new Set(pictures.map(({ source }) => source.filename)).size).toBe(40);
			expect(new Set(pictures.map((one) => isReceived(one) && one.source.sha256)).size).toBe(40);
			for (const { tags, source } of pictures)
				expect(tags).toEqual([`album ${Number.parseInt(source.filename ?? '', 10) % 3}`]);
			const paths = files.map((_, at) => `album ${at % 3}/${at}.jpg`).sort();
			const expected = then === 'keep' ? paths : paths.map((path) => `.picpipe/done/${path}`);
			expect(await filesIn(inbox)).toEqual(expected.sort());
			expect((await second.stop()).code).toBe(0);
			await second.expectNoSurvivors();
		});
	}
});

describe('a file in a watched folder', () => {
	const running = shared(async () => {
		const [data, inbox] = [await temporaryFolder(), await temporaryFolder()];
		const picpipe = start(data, { PICPIPE_WATCH: inbox });
		await picpipe.ready();
		return { data, inbox, picpipe };
	});

	it('is set aside if broken, once the worker has found out, and is imported completely if written slowly', {
		timeout: 120_000,
	}, async () => {
		const { data, inbox } = running();
		const bytes = await photograph({ width: 1600, height: 1200 });
		await put(inbox, 'cut.jpg', bytes.subarray(0, bytes.length / 2));
		const path = join(inbox, 'slow.jpg');
		for (let part = 0; part < 10; part++) {
			const piece = bytes.subarray((bytes.length * part) / 10, (bytes.length * (part + 1)) / 10);
			await writeFile(path, piece, { flag: 'a' });
			await sleep(300);
		}
		await until('both are done with', async () => (await filesIn(inbox)).every((file) => file.startsWith('.picpipe/')));
		await until('the broken one is told', async () => (await filesIn(inbox)).includes('.picpipe/refused/cut.jpg.txt'));
		expect(await filesIn(inbox)).toEqual([
			'.picpipe/done/slow.jpg',
			'.picpipe/refused/cut.jpg',
			'.picpipe/refused/cut.jpg.txt',
		]);
		expect(await readFile(join(inbox, '.picpipe/refused/cut.jpg.txt'), 'utf8')).toMatch(
			/^corrupt-picture: .+\nPicture: pic_/,
		);
		await until('the slow one is ready', async () =>
			(await picturesIn(data)).some(({ source, state }) => source.filename === 'slow.jpg' && state === 'ready'),
		);
		expect(await picturesIn(data)).toHaveLength(2);
	});

	it('is imported by one process while another waits, which takes over when the first hangs', {
		timeout: 120_000,
	}, async () => {
		const { data, inbox, picpipe } = running();
		const before = (await picturesIn(data)).length;
		await picpipe.waitFor(({ msg }) => msg === `watching ${inbox}`);
		const other = new PicpipeProcess({ folder: data, command: 'watch', arguments: [inbox], environment: pace });
		onTestFinished(() => other.destroy());
		await other.waitFor(({ msg }) => /^another process watches this folder/.test(msg ?? ''));
		await put(inbox, 'a.jpg', await photograph({ width: 64, height: 48 }));
		await until('it is taken in', async () => (await filesIn(inbox)).includes('.picpipe/done/a.jpg'));
		expect(other.lines.some(({ msg }) => msg === 'imported a.jpg')).toBe(false);
		// So that it is not started again.
		process.kill(picpipe.pidOf('watch'), 'SIGSTOP');
		await other.waitFor(({ msg }) => msg === `watching ${inbox}`);
		await put(inbox, 'b.jpg', await photograph({ width: 64, height: 48, seed: 2 }));
		await other.waitFor(({ msg }) => msg === 'imported b.jpg');
		expect((await other.stop()).code).toBe(0);
		process.kill(picpipe.pidOf('watch'), 'SIGKILL');
		expect(await picturesIn(data)).toHaveLength(before + 2);
	});
});

describe('picpipe watch', () => {
	it('--once imports the existing files with a Redis of its own, and its exit code tells whether all were imported', {
		timeout: 120_000,
	}, async () => {
		const [data, inbox] = [await temporaryFolder(), await temporaryFolder()];
		await put(inbox, 'x/a.jpg', await photograph({ width: 64, height: 48 }));
		const options = { folder: data, command: 'watch', environment: pace } as const;
		const first = await runPicpipe({ ...options, arguments: [inbox, '--once', '--keep', '--recipe', 'avatar'] });
		expect(first.code).toBe(0);
		expect(first.lines.find(({ msg }) => msg === 'imported x/a.jpg')).toMatchObject({ bytes: expect.any(Number) });
		const [picture] = await picturesIn(data);
		expect(picture).toMatchObject({ tags: ['x'], recipe: { name: 'avatar' }, state: 'queued' });
		await put(inbox, 'notes.txt', Buffer.from('no picture'));
		const second = await runPicpipe({ ...options, arguments: [inbox, '--once', '--keep'] });
		expect(second.code).toBe(1);
		expect(await picturesIn(data)).toHaveLength(1);
		expect(await filesIn(inbox)).toEqual(['.picpipe/refused/notes.txt', '.picpipe/refused/notes.txt.txt', 'x/a.jpg']);
	});

	it.each<[string, (data: string) => string, RegExp]>([
		[
			'that is not there',
			() => '/nowhere/at/all',
			/PICPIPE_WATCH: expected a folder to watch but \/nowhere\/at\/all is not one/,
		],
		['that picpipe keeps its pictures in', (data) => data, /picpipe stores its data, overlap/],
		['that holds the one it keeps its pictures in', (data) => dirname(data), /picpipe stores its data, overlap/],
	])('refuses a folder %s', async (_what, folderOf, message) => {
		const data = await temporaryFolder();
		const { code, output } = await runPicpipe({
			folder: data,
			command: 'watch',
			arguments: [folderOf(data), '--once'],
		});
		expect(code).toBe(2);
		expect(output).toMatch(message);
	});
});
