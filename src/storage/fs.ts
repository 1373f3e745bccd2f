import { randomUUID } from 'node:crypto';
import { createReadStream, readFile, readFileSync } from 'node:fs';
import {
	type FileHandle,
	link,
	mkdir,
	open,
	readdir,
	rename,
	rm,
	rmdir,
	stat,
	statfs,
	writeFile,
} from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import type { ByteRange, Storage } from './storage.ts';

/** Unfinished writes are named `.<uuid>.tmp`, in the folder of the final object. */
const temporaryName = /^\.[0-9a-f-]{36}\.tmp$/;
/** A segment of a key. No leading dot, which excludes `..` and temporary names. */
const keySegment = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** Bytes to read at a time. Each client that reads slowly holds twice that much in memory. */
const readBytes = 128 * 1024;
/** How often a folder may vanish (its last object is deleted) between its creation and its use. */
const maximumFolderTries = 5;

/** A folder that others still write to is not empty. They soon notice that it is gone. (Delay in milliseconds, growing.) */
const patience = { maxRetries: 20, retryDelay: 10 };

/** Stores objects as files in a folder, with durable writes: temporary file, fsync, rename, fsync of the folder. */
export function openFileStorage(rootFolder: string): Storage {
	const root = resolve(rootFolder);

	const pathOf = (key: string, { temporary = false } = {}): string => {
		const segments = key.replace(/\/$/, '').split('/');
		const isPlain = (segment: string, place: number) =>
			keySegment.test(segment) || (temporary && place === segments.length - 1 && temporaryName.test(segment));
		if (!segments.every(isPlain)) {
			throw new TypeError(`Expected a storage key of plain segments but received ${JSON.stringify(key)}.`);
		}
		return join(root, ...segments);
	};

	const openTemporary = async (folder: string): Promise<{ file: FileHandle; path: string }> => {
		const path = join(folder, `.${randomUUID()}.tmp`);
		for (let tries = 1; ; tries++) {
			try {
				// Not readable by other users, because originals may be private.
				return { file: await open(path, 'wx', 0o600), path };
			} catch (error) {
				if (!isMissing(error) || tries === maximumFolderTries) throw error;
				await makeFolderDurably(folder);
			}
		}
	};

	return {
		description: `file:${root}`,

		async put(key, body, { isFollowed = false } = {}) {
			const path = pathOf(key);
			const temporary = await openTemporary(dirname(path));
			try {
				await writeDurably(temporary.file, body);
				await rename(temporary.path, path);
				if (!isFollowed) await syncFolder(dirname(path));
			} catch (error) {
				await rm(temporary.path, { force: true });
				throw error;
			}
		},

		async create(key, body) {
			const path = pathOf(key);
			const temporary = await openTemporary(dirname(path));
			try {
				await writeDurably(temporary.file, body);
				const isNew = await linkNew(temporary.path, path);
				if (isNew) await syncFolder(dirname(path));
				return isNew;
			} finally {
				await rm(temporary.path, { force: true });
			}
		},

		async get(key, range?: ByteRange) {
			const path = pathOf(key);
			let file: FileHandle;
			try {
				file = await open(path, 'r');
			} catch (error) {
				if (isMissing(error)) return undefined;
				throw error;
			}
			try {
				const { size, mtime } = await file.stat();
				const { start, end } = range ?? { start: 0, end: size - 1 };
				if (end < start) {
					await file.close();
					return { bytes: size, modifiedAt: mtime, stream: Readable.from([]) };
				}
				const stream = createReadStream(path, { fd: file, start, end, highWaterMark: readBytes });
				return { bytes: size, modifiedAt: mtime, stream };
			} catch (error) {
				await file.close();
				throw error;
			}
		},

		read: (key) =>
			// With callbacks: half of the CPU time of promises, and a quarter of that of a stream.
			new Promise((resolve, reject) =>
				readFile(pathOf(key), (error, bytes) => {
					if (!error) resolve(bytes);
					else if (isMissing(error)) resolve(undefined);
					else reject(error);
				}),
			),

		readSync(key) {
			try {
				return readFileSync(pathOf(key));
			} catch (error) {
				if (isMissing(error)) return undefined;
				throw error;
			}
		},

		async stat(key) {
			try {
				const { size, mtime } = await stat(pathOf(key, { temporary: true }));
				return { bytes: size, modifiedAt: mtime };
			} catch (error) {
				if (isMissing(error)) return undefined;
				throw error;
			}
		},

		async delete(key) {
			const path = pathOf(key, { temporary: true });
			try {
				await rm(path);
			} catch (error) {
				if (isMissing(error)) return;
				throw error;
			}
			await syncFolder(dirname(path));
		},

		async *list(folder, options = {}) {
			yield* listFolder(pathOf(folder), folder, options.temporary === true);
		},

		async folders(folder) {
			const entries = await readdir(pathOf(folder), { withFileTypes: true }).catch((error) => {
				if (isMissing(error)) return [];
				throw error;
			});
			return entries.flatMap((entry) => (entry.isDirectory() && keySegment.test(entry.name) ? [entry.name] : []));
		},

		async deleteFolder(folder) {
			const path = pathOf(folder);
			await rm(path, { recursive: true, force: true, ...patience });
			await removeEmptyParents(dirname(path), root);
		},

		localPath: (key) => pathOf(key),

		async room() {
			// The folder does not exist before the first object.
			const { bavail, blocks, bsize } = await statfs(await nearestFolder(root));
			// `bavail` excludes the space that is reserved for root.
			return { free: bavail * bsize, total: blocks * bsize };
		},
	};
}

