import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PicpipeError } from '../errors.ts';
import { findPictures } from '../files/find.ts';
import { nextSteps } from '../files/summary.ts';
import { Refusal } from './answer.ts';
import { type Api, connectApi } from './api.ts';
import { journalFolder, openJournal } from './journal.ts';
import { showProgress } from './progress.ts';
import { type RetryOptions, withRetries } from './retry.ts';
import type { Fields, Item } from './send.ts';
import { isGood, type Result, uploadSummary } from './summary.ts';
import { nameOf, type Outcome, type Run, retryOf, uploadAll } from './upload-all.ts';

export interface UploadCommand {
	/** Files, folders with all their pictures, and URLs. */
	readonly sources: readonly string[];
	/** URL of the API. */
	readonly api: string;
	/** An API key or an upload token. */
	readonly key: string | undefined;
	readonly fields: Fields;
	/** Uploads at the same time. */
	readonly parallel: number;
	/** Wait until all pictures are ready or failed. */
	readonly wait: boolean;
	/** Ignore the journal of an interrupted run. */
	readonly fresh: boolean;
	/** Print the results as JSON instead of a table. */
	readonly json: boolean;
	/** Aborted by Ctrl-C. */
	readonly signal: AbortSignal;
}

/** The upload could not start, or no further file could succeed: exit code 2. */
export class UploadError extends Error {
	override readonly name = 'UploadError';
}

/** By the convention of shells: 128 plus the number of SIGINT. */
const interrupted = 130;

/**
 * `picpipe upload`: shows progress on standard error, then prints the table on standard output.
 *
 * @returns the exit code: 0 all accepted (with `wait` all ready), 1 some refused or failed or without a variant, 130 interrupted
 * @throws UploadError, PicpipeError `no-file`
 */
export async function runUploadCommand(command: UploadCommand): Promise<number> {
	const started = performance.now();
	const items = await itemsOf(command.sources);
	const api = connectApi(command.api, command.key);
	const largestFile = await api.largestFile(command.signal).catch((error) => {
		if (error instanceof Refusal) throw new UploadError(`There is no picpipe at ${api.url}: ${error.message}`);
		if (!command.signal.aborted) throw error;
	});
	const journal = await openJournal(journalFolder(process.env), ({ message }) =>
		process.stderr.write(`Progress cannot be saved, so this upload cannot be resumed: ${message}\n`),
	);
	if (largestFile === undefined || command.signal.aborted) return interrupted;
	const totalBytes = items.reduce((sum, item) => sum + ('bytes' in item ? item.bytes : 0), 0);
	const progress = showProgress(items.length, totalBytes);
	const stop = new AbortController();
	command.signal.addEventListener('abort', () => stop.abort(command.signal.reason), { once: true });
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
	process.stderr.write(nextSteps(results.flatMap(({ problem, failures = [] }) => problem ?? failures)));
	if (command.signal.aborted) {
		process.stderr.write('Interrupted. Run the same command again to resume.\n');
		return interrupted;
	}
	if (fatal) throw new UploadError(`${fatal.message} (${fatal.code})`);
	return results.every((result) => isGood(result) && !result.failures) ? 0 : 1;
}

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

/** Waits until the accepted pictures have ended. */
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
		const { state, problem, failures, limited } = end;
		return {
			...result,
			state,
			...(problem && { problem }),
			...(failures && { failures }),
			...(limited && { limited }),
		};
	});
	return { results: ended, fatal };
}

/** A completed run is not resumed: the next run uploads everything again. */
async function forgetWhatIsDone(run: Run, items: readonly Item[], results: readonly Result[]): Promise<void> {
	const isOver = results.every(({ state }) => state !== 'unsent' && state !== 'refused');
	if (!isOver || run.stop.signal.aborted) return;
	for (const item of items) await run.journal.forget(await nameOf(run, item).catch(() => ''));
}

export function isUploadError(error: unknown): error is UploadError | PicpipeError {
	return error instanceof UploadError || (error instanceof PicpipeError && error.code === 'no-file');
}

/** The final state of a picture, and what is said about it in a result. */
interface Ended extends Pick<Result, 'failures' | 'limited' | 'problem'> {
	readonly state: 'ready' | 'failed';
}

interface ShownFailure {
	readonly class: string;
	readonly code: string;
	readonly message: string;
}

/** The fields of a picture that matter here. */
interface ShownPicture {
	readonly state?: string;
	readonly failure?: ShownFailure;
	readonly failures?: readonly (ShownFailure & { readonly variant: string; readonly format?: string })[];
	readonly variants?: readonly {
		readonly name: string;
		readonly format: string;
		readonly limited?: { readonly message: string };
	}[];
}

/** Milliseconds between two polls of all unfinished pictures. */
const pollInterval = 1_000;
/** Polls at the same time. */
const parallelPolls = 4;

interface WaitOptions extends RetryOptions {
	onEnd(picture: string, ended: Ended): void;
}

/** Waits until all pictures are ready or failed. @throws Refusal such as `picture-not-found` of one that was deleted */
async function waitForEnd(api: Api, pictures: readonly string[], options: WaitOptions): Promise<void> {
	const open = new Set(pictures);
	while (open.size > 0) {
		const round = [...open].values();
		const poll = async () => {
			for (const picture of round) {
				const ended = await endOf(api, picture, options);
				if (!ended) continue;
				open.delete(picture);
				options.onEnd(picture, ended);
			}
		};
		await Promise.all(Array.from({ length: parallelPolls }, poll));
		if (open.size > 0) await sleep(pollInterval, undefined, { signal: options.signal });
	}
}

async function endOf(api: Api, picture: string, options: RetryOptions): Promise<Ended | undefined> {
	try {
		const { body } = await withRetries(() => api.ask(`/v1/pictures/${picture}`, options.signal), options);
		const { state, failure, failures = [], variants = [] } = body as ShownPicture;
		if (state !== 'ready' && state !== 'failed') return undefined;
		const lacking = failures.map(({ variant, format, ...one }) => ({
			variant,
			...(format !== undefined && { format }),
			...problemOf(one),
		}));
		const limited = variants.flatMap(({ name, format, limited: why }) =>
			why ? [{ variant: name, format, detail: why.message }] : [],
		);
		return {
			state,
			...(failure && { problem: problemOf(failure) }),
			...(state === 'ready' && lacking.length > 0 && { failures: lacking }),
			...(state === 'ready' && limited.length > 0 && { limited }),
		};
	} catch (error) {
		// Deleted in the meantime.
		if (!(error instanceof Refusal) || error.code !== 'picture-not-found') throw error;
		return { state: 'failed', problem: { code: error.code, detail: error.message } };
	}
}

function problemOf({ class: kind, code, message }: ShownFailure) {
	return { class: kind, code, detail: message };
}
