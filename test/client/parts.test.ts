import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { concernsAll, isPassing, noAnswer, Refusal, refusalOf } from '../../src/client/answer.ts';
import { entryName, journalFolder, openJournal } from '../../src/client/journal.ts';
import { withRetries } from '../../src/client/retry.ts';
import { uploadLine, uploadSummary } from '../../src/client/summary.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const problem = (status: number, code: string) => JSON.stringify({ status, code, title: 'Title.', detail: 'Detail.' });

describe('a refusal by the API', () => {
	it.each<[number, string, string | undefined, boolean, boolean]>([
		[401, 'unauthorized', undefined, false, true],
		[403, 'fixed-by-token', undefined, false, true],
		[400, 'unknown-recipe', undefined, false, true],
		[415, 'unsupported-type', undefined, false, false],
		[413, 'file-too-large', undefined, false, false],
		[409, 'duplicate-picture', undefined, false, false],
		[409, 'idempotency-key-in-use', '1', true, false],
		[409, 'wrong-offset', undefined, true, false],
		[423, 'upload-locked', '1', true, false],
		[429, 'rate-exceeded', '1', true, false],
		// Of a token that is used up: it stays so.
		[429, 'quota-exceeded', undefined, false, false],
		[500, 'internal', undefined, true, false],
		[503, 'queue-full', '15', true, false],
		[507, 'storage-full', undefined, true, false],
	])('%i %s is temporary or not, and concerns all or not', (status, code, retryAfter, passes, all) => {
		const refusal = refusalOf(status, problem(status, code), retryAfter);
		expect([refusal.code, refusal.message, isPassing(refusal), concernsAll(refusal)]).toEqual([
			code,
			'Detail.',
			passes,
			all,
		]);
	});

	it('may also come from another server on the way', () => {
		expect(refusalOf(502, '<html>Bad Gateway</html>', null)).toMatchObject({ code: 'status-502', status: 502 });
		const inTwo = new Date(Date.now() + 2_000).toUTCString();
		expect(refusalOf(503, '', inTwo).retryAfter).toBeOneOf([1, 2]);
		expect(refusalOf(503, '', 'soon').retryAfter).toBeUndefined();
		const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
		expect(noAnswer(new TypeError('fetch failed', { cause }))).toMatchObject({
			message: 'connect ECONNREFUSED (ECONNREFUSED)',
			status: undefined,
		});
	});
});

describe('retries', () => {
	const soon = new Refusal('Later.', { status: 503, code: 'queue-full', retryAfter: 0 });
	const options = (waits: number[] = []) => ({
		signal: new AbortController().signal,
		onWait: (_refusal: Refusal, seconds: number) => void waits.push(seconds),
	});

	it('end after nine attempts without progress, and continue while there is some', {
		timeout: 30_000,
	}, async () => {
		let attempts = 0;
		const failing = withRetries(async () => {
			attempts++;
			throw soon;
		}, options());
		await expect(failing).rejects.toBe(soon);
		expect(attempts).toBe(9);
		attempts = 0;
		const done = await withRetries(async (achieved) => {
			attempts++;
			if (attempts % 5 === 0) achieved();
			if (attempts < 12) throw soon;
			return 'done';
		}, options());
		expect([done, attempts]).toEqual(['done', 12]);
	});

	it('do not happen for permanent refusals, or for those that last until tomorrow', async () => {
		for (const refusal of [
			new Refusal('No.', { status: 415, code: 'unsupported-type' }),
			new Refusal('Tomorrow.', { status: 429, code: 'quota-exceeded', retryAfter: 40_000 }),
		]) {
			const waits: number[] = [];
			await expect(withRetries(() => Promise.reject(refusal), options(waits))).rejects.toBe(refusal);
			expect(waits).toEqual([]);
		}
	});

	it('wait longer each time, and end at an interruption', async () => {
		const interruption = new AbortController();
		const waits: number[] = [];
		const passing = new Refusal('Broken.', { code: 'no-answer' });
		const trying = withRetries(() => Promise.reject(passing), {
			signal: interruption.signal,
			onWait(_refusal, seconds) {
				waits.push(seconds);
				if (waits.length === 2) interruption.abort(new Error('enough'));
			},
		});
		await expect(trying).rejects.toThrow();
		expect(waits[0]).toBeGreaterThanOrEqual(0.25);
		expect(waits[1]).toBeGreaterThanOrEqual(0.5);
	});
});

