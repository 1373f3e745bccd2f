import type { Dirent, Stats } from 'node:fs';
import { lstat, opendir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { type Config, ConfigError } from '../config/index.ts';
import { cleanLabel, longestTag, maximumTags, tagPattern } from '../domain/labels.ts';
import type { Storage } from '../storage/storage.ts';

/** Folder inside the watched folder that imported and refused files are moved to. The leading dot keeps it out of the scan. */
export const movedFolder = '.picpipe';

/** Identifies one version of a file, as far as that is possible without reading it. */
export interface FileState {
	readonly inode: number;
	readonly bytes: number;
	/** Milliseconds since 1970, with fractions. */
	readonly modifiedAt: number;
}

export interface WatchedFile {
	/** Relative to the watched folder. */
	readonly path: string;
	readonly state: FileState;
}

export function stateOf({ ino, size, mtimeMs }: Stats): FileState {
	return { inode: ino, bytes: size, modifiedAt: mtimeMs };
}

export function isSameState(one: FileState, other: FileState): boolean {
	return one.inode === other.inode && one.bytes === other.bytes && one.modifiedAt === other.modifiedAt;
}

/** The state of a file; undefined if nothing is there, or something other than a file, such as a link. */
export async function stateAt(path: string): Promise<FileState | undefined> {
	try {
		const stats = await lstat(path);
		return stats.isFile() ? stateOf(stats) : undefined;
	} catch (error) {
		if (isMissing(error)) return undefined;
		throw error;
	}
}

/**
 * Names of unfinished and auxiliary files: those of browsers, rsync, sync clients, editors, Office and operating systems. Names with a
 * leading dot are always skipped.
 */
const passedOver =
	/^\.|^~|~$|\.(part|partial|tmp|temp|crdownload|download|opdownload|filepart|!ut|!qb|aria2|swp|lock)$|^(Thumbs\.db|desktop\.ini)$/i;

/** Is a file of this name skipped until it is renamed? */
export function isPassedOver(name: string): boolean {
	return passedOver.test(name);
}

/** Entries of a folder to read at a time. */
const entriesPerRead = 1_024;

/**
 * The paths of the files of a folder and its subfolders, relative to the folder, in no guaranteed order. Links to files or folders are not
 * followed, because they could lead anywhere. No file is looked at: network file systems that do not report types in a listing may yield
 * something other than files.
 *
 * @throws the system's error for the folder itself
 */
export async function* watchedPaths(folder: string, below = ''): AsyncIterable<string> {
	const path = join(folder, below);
	let entries: AsyncIterable<Dirent>;
	try {
		entries = await opendir(path, { bufferSize: entriesPerRead });
	} catch (error) {
		if (below !== '' && isMissing(error)) return;
		throw error;
	}
	for await (const entry of entries) {
		if (isPassedOver(entry.name)) continue;
		const inside = join(below, entry.name);
		if (entry.isDirectory()) yield* watchedPaths(folder, inside);
		else if (entry.isFile() || !(entry.isSymbolicLink() || entry.isFIFO() || entry.isSocket())) yield inside;
	}
}

/**
 * The names of the folders between the watched folder and a file, as tags. Characters that a tag cannot contain become hyphens.
 *
 * @example
 * tagsOf('Summer 2026/beach/a.jpg'); // ['Summer 2026', 'beach']
 */
export function tagsOf(path: string): string[] {
	const tags = path.split('/').slice(0, -1).map(tagOf);
	return [...new Set(tags)].filter((tag) => tagPattern.test(tag)).slice(0, maximumTags);
}

function tagOf(name: string): string {
	const plain = cleanLabel(name)
		.replace(/(?:(?![ \u200c\u200d])[\p{C}\p{Z},<>"\\`])+/gu, '-')
		.replace(/^[^\p{L}\p{N}\p{So}]+|[- ]+$/gu, '');
	return [...plain].slice(0, longestTag).join('').trimEnd();
}

export function isMissing(error: unknown): boolean {
	return /^(ENOENT|ENOTDIR)$/.test(String((error as NodeJS.ErrnoException).code));
}

/**
 * The absolute path of the watched folder, with links resolved.
 *
 * @throws ConfigError if the folder does not exist, or if it contains picpipe's own folders or lies in one of them: picpipe would import
 * its own files
 */
export async function findWatchFolder(config: Config, storage: Storage): Promise<string> {
	const { watchFolder } = config;
	if (watchFolder === undefined) throw refusal('received none');
	const folder = await realpath(watchFolder).catch(() => undefined);
	if (!folder || !(await stat(folder)).isDirectory()) throw refusal(`${resolve(watchFolder)} is not one`);
	const own = [config.dataFolder];
	if (storage.description.startsWith('file:')) own.push(storage.description.slice('file:'.length));
	for (const path of own) {
		const real = await realpath(path).catch(() => resolve(path));
		if (isWithin(folder, real) || isWithin(real, folder)) {
			throw refusal(`${folder} and ${real}, where picpipe stores its data, overlap`);
		}
	}
	return folder;
}

function refusal(problem: string): ConfigError {
	return new ConfigError([`PICPIPE_WATCH: expected a folder to watch but ${problem}`]);
}

function isWithin(inner: string, outer: string): boolean {
	const way = relative(outer, inner);
	return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || resolve(way) === way);
}
