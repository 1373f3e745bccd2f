import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The process that holds the data folder. */
interface Holder {
	readonly pid: number;
	/** Start time of that process as the kernel reports it, to distinguish it from a later process with the same id. */
	readonly started: string;
}

/** Returned while another process uses the folder. */
export interface LockRefusal {
	readonly pid: number;
}

/** An unreadable lock is still being written; after this time, milliseconds, it is incomplete. */
const writingTime = 200;

/**
 * Makes this process the only user of the data folder. The lock of a killed process does not count.
 *
 * @returns a function that releases the folder, or the process that holds it
 */
export async function lockDataFolder(dataFolder: string): Promise<(() => Promise<void>) | LockRefusal> {
	const file = join(dataFolder, 'start.lock');
	const mine = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) } satisfies Holder);
	for (;;) {
		try {
			await writeFile(file, mine, { flag: 'wx' });
			return async () => {
				if ((await readFile(file, 'utf8').catch(() => '')) === mine) await rm(file, { force: true });
			};
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
		}
		const found = await readLock(file);
		const holder = parse(found);
		if (holder && holder.pid !== process.pid && (await isAlive(holder))) return { pid: holder.pid };
		await removeStale(file, found);
	}
}

/** Renaming is the one step in which only one of several processes succeeds. */
async function removeStale(file: string, stale: string): Promise<void> {
	const aside = `${file}.${process.pid}`;
	try {
		await rename(file, aside);
	} catch {
		return; // Another process was faster.
	}
	// The renamed file may be the new lock of another process; then it is put back.
	if ((await readFile(aside, 'utf8')) === stale) await rm(aside);
	else await rename(aside, file);
}

async function readLock(file: string): Promise<string> {
	const text = await readFile(file, 'utf8').catch(() => '');
	if (parse(text)) return text;
	await sleep(writingTime);
	return readFile(file, 'utf8').catch(() => '');
}

function parse(text: string): Holder | undefined {
	try {
		const holder = JSON.parse(text) as Holder;
		return Number.isInteger(holder.pid) && holder.pid > 0 ? holder : undefined;
	} catch {
		return undefined;
	}
}

async function isAlive(holder: Holder): Promise<boolean> {
	try {
		process.kill(holder.pid, 0);
	} catch (error) {
		// EPERM: the process exists and belongs to another user.
		if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
	}
	return (await startOf(holder.pid)) === holder.started;
}

/** Field 22 of proc_pid_stat(5), clock ticks since boot; empty on systems without /proc. A zombie counts as ended. */
async function startOf(pid: number): Promise<string> {
	const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
	// The name in field 2 may contain spaces and parentheses.
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
}