describe('the journal', () => {
	const untroubled = (error: Error) => {
		throw error;
	};

	it('stores entries readable only by its owner, and forgets them', async () => {
		const folder = join(await temporaryFolder(), 'a/b');
		const journal = await openJournal(folder, untroubled);
		const name = entryName('http://a', { recipe: 'web' }, '/a.jpg', 1, 2);
		const fresh = await journal.read(name);
		expect((await journal.read(name)).key).not.toBe(fresh.key);
		await journal.write(name, { ...fresh, uploadUrl: 'http://a/1' });
		expect(await (await openJournal(folder, untroubled)).read(name)).toEqual({ ...fresh, uploadUrl: 'http://a/1' });
		expect((await stat(join(folder, `${name}.json`))).mode & 0o777).toBe(0o600);
		expect(await readdir(folder)).toHaveLength(1);
		await journal.forget(name);
		expect(await readdir(folder)).toEqual([]);
		expect(
			new Set([
				name,
				entryName('http://a', {}, '/a.jpg', 1, 2),
				entryName('http://a', { recipe: 'web' }, '/a.jpg', 1, 3),
			]).size,
		).toBe(3);
	});

	it('ignores unreadable entries, and deletes old ones', async () => {
		const folder = await temporaryFolder();
		await writeFile(join(folder, 'broken.json'), '{');
		await writeFile(join(folder, 'old.json'), '{"key":"k"}');
		await utimes(join(folder, 'old.json'), 0, 0);
		const journal = await openJournal(folder, untroubled);
		expect((await journal.read('broken')).key).toMatch(/^[0-9a-f-]{36}$/);
		expect(await readdir(folder)).toEqual(['broken.json']);
	});

	it('that cannot be written is reported once', async () => {
		const file = join(await temporaryFolder(), 'file');
		await writeFile(file, '');
		const troubles: string[] = [];
		const journal = await openJournal(join(file, 'folder'), ({ message }) => troubles.push(message));
		for (let time = 0; time < 3; time++) await journal.write('a', { key: 'k' });
		expect(troubles).toHaveLength(1);
	});

	it('is in the usual folder for state', () => {
		expect(journalFolder({ XDG_STATE_HOME: '/state' })).toBe('/state/picpipe/uploads');
		expect(journalFolder({})).toMatch(/\/\.local\/state\/picpipe\/uploads$/);
	});
});

describe('the output', () => {
	it('during a run fits the terminal', () => {
		const standing = {
			done: 3,
			total: 8,
			bytes: 5e6,
			totalBytes: 20e6,
			bytesBefore: 1e6,
			seconds: 2,
			note: 'beach.jpg',
		};
		expect(uploadLine(standing, 200)).toBe(
			`${'█'.repeat(8)}${'░'.repeat(22)} 3/8 5.0 MB of 20.0 MB 2.0 MB/s beach.jpg`,
		);
		expect(uploadLine(standing, 60)).toHaveLength(59);
		// Addresses have no bytes that could be counted.
		expect(uploadLine({ ...standing, bytes: 0, totalBytes: 0 }, 200)).toBe(
			`${'█'.repeat(11)}${'░'.repeat(19)} 3/8 beach.jpg`,
		);
	});

	it('at the end names the variants that ready pictures lack or have only in part', () => {
		const failures = [
			{ variant: 'thumb', class: 'limit', code: 'output-too-large', detail: 'Too large.' },
			{ variant: 'large', format: 'avif', class: 'internal', code: 'internal', detail: 'An internal error occurred.' },
		];
		const limited = [{ variant: 'still', format: 'webp', detail: 'It shows the first frame.' }];
		const result = { name: 'a.gif', picture: 'pic_1', state: 'ready', failures, limited };
		const lines = uploadSummary([result], 1).split('\n');
		expect(lines.slice(5)).toEqual([
			'limited: a.gif, variant still.webp: It shows the first frame.',
			'failed: a.gif, variant thumb: Too large. (limit, output-too-large)',
			'failed: a.gif, variant large.avif: An internal error occurred. (internal, internal)',
			'',
		]);
	});

	it('at the end is a table', () => {
		const text = uploadSummary(
			[
				{ name: 'a.jpg', bytes: 1_500, picture: 'pic_1', state: 'queued', isNew: true },
				{ name: 'b.jpg', bytes: 200, state: 'refused', problem: { code: 'unsupported-type', detail: 'No picture.' } },
				{ name: 'https://c', picture: 'pic_3', state: 'queued', isNew: false },
			],
			1.23,
		);
		expect(text.split('\n')).toEqual([
			'file             picture              state   bytes',
			'─'.repeat(51),
			'a.jpg              pic_1             queued  1.5 kB',
			'b.jpg                               refused   200 B',
			'https://c          pic_3  queued, was there        ',
			'─'.repeat(51),
			'2 of 3 pictures    1.2 s                     1.5 kB',
			'refused: b.jpg: No picture. (unsupported-type)',
			'',
		]);
	});
});
