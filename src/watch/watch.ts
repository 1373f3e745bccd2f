import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PicpipeError, toPicpipeError } from '../errors.ts';
import type { Pressure } from '../intake/pressure.ts';
import { BackPressure } from './back-pressure.ts';
import { type FileState, isSameState, stateAt, type WatchedFile, watchedPaths } from './files.ts';
import { type FileOutcome, type FollowUp, openFollowUp } from './follow-up.ts';
import { type ImportContext, importFile, isFileError } from './import-file.ts';

export interface WatchOptions {
	/** Interval between two scans of the folder, in seconds. */
	readonly seconds: number;
	/** How long a file must stay unchanged before it is imported, in seconds. */
	readonly settleSeconds: number;
	/** Files to import at the same time. */
	readonly concurrency: number;
	/**
	 * Most files that can wait at the same time, 10,000 by default. The others follow later, so that a folder of a million files does not
	 * fill the memory.
	 */
	readonly maximumWaiting?: number;
	/**
	 * Most imported files that a scan looks at again, 5,000 by default. They take turns, so a change of one of them is noticed later in a
	 * large folder, and a new file at once.
	 */
	readonly maximumChecks?: number;
	/** Import the existing files, then stop. */
	readonly isOnce: boolean;
	readonly pressure: Pressure;
	/** Stops the watch after the imports in progress. */
	readonly stopping: AbortSignal;
}

/** Number of files by outcome. */
export interface WatchCounts {
	/** Imported as new pictures. */
	taken: number;
	/** Imported before, or linked to a picture with the same bytes. */
	known: number;
	/** Moved to `.picpipe/refused` with a note. */
	refused: number;
	/** Not imported: unreadable, or still changing. */
	left: number;
}

/** What is known about a file in the folder. */
interface SeenFile {
	state: FileState;
	/** When this state was first seen, by the clock of `performance`. */
	since: number;
	/** How often the file had changed at the next scan. */
	changes: number;
	/** The last scan that saw the file, and the last one that looked at it. */
	round: number;
	checked: number;
	status: 'waiting' | 'importing' | 'done' | 'unreadable';
}

const defaultMaximumWaiting = 10_000;
const defaultMaximumChecks = 5_000;
/** An empty file has most likely not been written yet; it gets this long, in milliseconds. */
const emptyPatience = 60_000;
/** With `isOnce`: a file that has changed this often is skipped. */
const maximumChanges = 15;
/** Pause before an unreadable file is tried again, in milliseconds. */
const unreadablePause = 60_000;
/** Scanning takes at most this share of the time, however large the folder is. */
const scanShare = 0.1;

/**
 * Imports every picture dropped into a folder exactly once, until stopped. It scans the folder repeatedly instead of relying on file system
 * events: events get lost, and network folders have none.
 */
export async function watchFolder(context: ImportContext, options: WatchOptions): Promise<WatchCounts> {
	return new FolderWatch(context, options).run();
}

class FolderWatch {
	readonly #context: ImportContext;
	readonly #options: WatchOptions;
	readonly #followUp: FollowUp;
	readonly #backPressure: BackPressure;
	readonly #counts: WatchCounts = { taken: 0, known: 0, refused: 0, left: 0 };
	readonly #files = new Map<string, SeenFile>();
	readonly #inProgress = new Set<Promise<void>>();
	#round = 0;
	/** More files are waiting than fit in memory. */
	#hasOverflow = false;
	/** Milliseconds of this scan spent waiting for imports in progress. */
	#blockedMs = 0;
	/** Number of files in the last summary. */
	#reported = 0;

