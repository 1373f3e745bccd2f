import { execFile } from 'node:child_process';
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from '../observe/log.ts';
import type { RedisPlace } from './redis-place.ts';

/** What Redis keeps: since version 7 a folder with a manifest, before that one file. */
const dataNames = ['appendonlydir', 'appendonly.aof'] as const;
const checkedNames = ['appendonlydir/appendonly.aof.manifest', 'appendonly.aof'] as const;

/** Longest piece that is cut off a file, bytes, unless it consists of zeros, which a power cut leaves behind. */
const mostCut = 64 * 1024;
/**
 * A command after the first bytes of the piece. Redis would go back to a state before it, with jobs of pictures that were deleted since; an empty
 * Redis is rebuilt.
 */
const laterCommand = /[\s\S]\*\d+\r\n\$\d+\r\n/;
/** Folders with damaged data to keep, for people who want to look. */
const keptFolders = 2;
const folderPrefix = 'damaged-';

/** Reasons that keep Redis from starting with any data. */
const otherReasons =
	/Permission denied|No space left|Read-only file system|Out Of Memory|Cannot allocate|Address already in use|Failed opening Unix socket|Too many open files|Bad directive|FATAL CONFIG/i;

/** Whether a server that could not start may be able to with other data. @param lastLines of its log */
export function isDamage(lastLines: string, signal: NodeJS.Signals | null): boolean {
	return signal !== 'SIGKILL' && signal !== 'SIGTERM' && !otherReasons.test(lastLines);
}

/**
 * Cuts off the damaged end of the append-only file, and keeps it.
 *
 * @param program the server; its checker is beside it
 * @returns false if the damage is elsewhere or too large
 */
export async function cutDamage(place: RedisPlace, program: string, log: Logger): Promise<boolean> {
	for (const name of checkedNames) {
		const found = await findDamage(join(place.folder, name), program);
		if (!found) continue;
		const file = join(place.folder, dirname(name), found.file);
		const handle = await open(file, 'r+');
		try {
			const size = (await handle.stat()).size;
			const length = size - found.goodBytes;
			const kept = Buffer.alloc(Math.min(length, mostCut));
			await handle.read(kept, 0, kept.length, found.goodBytes);
			if (length > mostCut && !(await isZero(handle, found.goodBytes, size))) return false;
			if (laterCommand.test(kept.toString('latin1'))) return false;
			const folder = await makeFolder(place);
			await writeFile(join(folder, found.file), kept);
			await handle.truncate(found.goodBytes);
			await handle.sync();
			log.warn(
				{ file, bytes: length, folder },
				`Redis could not read the last ${length} bytes of its append-only file. They were cut off; what they were is done again from storage`,
			);
			return true;
		} finally {
			await handle.close();
		}
	}
	return false;
}

/** Moves the data of Redis aside, so that it starts empty. @returns puts them back */
export async function setDataAside(place: RedisPlace): Promise<{ readonly folder: string; undo(): Promise<void> }> {
	const folder = await makeFolder(place);
	const moved: string[] = [];
	for (const name of dataNames) {
		if (await move(join(place.folder, name), join(folder, name))) moved.push(name);
	}
	return {
		folder,
		async undo() {
			for (const name of moved) {
				await rm(join(place.folder, name), { recursive: true, force: true });
				await move(join(folder, name), join(place.folder, name));
			}
			await rm(folder, { recursive: true, force: true });
		},
	};
}

/** A new folder for damaged data. The oldest are deleted. */
async function makeFolder({ folder }: RedisPlace): Promise<string> {
	const earlier = (await readdir(folder)).filter((name) => name.startsWith(folderPrefix)).sort();
	for (const name of earlier.slice(0, Math.max(0, earlier.length - keptFolders + 1)))
		await rm(join(folder, name), { recursive: true, force: true });
	const made = join(folder, folderPrefix + new Date().toISOString().replaceAll(':', '-'));
	await mkdir(made, { mode: 0o700 });
	return made;
}

/** Asks Redis's own checker. Undefined if it is not installed, or finds nothing that cutting off could repair. */
async function findDamage(file: string, program: string): Promise<{ file: string; goodBytes: number } | undefined> {
	const checker = program.replace(/-server$/, '-check-aof');
	const report = await promisify(execFile)(checker, [file], { cwd: dirname(file) }).catch(
		(error: { stdout?: string }) => error,
	);
	// `AOF analyzed: filename=appendonly.aof.1.incr.aof, size=178, ok_up_to=168, ok_up_to_line=41, diff=10`
	const rows = (report.stdout ?? '').matchAll(
		/^AOF analyzed: filename=([^,]+), size=\d+, ok_up_to=(\d+),.* diff=([1-9]\d*)/gm,
	);
	const [, name = '', goodBytes] = [...rows].at(-1) ?? [];
	// A manifest that it cannot read is reported as a file of commands.
	const isCommands = file.endsWith('.manifest') ? /^[^/]+\.incr\.aof$/.test(name) : name.endsWith('appendonly.aof');
	return isCommands ? { file: basename(name), goodBytes: Number(goodBytes) } : undefined;
}

async function isZero(handle: Awaited<ReturnType<typeof open>>, from: number, to: number): Promise<boolean> {
	const chunk = Buffer.alloc(1024 * 1024);
	for (let at = from; at < to; ) {
		const { bytesRead } = await handle.read(chunk, 0, Math.min(chunk.length, to - at), at);
		if (bytesRead === 0 || chunk.subarray(0, bytesRead).some((byte) => byte !== 0)) return bytesRead === 0;
		at += bytesRead;
	}
	return true;
}

async function move(from: string, to: string): Promise<boolean> {
	try {
		await rename(from, to);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
		throw error;
	}
}
