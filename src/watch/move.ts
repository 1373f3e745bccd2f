import { type FileHandle, lstat, mkdir, open, rename, writeFile } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import type { PicpipeError } from '../errors.ts';
import { type FileState, isMissing, isSameState, movedFolder, stateAt } from './files.ts';

/** Why a file is moved: its picture was accepted, or the file was refused. */
type MoveReason = 'done' | 'refused';

/** Most files with the same name in one folder. */
const maximumSameName = 10_000;

interface FileToMove {
	/** The watched folder. */
	readonly folder: string;
	/** Current path, relative to the folder. */
	readonly path: string;
	/** Expected state; a file in any other state is not touched. */
	readonly state: FileState;
	/** Original path, relative to the folder. */
	readonly origin: string;
}

/**
 * Moves a file to `.picpipe/done/` or `.picpipe/refused/`, never over another file. When this returns, the move survives a power cut.
 *
 * @param note written next to it as `<name>.txt`
 * @returns the new path, relative to the folder; undefined when another file has taken its place, which stays
 */
export async function moveAway(file: FileToMove, reason: MoveReason, note?: string): Promise<string | undefined> {
	const { folder, path, state, origin } = file;
	const below = join(movedFolder, reason, dirname(origin));
	await makeFolders(folder, below);
	const from = join(folder, path);
	if (!hasState(await stateAt(from), state)) return undefined;
	const to = await freeName(folder, below, parse(origin).base, note !== undefined);
	if (note !== undefined) await writeFile(join(folder, `${to}.txt`), note, { flag: 'wx' });
	await rename(from, join(folder, to));
	if (!hasState(await stateAt(join(folder, to)), state)) {
		await putBack(folder, to, path);
		return undefined;
	}
	for (const changed of new Set([dirname(join(folder, to)), dirname(from)])) await syncFolder(changed);
	return to;
}

/** The note next to a refused file. */
export function noteOf(error: Pick<PicpipeError, 'code' | 'message'>, pictureId?: string): string {
	return `${error.code}: ${error.message}\n${pictureId === undefined ? '' : `Picture: ${pictureId}\n`}`;
}

function hasState(found: FileState | undefined, wanted: FileState): boolean {
	return found !== undefined && isSameState(found, wanted);
}

/** A different file took the name just before the move: it is moved back, to be imported. */
async function putBack(folder: string, to: string, path: string): Promise<void> {
	const { dir, base } = parse(path);
	await rename(join(folder, to), join(folder, await freeName(folder, dir, base, false)));
}

/** Creates one folder after the other, and checks that none of them is a link to another place. */
async function makeFolders(folder: string, below: string): Promise<void> {
	let path = folder;
	for (const name of below.split('/').filter((one) => one !== '.')) {
		path = join(path, name);
		try {
			await mkdir(path);
			await syncFolder(dirname(path));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
			if (!(await lstat(path)).isDirectory()) throw new Error(`Expected a folder but ${path} is not one.`);
		}
	}
}

/** `a.jpg`, or `a-2.jpg` if that name is taken, and so on. */
async function freeName(folder: string, below: string, base: string, hasNote: boolean): Promise<string> {
	const { name, ext } = parse(base);
	for (let number = 1; number <= maximumSameName; number++) {
		const path = join(below, number === 1 ? base : `${name}-${number}${ext}`);
		const isFree = !(await isTaken(join(folder, path))) && !(hasNote && (await isTaken(join(folder, `${path}.txt`))));
		if (isFree) return path;
	}
	throw new Error(`Expected at most ${maximumSameName} files called ${base} in ${join(folder, below)}.`);
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
		// Some network file systems do not support it.
		if (!/^(EINVAL|ENOTSUP|EPERM|EBADF|EISDIR)$/.test(String((error as NodeJS.ErrnoException).code))) throw error;
	} finally {
		await handle?.close();
	}
}