	constructor(context: ImportContext, options: WatchOptions) {
		this.#context = context;
		this.#options = options;
		this.#followUp = openFollowUp(context);
		this.#backPressure = new BackPressure({
			...options,
			log: context.log,
			whileWaiting: () => this.#followUp.follow(),
		});
	}

	async run(): Promise<WatchCounts> {
		const { isOnce, seconds, settleSeconds, stopping } = this.#options;
		const { log } = this.#context;
		const resuming = this.#followUp
			.resume()
			.catch((err) => log.warn({ err }, 'files of an earlier run could not be listed'));
		while (!stopping.aborted) {
			const began = performance.now();
			this.#blockedMs = 0;
			const isAll = await this.#scan();
			await this.#followUp.follow();
			const isIdle = isAll && this.#isIdle();
			if (isIdle) this.#report();
			if (isIdle && isOnce) break;
			const took = performance.now() - began - this.#blockedMs;
			const pause = (isOnce ? Math.min(seconds, settleSeconds) : seconds) * 1_000;
			await this.#wait(Math.max(pause, took / scanShare - took));
		}
		await Promise.all([resuming, ...this.#inProgress]);
		if (isOnce) await this.#followUp.follow(this.#followUp.waiting);
		this.#counts.left = this.#left().length;
		this.#report();
		return this.#counts;
	}

	/** Lists all files, and imports those that are ready. @returns false when the scan was incomplete */
	async #scan(): Promise<boolean> {
		const { folder, log } = this.#context;
		const { maximumWaiting = defaultMaximumWaiting, stopping } = this.#options;
		const isTurnOf = this.#turns();
		this.#round++;
		this.#hasOverflow = false;
		let waiting = this.#withStatus('waiting').length;
		let checked = 0;
		try {
			for await (const path of watchedPaths(folder)) {
				if (stopping.aborted) return false;
				const seen = this.#files.get(path);
				if (seen) seen.round = this.#round;
				else if (waiting >= maximumWaiting) this.#hasOverflow = true;
				if (seen ? !isTurnOf(seen) : this.#hasOverflow) continue;
				const state = await stateAt(join(folder, path));
				if (!state) continue;
				checked++;
				if (!seen) waiting++;
				else seen.checked = this.#round;
				await this.#check({ path, state }, seen);
			}
		} catch (err) {
			this.#backPressure.logOnce('folder', () => this.#context.log.error({ err }, 'the watched folder cannot be read'));
			return false;
		}
		this.#backPressure.clear('folder');
		for (const [path, { round, status }] of this.#files) {
			if (round !== this.#round && status !== 'importing') this.#files.delete(path);
		}
		log.debug({ files: this.#files.size, checked }, 'folder scanned');
		return true;
	}

	/** Whether the next scan looks at a file: of the imported ones, so many at a time that each gets its turn. */
	#turns(): (seen: SeenFile) => boolean {
		const { maximumChecks = defaultMaximumChecks } = this.#options;
		const rounds = Math.ceil(this.#withStatus('done').length / maximumChecks);
		let left = maximumChecks;
		return ({ status, checked }) => status !== 'done' || (this.#round - checked >= rounds && left-- > 0);
	}

	async #check(file: WatchedFile, seen: SeenFile | undefined): Promise<void> {
		const now = performance.now();
		if (seen?.status === 'importing') return;
		if (!seen || !isSameState(seen.state, file.state)) {
			const changes = seen ? seen.changes + 1 : 0;
			this.#files.set(file.path, {
				state: file.state,
				since: now,
				changes,
				round: this.#round,
				checked: this.#round,
				status: 'waiting',
			});
			return;
		}
		if (seen.status === 'done' || now - seen.since < this.#patience(seen)) return;
		await this.#begin(file, seen);
	}

	/** How long a file must stay unchanged, in milliseconds. */
	#patience({ state, status }: SeenFile): number {
		const { settleSeconds, isOnce } = this.#options;
		if (status === 'unreadable') return unreadablePause;
		return state.bytes === 0 && !isOnce ? emptyPatience : settleSeconds * 1_000;
	}

	async #begin(file: WatchedFile, seen: SeenFile): Promise<void> {
		const began = performance.now();
		while (this.#inProgress.size >= this.#options.concurrency) await Promise.race(this.#inProgress);
		const hasRoom = await this.#backPressure.wait();
		this.#blockedMs += performance.now() - began;
		if (!hasRoom) return;
		seen.status = 'importing';
		const work = this.#take(file, seen).finally(() => this.#inProgress.delete(work));
		this.#inProgress.add(work);
	}

	async #take(file: WatchedFile, seen: SeenFile): Promise<void> {
		const { log } = this.#context;
		const began = performance.now();
		const again = () => Object.assign(seen, { status: 'waiting', since: performance.now(), changes: seen.changes + 1 });
		try {
			const taken = await importFile(this.#context, file);
			if (!taken) return void again();
			const { entry, isNew } = taken;
			if (isNew) {
				const milliseconds = Math.round(performance.now() - began);
				const line = { file: file.path, pictureId: entry.picture.id, bytes: file.state.bytes, milliseconds };
				log.info(line, `imported ${file.path}`);
			}
			this.#counts[isNew ? 'taken' : 'known']++;
			this.#backPressure.clear();
			this.#settle(file, seen, await this.#followUp.accepted(entry));
		} catch (thrown) {
			const error = toPicpipeError(thrown);
			if (isFileError(error)) await this.#refuse(file, seen, error);
			else if (error.class === 'transient') {
				seen.status = 'waiting';
				this.#backPressure.report(error);
			} else {
				log.warn({ err: error, file: file.path }, `${file.path} could not be imported; trying again later`);
				Object.assign(seen, { status: 'unreadable', since: performance.now() });
			}
		}
	}

	async #refuse(file: WatchedFile, seen: SeenFile, error: PicpipeError): Promise<void> {
		const { log } = this.#context;
		const now = await this.#followUp.refused(file, error).catch((err): FileOutcome => {
			log.warn({ err, file: file.path }, 'a refused file could not be moved');
			return 'there';
		});
		if (now !== 'replaced') {
			const where = now === 'away' ? 'refused and moved' : 'refused';
			log.warn({ file: file.path, code: error.code }, `${file.path} was ${where}: ${error.message}`);
			this.#counts.refused++;
		}
		this.#settle(file, seen, now);
	}

	#settle({ path, state }: WatchedFile, seen: SeenFile, now: FileOutcome): void {
		if (now === 'there') Object.assign(seen, { status: 'done', state });
		else this.#files.delete(path);
	}

	#withStatus(status: SeenFile['status']): SeenFile[] {
		return [...this.#files.values()].filter((seen) => seen.status === status);
	}

	/** Files given up. */
	#left(): SeenFile[] {
		const { isOnce, stopping } = this.#options;
		const isLeft = ({ changes }: SeenFile) => stopping.aborted || (isOnce && changes > maximumChanges);
		return [...this.#withStatus('unreadable'), ...this.#withStatus('waiting').filter(isLeft)];
	}

	#isIdle(): boolean {
		const waits = this.#withStatus('waiting').length + this.#withStatus('unreadable').length - this.#left().length;
		return !this.#hasOverflow && this.#inProgress.size === 0 && waits === 0;
	}

	/** Logs a summary when something changed. */
	#report(): void {
		const { taken, known, refused } = this.#counts;
		if (taken + refused === this.#reported) return;
		this.#reported = taken + refused;
		this.#context.log.info(
			{ ...this.#counts, unfinished: this.#followUp.waiting },
			`so far: ${taken} imported, ${refused} refused, ${known} already known`,
		);
	}

	/** Returns early when stopped. */
	async #wait(milliseconds: number): Promise<void> {
		await sleep(milliseconds, undefined, { signal: this.#options.stopping }).catch(() => {});
	}
}
