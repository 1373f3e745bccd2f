import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { PicpipeError } from '../errors.ts';
import { findPictures } from '../files/find.ts';
import { concernsAll, Refusal } from './answer.ts';
import { type Api, connectApi } from './api.ts';
import { type Entry, entryName, type Journal, journalFolder, openJournal } from './journal.ts';
import { type Progress, showProgress } from './progress.ts';
import type { RetryOptions } from './retry.ts';
import { type Fields, type Item, type Sent, send } from './send.ts';
import { isGood, type Result, uploadSummary } from './summary.ts';
import { type Ended, waitForEnd } from './wait.ts';

export interface UploadCommand {
	/** Files, folders whose pictures are all taken, and addresses. */
	readonly sources: readonly string[];
	/** Address of the api. */
	readonly api: string;
	/** An API key or an upload token. */
	readonly key: string | undefined;
	readonly fields: Fields;
	/** Uploads at the same time. */
	readonly parallel: number;
	/** Until all pictures are ready or failed. */
	readonly wait: boolean;
	/** Forget what an earlier run has done that was interrupted. */
	readonly fresh: boolean;
	/** Results as JSON instead of the table. */
	readonly json: boolean;
	/** Aborted by whoever interrupts it. */
	readonly signal: AbortSignal;
}

/** Tells that nothing could be done, or that no further file would fare better: exit code 2. */
export class UploadError extends Error {
	override readonly name = 'UploadError';
}

interface Run extends Omit<UploadCommand, 'api'> {
	readonly api: Api;
	readonly journal: Journal;
	readonly progress: Progress;
	readonly largestFile: number;
	/** Ended by an interruption, and by a refusal that concerns all. */
	readonly stop: AbortController;
}

/**
 * `picpipe upload`: progress on standard error while it works, the table on standard output at the end.
 *
 * @returns the exit code: 0 all accepted (with `wait` all ready), 1 some were not, 130 interrupted
 * @throws UploadError, PicpipeError `no-file`
 */
export async function runUploadCommand(command: UploadCommand): Promise<number> {
	const started = performance.now();
	const items = await itemsOf(command.sources);
	const api = connectApi(command.api, command.key);
	const largestFile = await api.largestFile(command.signal).catch((error) => {
		if (error instanceof Refusal) throw new UploadError(`There is no picpipe at ${api.url}: ${error.message}`);
		throw error;
	});
	const journal = await openJournal(journalFolder(process.env), ({ message }) =>
		process.stderr.write(`What is done cannot be remembered, and so not be gone on with: ${message}\n`),
	);
	const totalBytes = items.reduce((sum, item) => sum + ('bytes' in item ? item.bytes : 0), 0);
	const progress = showProgress(items.length, totalBytes);
	const stop = new AbortController();
	const interrupt = () => stop.abort(command.signal.reason);
	command.signal.addEventListener('abort', interrupt, { once: true });
	command.signal.throwIfAborted();
	const run: Run = { ...command, api, journal, progress, largestFile, stop };
	let fatal: Refusal | undefined;
	let results: Result[];
	try {
		({ results, fatal } = await uploadAll(run, items));
		if (command.wait && !fatal && !stop.signal.aborted) {
			({ results, fatal } = await awaitAll(run, results));
		}
	} finally {
		progress.close();
	}
	await forgetWhatIsDone(run, items, results);
	const seconds = (performance.now() - started) / 1_000;
	process.stdout.write(command.json ? `${JSON.stringify(results, null, 2)}\n` : uploadSummary(results, seconds));
	if (command.signal.aborted) {
		process.stderr.write('Interrupted. The same command goes on where this one was.\n');
		return interrupted;
	}
	if (fatal) throw new UploadError(`${fatal.message} (${fatal.code})`);
	return results.every(isGood) ? 0 : 1;
}

/** As shells have it: 128 and the number of SIGINT. */
const interrupted = 130;

/** @throws PicpipeError `no-file` */
async function itemsOf(sources: readonly string[]): Promise<readonly Item[]> {
	const isUrl = (source: string) => /^https?:\/\//i.test(source);
	const paths = sources.filter((source) => !isUrl(source));
	const files = paths.length > 0 ? await findPictures(paths) : [];
	const found = await Promise.all(
		[...new Set(files.map(({ path }) => path))].map(async (path) => ({
			name: path,
			path,
			bytes: (await stat(path)).size,
		})),
	);
	return [...found, ...[...new Set(sources.filter(isUrl))].map((url) => ({ name: url, url }))];
}

interface Outcome {
	readonly results: Result[];
	readonly fatal: Refusal | undefined;
}

/** All items, some at the same time, and the results in their order. One that is refused doesn't stop the others, unless it would be so with all. */
async function uploadAll(run: Run, items: readonly Item[]): Promise<Outcome> {
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

/** Is it the file that is at fault: gone, or not to be read? */
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
		// It is to be sent anew, should it be asked for again.
		if (error instanceof Refusal && error.status !== undefined && error.status < 500) await journal.forget(name);
		throw error;
	}
	await journal.write(name, { ...latest, picture: sent.picture });
	progress.sent(item.name, bytes);
	return { ...shown(item), ...sent };
}

/** A file that was changed, and a picture with another recipe or for another api, is another upload. */
async function nameOf({ api, fields }: Run, item: Item): Promise<string> {
	if ('url' in item) return entryName(api.url, fields, item.url);
	const { size, mtimeMs } = await stat(item.path);
	return entryName(api.url, fields, resolve(item.path), size, mtimeMs);
}

function retryOf({ progress, stop }: Run, name: string): RetryOptions {
	return {
		signal: stop.signal,
		onWait: ({ message }, seconds) => progress.note(`${name}: ${message} Again in ${Math.ceil(seconds)} s.`),
	};
}

function shown(item: Item): { readonly name: string; readonly bytes?: number } {
	return { name: item.name, ...('bytes' in item && { bytes: item.bytes }) };
}

/** Waits for the pictures of all that was accepted. */
async function awaitAll(run: Run, results: readonly Result[]): Promise<Outcome> {
	const pictures = [...new Set(results.flatMap((result) => (isGood(result) && result.picture ? result.picture : [])))];
	const ends = new Map<string, Ended>();
	let fatal: Refusal | undefined;
	const tell = () => run.progress.note(`waiting for ${pictures.length - ends.size} of ${pictures.length} pictures`);
	if (pictures.length > 0) tell();
	await waitForEnd(run.api, pictures, {
		...retryOf(run, 'waiting'),
		onEnd(picture, ended) {
			ends.set(picture, ended);
			if (process.stderr.isTTY) tell();
		},
	}).catch((error) => {
		if (run.stop.signal.aborted) return;
		if (!(error instanceof Refusal)) throw error;
		fatal = error;
	});
	const ended = results.map((result) => {
		const end = result.picture === undefined ? undefined : ends.get(result.picture);
		if (!end) return result;
		const problem = end.failure && { code: end.failure.code, detail: end.failure.message };
		return { ...result, state: end.state, ...(problem && { problem }) };
	});
	return { results: ended, fatal };
}

/** A run that came to its end is no longer gone on with: the next one uploads anew. */
async function forgetWhatIsDone(run: Run, items: readonly Item[], results: readonly Result[]): Promise<void> {
	const isOver = results.every(({ state }) => state !== 'unsent' && state !== 'refused');
	if (!isOver || run.signal.aborted) return;
	for (const item of items) await run.journal.forget(await nameOf(run, item).catch(() => ''));
}

export function isUploadError(error: unknown): error is UploadError | PicpipeError {
	return error instanceof UploadError || (error instanceof PicpipeError && error.code === 'no-file');
}
