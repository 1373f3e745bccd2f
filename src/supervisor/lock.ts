import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Who holds the data folder. */
interface Holder {
	readonly pid: number;
	/** When that process started, in the kernel's own words; tells it from a later one with the same id. */
	readonly started: string;
}

/** Given while the folder is in use by another process. */
export interface LockRefusal {
	readonly pid: number;
}

/** An unreadable lock is one that is being written; longer than this, milliseconds, and it is a torn one. */
const writingTime = 200;

/**
 * Makes this process the only one that uses the data folder. The lock of a process that was killed doesn't count.
 *
 * @returns how to give the folder back, or who has it
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

/** Renaming is the one step that only one of several processes can win. */
async function removeStale(file: string, stale: string): Promise<void> {
	const aside = `${file}.${process.pid}`;
	try {
		await rename(file, aside);
	} catch {
		return; // Somebody else was quicker.
	}
	// What was moved may be the new lock of that somebody: then it goes back.
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
		// EPERM: it is there and belongs to somebody else.
		if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
	}
	return (await startOf(holder.pid)) === holder.started;
}

/** Field 22 of proc_pid_stat(5), clock ticks since boot; nothing where there is no /proc. A zombie counts as gone. */
async function startOf(pid: number): Promise<string> {
	const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
	// The name in field 2 may hold spaces and brackets of its own.
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
}
