import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import type { ByteRange, Storage, StoredObject } from './storage.ts';

/** Unfinished writes are named `.<uuid>.tmp` and lie in the folder of the object they will become. */
const temporaryName = /^\.[0-9a-f-]{36}\.tmp$/;
/** A segment of a key. No leading dot, so that neither `..` nor a temporary name can be one. */
const keySegment = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** How often a folder may vanish (its last object deleted) between making and using it. */
const maximumFolderTries = 5;

/** Keeps objects as files below a folder, with durable writes: temporary file, fsync, rename, fsync of the folder. */
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
				// Never readable by other users: originals may be private.
				return { file: await open(path, 'wx', 0o600), path };
			} catch (error) {
				if (!isMissing(error) || tries === maximumFolderTries) throw error;
				await makeFolderDurably(folder);
			}
		}
	};

	return {
		description: `file:${root}`,

		async put(key, body): Promise<StoredObject> {
			const path = pathOf(key);
			const temporary = await openTemporary(dirname(path));
			try {
				const stored = await writeDurably(temporary.file, body);
				await rename(temporary.path, path);
				await syncFolder(dirname(path));
				return stored;
			} catch (error) {
				await rm(temporary.path, { force: true });
				throw error;
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
				const stream = createReadStream(path, { fd: file, ...(range && { start: range.start, end: range.end }) });
				return { bytes: size, modifiedAt: mtime, stream };
			} catch (error) {
				await file.close();
				throw error;
			}
		},

		async stat(key) {
			try {
				const { size, mtime } = await stat(pathOf(key));
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

		async deleteFolder(folder) {
			const path = pathOf(folder);
			await rm(path, { recursive: true, force: true });
			await removeEmptyParents(dirname(path), root);
		},
	};
}

async function writeDurably(file: FileHandle, body: Buffer | Readable): Promise<StoredObject> {
	try {
		await writeFile(file, body);
		await file.sync();
		const { size, mtime } = await file.stat();
		return { bytes: size, modifiedAt: mtime };
	} finally {
		await file.close();
	}
}

/** A new folder survives a power cut only when the folders that name it are synced, up to the first that was there before. */
async function makeFolderDurably(folder: string): Promise<void> {
	const first = await mkdir(folder, { recursive: true, mode: 0o700 });
	if (first === undefined) return;
	for (let parent = dirname(folder); parent.length >= dirname(first).length; parent = dirname(parent)) {
		await syncFolder(parent);
		if (parent === dirname(parent)) return;
	}
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

/** Takes away the day, month and year folders that a purge has emptied; one that isn't empty stops it. */
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
