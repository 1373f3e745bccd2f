import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPassedOver, isSameState, stateAt, tagsOf, watchedPaths } from '../../src/watch/files.ts';
import { temporaryFolder } from '../helpers/folder.ts';

async function pathsIn(folder: string): Promise<string[]> {
	const paths: string[] = [];
	for await (const path of watchedPaths(folder)) paths.push(path);
	return paths.sort();
}

describe('watchedPaths', () => {
	it('finds every file at any depth, and follows no link', async () => {
		const folder = await temporaryFolder();
		const outside = await temporaryFolder();
		await writeFile(join(outside, 'secret.jpg'), 'x');
		await mkdir(join(folder, 'a/b'), { recursive: true });
		await mkdir(join(folder, '.picpipe/done'), { recursive: true });
		for (const path of [
			'one.jpg',
			'a/two.jpg',
			'a/b/three',
			'.picpipe/done/four.jpg',
			'.hidden.jpg',
			'a/five.jpg.part',
		]) {
			await writeFile(join(folder, path), 'x');
		}
		await symlink(outside, join(folder, 'a/away'));
		await symlink(join(outside, 'secret.jpg'), join(folder, 'link.jpg'));
		await symlink(join(folder, 'one.jpg'), join(folder, 'a/link-inside.jpg'));
		execFileSync('mkfifo', [join(folder, 'pipe.jpg')]);
		expect(await pathsIn(folder)).toEqual(['a/b/three', 'a/two.jpg', 'one.jpg']);
	});

	it('reports problems of the folder itself', async () => {
		await expect(pathsIn('/nowhere/at/all')).rejects.toMatchObject({ code: 'ENOENT' });
	});
});

describe('stateAt', () => {
	it('distinguishes two contents, and is undefined for a link or a folder', async () => {
		const folder = await temporaryFolder();
		const path = join(folder, 'a.jpg');
		expect(await stateAt(path)).toBeUndefined();
		await writeFile(path, 'one');
		const first = await stateAt(path);
		expect(first).toMatchObject({ bytes: 3 });
		await writeFile(path, 'four');
		const second = await stateAt(path);
		expect(first && second && isSameState(first, second)).toBe(false);
		expect(second && isSameState(second, { ...second })).toBe(true);
		await symlink(path, join(folder, 'link'));
		expect(await stateAt(join(folder, 'link'))).toBeUndefined();
		expect(await stateAt(folder)).toBeUndefined();
	});
});

describe('isPassedOver', () => {
	it.each([
		...['.a.jpg', 'a.jpg.part', 'a.PARTIAL', 'a.tmp', 'a.jpg.crdownload', 'a.jpg.filepart', 'a.jpg~', '~$a.jpg'],
		...['Thumbs.db', 'desktop.ini', '.DS_Store', 'a.swp', 'a.jpg.download'],
	])('skips %s', (name) => {
		expect(isPassedOver(name)).toBe(true);
	});

	it.each(['a.jpg', 'part', 'part.jpg', 'tmp.png', 'a.b.c.webp', 'no extension', 'download.jpg', 'x~y.jpg'])(
		'does not skip %s',
		(name) => {
			expect(isPassedOver(name)).toBe(false);
		},
	);
});

describe('tagsOf', () => {
	it.each<[string, string[]]>([
		['a.jpg', []],
		['holiday/a.jpg', ['holiday']],
		['holiday/2026/beach/a.jpg', ['holiday', '2026', 'beach']],
		['Summer  2026 /a.jpg', ['Summer 2026']],
		['(private) & more!/a.jpg', ['private) & more!']],
		['Mu\u0308nchen/हिन्दी/العربية/🏔 Alps/a.jpg', ['München', 'हिन्दी', 'العربية', '🏔 Alps']],
		['a,b/<c>\u202e\n"d"/a.jpg', ['a-b', 'c-d']],
		['Fußballspiele/Zürich/a.jpg', ['Fußballspiele', 'Zürich']],
		['same/same/a.jpg', ['same']],
		['---/***/a.jpg', []],
		[`${'x'.repeat(80)}/a.jpg`, ['x'.repeat(64)]],
		[`${'𠀀'.repeat(80)}/${'x'.repeat(63)} y/a.jpg`, ['𠀀'.repeat(64), 'x'.repeat(63)]],
	])('%s', (path, tags) => {
		expect(tagsOf(path)).toEqual(tags);
	});

	it('are at most as many as a picture may have', () => {
		expect(tagsOf(`${Array.from({ length: 50 }, (_, at) => `f${at}`).join('/')}/a.jpg`)).toHaveLength(32);
	});
});
