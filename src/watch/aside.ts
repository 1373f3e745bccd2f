import { type FileHandle, lstat, mkdir, open, rename, writeFile } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import type { PicpipeError } from '../errors.ts';
import { asideFolder, type FileState, isMissing, isSameState, stateAt } from './files.ts';

/** Why a file is moved: its picture was accepted, or it will never be one. */
export type Reason = 'done' | 'refused';

/** Most files of one name in one folder. */
const maximumNamesakes = 10_000;

export interface Moving {
	/** The watched folder. */
	readonly folder: string;
	/** Where the file is, relative to it. */
	readonly path: string;
	/** What has to be there; anything else is left alone. */
	readonly state: FileState;
	/** What it was called when it came, relative to the folder. */
	readonly origin: string;
}

/**
 * Moves a file out of the way, to `.picpipe/done/` or `.picpipe/refused/`, never over another one. When this returns, the move would survive a
 * power cut.
 *
 * @param note goes beside it as `<name>.txt`
 * @returns where it is now, relative to the folder; undefined when another file has taken its place, which stays
 */
export async function moveAside(file: Moving, reason: Reason, note?: string): Promise<string | undefined> {
	const { folder, path, state, origin } = file;
	const below = join(asideFolder, reason, dirname(origin));
	await makeFolders(folder, below);
	const from = join(folder, path);
	if (!isThere(await stateAt(from), state)) return undefined;
	const to = await freeName(folder, below, parse(origin).base, note !== undefined);
	if (note !== undefined) await writeFile(join(folder, `${to}.txt`), note, { flag: 'wx' });
	await rename(from, join(folder, to));
	if (!isThere(await stateAt(join(folder, to)), state)) {
		await putBack(folder, to, path);
		return undefined;
	}
	for (const changed of new Set([dirname(join(folder, to)), dirname(from)])) await syncFolder(changed);
	return to;
}

/** What a note says about a file that was set aside. */
export function noteOf(error: Pick<PicpipeError, 'code' | 'message'>, pictureId?: string): string {
	return `${error.code}: ${error.message}\n${pictureId === undefined ? '' : `Picture: ${pictureId}\n`}`;
}

function isThere(found: FileState | undefined, wanted: FileState): boolean {
	return found !== undefined && isSameState(found, wanted);
}

/** Another file has come under the name in the very moment before the move: it goes back to where it will be taken in. */
async function putBack(folder: string, to: string, path: string): Promise<void> {
	const { dir, base } = parse(path);
	await rename(join(folder, to), join(folder, await freeName(folder, dir, base, false)));
}

/** Folder by folder, so that none of them is a link that leads away. */
async function makeFolders(folder: string, below: string): Promise<void> {
	let path = folder;
	for (const name of below.split('/').filter((one) => one !== '.')) {
		path = join(path, name);
		try {
			await mkdir(path);
			await syncFolder(dirname(path));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
			if (!(await lstat(path)).isDirectory()) throw new Error(`Expected a folder but ${path} is none.`);
		}
	}
}

/** `a.jpg`, or `a-2.jpg` where that is taken, and so on. */
async function freeName(folder: string, below: string, base: string, hasNote: boolean): Promise<string> {
	const { name, ext } = parse(base);
	for (let number = 1; number <= maximumNamesakes; number++) {
		const path = join(below, number === 1 ? base : `${name}-${number}${ext}`);
		const isFree = !(await isTaken(join(folder, path))) && !(hasNote && (await isTaken(join(folder, `${path}.txt`))));
		if (isFree) return path;
	}
	throw new Error(`Expected at most ${maximumNamesakes} files called ${base} in ${join(folder, below)}.`);
}

async function isTaken(path: string): Promise<boolean> {
	try {
		await lstat(path);
		return true;
	} catch (error) {
		if (isMissing(error)) return false;
		throw error;
	}
}

async function syncFolder(path: string): Promise<void> {
	let handle: FileHandle | undefined;
	try {
		handle = await open(path, 'r');
		await handle.sync();
	} catch (error) {
		// Some network file systems don't know how to.
		if (!/^(EINVAL|ENOTSUP|EPERM|EBADF|EISDIR)$/.test(String((error as NodeJS.ErrnoException).code))) throw error;
	} finally {
		await handle?.close();
	}
}
