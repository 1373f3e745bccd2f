import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type FileState, stateAt } from '../../src/watch/files.ts';
import { moveAway, noteOf } from '../../src/watch/move.ts';
import { temporaryFolder } from '../helpers/folder.ts';

async function put(folder: string, path: string, content: string): Promise<FileState> {
	await mkdir(join(folder, path, '..'), { recursive: true });
	await writeFile(join(folder, path), content);
	return (await stateAt(join(folder, path))) as FileState;
}

const read = (folder: string, path: string) => readFile(join(folder, path), 'utf8');

describe('moveAway', () => {
	it('moves a file with its sub-folder, and never over another one', async () => {
		const folder = await temporaryFolder();
		for (const [content, expected] of [
			['one', '.picpipe/done/a/b/x.jpg'],
			['two', '.picpipe/done/a/b/x-2.jpg'],
			['three', '.picpipe/done/a/b/x-3.jpg'],
		] as const) {
			const state = await put(folder, 'a/b/x.jpg', content);
			expect(await moveAway({ folder, path: 'a/b/x.jpg', state, origin: 'a/b/x.jpg' }, 'done')).toBe(expected);
			expect(await read(folder, expected)).toBe(content);
			expect(await readdir(join(folder, 'a/b'))).toEqual([]);
		}
		expect(await read(folder, '.picpipe/done/a/b/x.jpg')).toBe('one');
	});

	it('writes a note beside it, under a free name', async () => {
		const folder = await temporaryFolder();
		const move = async (path: string, content: string) => {
			const state = await put(folder, path, content);
			return moveAway({ folder, path, state, origin: path }, 'refused', `why ${content}`);
		};
		// A file that is called like another one's note.
		expect(await move('x.jpg.txt', 'first')).toBe('.picpipe/refused/x.jpg.txt');
		expect(await move('x.jpg', 'second')).toBe('.picpipe/refused/x-2.jpg');
		expect(await move('y.jpg', 'third')).toBe('.picpipe/refused/y.jpg');
		expect(await move('y.jpg.txt', 'fourth')).toBe('.picpipe/refused/y.jpg-2.txt');
		expect(await read(folder, '.picpipe/refused/x.jpg.txt')).toBe('first');
		expect(await read(folder, '.picpipe/refused/x-2.jpg.txt')).toBe('why second');
		expect(await read(folder, '.picpipe/refused/y.jpg.txt')).toBe('why third');
		expect(await read(folder, '.picpipe/refused/y.jpg-2.txt')).toBe('fourth');
	});

	it('does not touch another file under the same name', async () => {
		const folder = await temporaryFolder();
		const state = await put(folder, 'x.jpg', 'taken in');
		await put(folder, 'x.jpg', 'another one');
		expect(await moveAway({ folder, path: 'x.jpg', state, origin: 'x.jpg' }, 'done')).toBeUndefined();
		expect(await read(folder, 'x.jpg')).toBe('another one');
		expect(await readdir(join(folder, '.picpipe/done'))).toEqual([]);
		const gone = { folder, path: 'gone.jpg', state, origin: 'gone.jpg' };
		expect(await moveAway(gone, 'done')).toBeUndefined();
	});

	it('does not move through a link that leads elsewhere', async () => {
		const folder = await temporaryFolder();
		const outside = await temporaryFolder();
		await symlink(outside, join(folder, '.picpipe'));
		const state = await put(folder, 'x.jpg', 'x');
		await expect(moveAway({ folder, path: 'x.jpg', state, origin: 'x.jpg' }, 'done')).rejects.toThrow('is not one');
		expect(await readdir(outside)).toEqual([]);
		expect(await read(folder, 'x.jpg')).toBe('x');
	});
});

describe('noteOf', () => {
	it('contains the code, the sentence and the picture', () => {
		expect(noteOf({ code: 'empty-file', message: 'The file is empty.' })).toBe('empty-file: The file is empty.\n');
		expect(noteOf({ code: 'corrupt-picture', message: 'It is damaged.' }, 'pic_1')).toBe(
			'corrupt-picture: It is damaged.\nPicture: pic_1\n',
		);
	});
});
