import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { concernsAll, Refusal } from './answer.ts';
import type { Api } from './api.ts';
import { type Entry, entryName, type Journal } from './journal.ts';
import type { Progress } from './progress.ts';
import type { RetryOptions } from './retry.ts';
import { type Fields, type Item, type Sent, send } from './send.ts';
import type { Result } from './summary.ts';

/** The dependencies and options of a run. */
export interface Run {
	readonly api: Api;
	readonly fields: Fields;
	readonly parallel: number;
	/** Ignore the journal of an interrupted run. */
	readonly fresh: boolean;
	readonly journal: Journal;
	readonly progress: Progress;
	/** Largest file that the API accepts, bytes. */
	readonly largestFile: number;
	/** Aborted by an interruption, and by a refusal that concerns all items. */
	readonly stop: AbortController;
}

/** The result of a run. */
export interface Outcome {
	readonly results: Result[];
	/** The refusal that ended the run, because it concerns all items. */
	readonly fatal: Refusal | undefined;
}

/**
 * Uploads all items, several at a time, and returns the results in their order. A refused item does not stop the others, unless the refusal
 * concerns all.
 */
export async function uploadAll(run: Run, items: readonly Item[]): Promise<Outcome> {
	const results: Result[] = items.map((item) => ({ ...shown(item), state: 'unsent' }));
	let fatal: Refusal | undefined;
	const waiting = items.entries();
	const work = async () => {
		for (const [at, item] of waiting) {
			if (run.stop.signal.aborted) return;
			const result = await uploadOne(run, item).catch((error) => {
				if (run.stop.signal.aborted) return undefined;
				if (isOfFile(error))
					return { ...shown(item), state: 'refused', problem: { code: 'unreadable', detail: error.message } };
				if (!(error instanceof Refusal)) throw error;
				if (concernsAll(error)) {
					fatal = error;
					run.stop.abort(error);
				}
				const problem = { code: error.code, detail: error.message };
				return { ...shown(item), state: 'refused', problem };
			});
			if (!result) return;
			results[at] = result;
			run.progress.ended(result);
		}
	};
	await Promise.all(Array.from({ length: run.parallel }, work));
	return { results, fatal };
}

/** Is the file at fault: missing or unreadable? */
function isOfFile(error: unknown): error is NodeJS.ErrnoException {
	return error instanceof Error && 'syscall' in error && 'path' in error;
}

async function uploadOne(run: Run, item: Item): Promise<Result> {
	if ('path' in item) await access(item.path, constants.R_OK);
	const { api, journal, fields, progress, largestFile } = run;
	const name = await nameOf(run, item);
	if (run.fresh) await journal.forget(name);
	const entry = await journal.read(name);
	const bytes = 'bytes' in item ? item.bytes : 0;
	if (entry.picture !== undefined) {
		progress.wasThere(item.name, bytes);
		return { ...shown(item), picture: entry.picture, state: 'queued', isFromBefore: true };
	}
	if (bytes > largestFile) {
		const detail = `Expected at most ${largestFile} bytes for a file but it has ${bytes}.`;
		throw new Refusal(detail, { status: 413, code: 'file-too-large' });
	}
	let latest: Entry = entry;
	const remember = (known: Entry) => {
		latest = known;
		return journal.write(name, known);
	};
	const onProgress = (sent: number) => progress.sent(item.name, sent);
	const onResume = (there: number) => progress.wasThere(item.name, there);
	let sent: Sent;
	try {
		sent = await send(item, { api, fields, entry, remember, onProgress, onResume, ...retryOf(run, item.name) });
	} catch (error) {
		// A later run starts this item again from the beginning.
		if (error instanceof Refusal && error.status !== undefined && error.status < 500) await journal.forget(name);
		throw error;
	}
	await journal.write(name, { ...latest, picture: sent.picture });
	progress.sent(item.name, bytes);
	return { ...shown(item), ...sent };
}

/** A changed file, another recipe or another API makes a different upload. */
export async function nameOf({ api, fields }: Run, item: Item): Promise<string> {
	if ('url' in item) return entryName(api.url, fields, item.url);
	const { size, mtimeMs } = await stat(item.path);
	return entryName(api.url, fields, resolve(item.path), size, mtimeMs);
}

/** Retry options that show each wait. */
export function retryOf({ progress, stop }: Run, name: string): RetryOptions {
	return {
		signal: stop.signal,
		onWait: ({ message }, seconds) => progress.note(`${name}: ${message} Again in ${Math.ceil(seconds)} s.`),
	};
}

function shown(item: Item): { readonly name: string; readonly bytes?: number } {
	return { name: item.name, ...('bytes' in item && { bytes: item.bytes }) };
}
