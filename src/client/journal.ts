import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What is known of one thing to upload from an earlier run that did not come to its end. */
export interface Entry {
	/** Sent as `Idempotency-Key`: however often it has to be sent, it becomes one picture. */
	readonly key: string;
	/** URL of a resumable upload that was begun. */
	readonly uploadUrl?: string;
	/** The picture that it has become. */
	readonly picture?: string;
}

/** Remembers what a run has done, so that one that was interrupted can be gone on with. */
export interface Journal {
	read(name: string): Promise<Entry>;
	write(name: string, entry: Entry): Promise<void>;
	forget(name: string): Promise<void>;
}

/** Age at which an entry is of no use any more, milliseconds: apis keep unfinished uploads for a day unless set otherwise. */
const oldest = 7 * 86_400_000;

/** Where programs keep what they remember (https://specifications.freedesktop.org/basedir-spec). */
export function journalFolder(environment: NodeJS.ProcessEnv): string {
	return join(environment.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'picpipe', 'uploads');
}

/** The name of an entry. What is part of it makes another upload when it changes, such as the file's time, or the recipe. */
export function entryName(...parts: readonly unknown[]): string {
	return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/**
 * Opens the journal and forgets what is too old. A file of its own for each entry, so that runs at the same time don't disturb each other.
 *
 * @param onTrouble told once when nothing can be remembered; the uploads go on without
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
				// URLs of uploads are nobody else's business.
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
