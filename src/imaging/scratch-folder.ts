import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { earliestNow } from '../observe/clock.ts';
import type { Logger } from '../observe/log.ts';

/** The folder of one process within the scratch folder. */
export interface OwnFolder {
	readonly path: string;
	/** Deletes the folder. */
	close(): Promise<void>;
}

/** How often a process shows that it uses its folder, milliseconds, and after how long without a sign the folder is left over. */
const sign = { every: 60_000, missingFor: 15 * 60_000 };

/** Folders of processes: the machine and name space of its id, the id, and something random. */
const folderName = /^worker-([0-9a-f]+-\d+)-(\d+)-[0-9a-f]{8}$/;

/**
 * Creates a folder for this process alone, and deletes those of processes that were killed: at once if their ids can be looked up here,
 * otherwise, as for containers that share a volume, when they have shown no sign for a while.
 */
export async function ownScratchFolder(shared: string, log: Logger): Promise<OwnFolder> {
	await mkdir(shared, { recursive: true, mode: 0o700 });
	const path = join(shared, `worker-${whereIdsHold()}-${process.pid}-${randomUUID().slice(0, 8)}`);
	await mkdir(path, { mode: 0o700 });
	await removeLeftovers(shared, path, log);
	const showing = setInterval(() => {
		const now = new Date();
		utimes(path, now, now).catch((err) => log.warn({ err }, 'the scratch folder of this worker is gone'));
		removeLeftovers(shared, path, log).catch((err) => log.debug({ err }, 'leftovers were not looked for'));
	}, sign.every);
	showing.unref();
	return {
		path,
		async close() {
			clearInterval(showing);
			await rm(path, { recursive: true, force: true });
		},
	};
}

async function removeLeftovers(shared: string, own: string, log: Logger): Promise<void> {
	for (const name of await readdir(shared)) {
		const [, where, pid] = folderName.exec(name) ?? [];
		const path = join(shared, name);
		// Whatever else lies there is not ours to delete.
		if (pid === undefined || path === own) continue;
		const isDead = where === whereIdsHold() && !isAlive(Number(pid));
		if (!isDead && !(await hasNoSign(path))) continue;
		await rm(path, { recursive: true, force: true });
		log.info({ folder: path }, 'removed the scratch folder of a worker that has ended');
	}
}

async function hasNoSign(path: string): Promise<boolean> {
	const stats = await stat(path).catch(() => undefined);
	return stats !== undefined && earliestNow() - stats.mtimeMs > sign.missingFor;
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM';
	}
}

/** This run of the machine, and the name space of process ids (pid_namespaces(7)): elsewhere an id means another process. */
function whereIdsHold(): string {
	try {
		const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
		return `${boot}-${/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0}`;
	} catch {
		return `${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-0`;
	}
}
