import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What an interrupted run recorded about one item. */
export interface Entry {
	/** Sent as `Idempotency-Key`: however often the item is sent, it becomes one picture. */
	readonly key: string;
	/** URL of the resumable upload, if one was begun. */
	readonly uploadUrl?: string;
	/** Id of the picture, once it was accepted. */
	readonly picture?: string;
}

/** Records the progress of a run, so that it can be resumed after an interruption. */
export interface Journal {
	read(name: string): Promise<Entry>;
	write(name: string, entry: Entry): Promise<void>;
	forget(name: string): Promise<void>;
}

/** Age at which an entry is useless, milliseconds. By default, the API keeps unfinished uploads for a day. */
const oldest = 7 * 86_400_000;

/** The state folder of the XDG specification (https://specifications.freedesktop.org/basedir-spec). */
export function journalFolder(environment: NodeJS.ProcessEnv): string {
	return join(environment.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'picpipe', 'uploads');
}

/** The name of an entry. A change of any part, such as the file's time or the recipe, makes it a different upload. */
export function entryName(...parts: readonly unknown[]): string {
	return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/**
 * Opens the journal and deletes old entries. Each entry is a file of its own, so that concurrent runs do not disturb each other.
 *
 * @param onTrouble called once if the journal cannot be written; the uploads continue without it
 */
export async function openJournal(folder: string, onTrouble: (error: Error) => void): Promise<Journal> {
	let isTroubled = false;
	const orTrouble = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
		try {
			return await work();
		} catch (error) {
			if (!isTroubled) onTrouble(error as Error);
			isTroubled = true;
			return otherwise;
		}
	};
	const pathOf = (name: string) => join(folder, `${name}.json`);
	await orTrouble(() => prepare(folder), undefined);
	return {
		async read(name) {
			const text = await readFile(pathOf(name), 'utf8').catch(() => undefined);
			return parse(text) ?? { key: randomUUID() };
		},
		write: (name, entry) =>
			orTrouble(async () => {
				const temporary = `${pathOf(name)}.${randomUUID()}`;
				// Upload URLs are private.
				await writeFile(temporary, JSON.stringify(entry), { mode: 0o600 });
				await rename(temporary, pathOf(name));
			}, undefined),
		forget: (name) => orTrouble(() => rm(pathOf(name), { force: true }), undefined),
	};
}

async function prepare(folder: string): Promise<void> {
	await mkdir(folder, { recursive: true, mode: 0o700 });
	for (const name of await readdir(folder)) {
		const path = join(folder, name);
		const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
		if (Date.now() - mtimeMs > oldest) await rm(path, { force: true });
	}
}

function parse(text: string | undefined): Entry | undefined {
	if (text === undefined) return undefined;
	try {
		const entry = JSON.parse(text) as Partial<Entry> | null;
		return typeof entry?.key === 'string' ? { ...entry, key: entry.key } : undefined;
	} catch {
		return undefined;
	}
}
