import type { Dirent, Stats } from 'node:fs';
import { lstat, opendir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { type Config, ConfigError } from '../config/index.ts';
import { maximumTags, tagPattern } from '../domain/picture.ts';
import type { Storage } from '../storage/storage.ts';

/** Folder inside the watched folder that imported and refused files are moved to. The leading dot keeps it out of the scan. */
export const movedFolder = '.picpipe';

/** What tells one content of a file from the next, as far as that can be told without reading it. */
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

/** The state of a file, or undefined where there is none: nothing there, or something that is no file, such as a link. */
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
 * Names that programs give to files which they have not finished, and files that systems put into folders: those of browsers, rsync, sync
 * clients, editors and Office. Names that begin with a dot are passed over in any case.
 */
const passedOver =
	/^\.|^~|~$|\.(part|partial|tmp|temp|crdownload|download|opdownload|filepart|!ut|!qb|aria2|swp|lock)$|^(Thumbs\.db|desktop\.ini)$/i;

/** Is it a name that is waited with, for ever if it stays? */
export function isPassedOver(name: string): boolean {
	return passedOver.test(name);
}

/**
 * The files of a folder and of those below it, one after the other, in no promised order. Links are not followed, to files or to folders: they
 * could lead anywhere. What vanishes whileWaiting is passed over.
 *
 * @throws what the system says about the folder itself
 */
export async function* watchedFiles(folder: string, below = ''): AsyncIterable<WatchedFile> {
	const path = join(folder, below);
	let entries: AsyncIterable<Dirent>;
	try {
		entries = await opendir(path);
	} catch (error) {
		if (below !== '' && isMissing(error)) return;
		throw error;
	}
	for await (const entry of entries) {
		if (isPassedOver(entry.name)) continue;
		const inside = join(below, entry.name);
		if (entry.isDirectory()) yield* watchedFiles(folder, inside);
		// Some network file systems don't say in a listing what things are.
		else if (entry.isFile() || !(entry.isSymbolicLink() || entry.isFIFO() || entry.isSocket())) {
			const state = await stateAt(join(folder, inside));
			if (state) yield { path: inside, state };
		}
	}
}

/**
 * The names of the folders between the watched one and a file, as tags: what no tag may hold becomes a hyphen.
 *
 * @example
 * tagsOf('Summer 2026/beach/a.jpg'); // ['Summer-2026', 'beach']
 */
export function tagsOf(path: string): string[] {
	const tags = path
		.normalize('NFC')
		.split('/')
		.slice(0, -1)
		.map((name) =>
			name
				.replace(/[^\p{L}\p{N}_.:-]+/gu, '-')
				.replace(/^[^\p{L}\p{N}]+|-+$/gu, '')
				.slice(0, longestTag),
		);
	return [...new Set(tags)].filter((tag) => tagPattern.test(tag)).slice(0, maximumTags);
}

/** As `tagPattern` has it, characters. */
const longestTag = 64;

export function isMissing(error: unknown): boolean {
	return /^(ENOENT|ENOTDIR)$/.test(String((error as NodeJS.ErrnoException).code));
}

/**
 * The absolute path of the watched folder, links resolved.
 *
 * @throws ConfigError when there is no such folder, or when it and picpipe's own folders lie within each other: it would take in what it has made
 */
export async function findWatchFolder(config: Config, storage: Storage): Promise<string> {
	const { watchFolder } = config;
	if (watchFolder === undefined) throw refusal('received none');
	const folder = await realpath(watchFolder).catch(() => undefined);
	if (!folder || !(await stat(folder)).isDirectory()) throw refusal(`there is none at ${resolve(watchFolder)}`);
	const own = [config.dataFolder];
	if (storage.description.startsWith('file:')) own.push(storage.description.slice('file:'.length));
	for (const path of own) {
		const real = await realpath(path).catch(() => resolve(path));
		if (isWithin(folder, real) || isWithin(real, folder)) {
			throw refusal(`${folder} and ${real}, where picpipe keeps things, lie within each other`);
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