/** Errors of `link` on file systems without hard links: FAT, and some network or host mounts. */
const linkless = /^(EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS|EMLINK)$/;

/**
 * Gives a finished file its name, unless the name is taken. Without hard links, two processes that check at the same moment may both
 * rename.
 */
async function linkNew(temporary: string, path: string): Promise<boolean> {
	try {
		await link(temporary, path);
		return true;
	} catch (error) {
		const { code = '' } = error as NodeJS.ErrnoException;
		if (code === 'EEXIST') return false;
		if (!linkless.test(code)) throw error;
	}
	if (await stat(path).catch(() => undefined)) return false;
	await rename(temporary, path);
	return true;
}

async function nearestFolder(folder: string): Promise<string> {
	for (let path = folder; ; path = dirname(path)) {
		try {
			if ((await stat(path)).isDirectory() || path === dirname(path)) return path;
		} catch (error) {
			if (!isMissing(error) || path === dirname(path)) throw error;
		}
	}
}

async function writeDurably(file: FileHandle, body: Buffer | AsyncIterable<Buffer>): Promise<void> {
	try {
		if (Buffer.isBuffer(body)) await writeFile(file, body);
		else await writeGathered(file, body);
		await file.sync();
	} finally {
		await file.close();
	}
}

/**
 * Bytes and chunks to gather before a write. Writing a socket's 64 kB chunks one by one costs more in system calls than gathering them. Each
 * upload holds that much in memory, and a chunk of a dripping client has one byte and a hundred times as much around it.
 */
const gathered = { bytes: 128 * 1024, chunks: 64 };

async function writeGathered(file: FileHandle, body: AsyncIterable<Buffer>): Promise<void> {
	let chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of body) {
		chunks.push(chunk);
		bytes += chunk.length;
		if (bytes < gathered.bytes && chunks.length < gathered.chunks) continue;
		await writeAll(file, chunks);
		chunks = [];
		bytes = 0;
	}
	await writeAll(file, chunks);
}

/** The kernel may write less than requested, for example on a nearly full disk. */
async function writeAll(file: FileHandle, chunks: Buffer[]): Promise<void> {
	if (chunks.length === 0) return;
	const expected = chunks.reduce((sum, { length }) => sum + length, 0);
	const { bytesWritten } = await file.writev(chunks);
	if (bytesWritten < expected) await writeFile(file, Buffer.concat(chunks).subarray(bytesWritten));
}

/** A new folder survives a power cut only if its parents are synced too, up to the first one that already existed. */
async function makeFolderDurably(folder: string): Promise<void> {
	const first = await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error) => explainMissing(folder, error));
	if (first === undefined) return;
	for (let parent = dirname(folder); parent.length >= dirname(first).length; parent = dirname(parent)) {
		await syncFolder(parent);
		if (parent === dirname(parent)) return;
	}
}

/**
 * Node reports a folder on a read-only file system as missing when it creates parents too. Creating the first of them alone tells why it is
 * not possible.
 */
async function explainMissing(folder: string, error: unknown): Promise<undefined> {
	if (!isMissing(error)) throw error;
	const parent = await nearestFolder(folder);
	const [name = ''] = relative(parent, folder).split(sep);
	await mkdir(join(parent, name), { mode: 0o700 }).catch((reason) => {
		throw (reason as NodeJS.ErrnoException).code === 'EEXIST' ? error : reason;
	});
	await makeFolderDurably(folder);
	await syncFolder(parent);
}

async function syncFolder(folder: string): Promise<void> {
	let handle: FileHandle;
	try {
		handle = await open(folder, 'r');
	} catch (error) {
		if (isMissing(error)) return;
		throw error;
	}
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

async function* listFolder(path: string, key: string, temporary: boolean): AsyncIterable<string> {
	let entries: import('node:fs').Dirent[];
	try {
		entries = await readdir(path, { withFileTypes: true });
	} catch (error) {
		if (isMissing(error)) return;
		throw error;
	}
	for (const entry of entries) {
		if (entry.isDirectory()) yield* listFolder(join(path, entry.name), `${key}${entry.name}/`, temporary);
		else if (keySegment.test(entry.name) || (temporary && temporaryName.test(entry.name))) yield `${key}${entry.name}`;
	}
}

/** Removes the day, month and year folders that a purge has emptied. Stops at the first folder that is not empty. */
async function removeEmptyParents(folder: string, root: string): Promise<void> {
	for (let path = folder; path.startsWith(root + sep); path = dirname(path)) {
		try {
			await rmdir(path);
		} catch (error) {
			if (isMissing(error)) continue;
			await syncFolder(path);
			return;
		}
	}
}

function isMissing(error: unknown): boolean {
	const code = (error as NodeJS.ErrnoException).code;
	return code === 'ENOENT' || code === 'ENOTDIR';
}
