import { setTimeout as sleep } from 'node:timers/promises';
import { type PicpipeError, toPicpipeError } from '../errors.ts';
import type { Pressure } from '../intake/pressure.ts';
import { type FileState, isSameState, type WatchedFile, watchedFiles } from './files.ts';
import { type Finisher, openFinisher, type Whereabouts } from './finish.ts';
import { Room } from './room.ts';
import { isFilesFault, type TakeContext, takeFile } from './take.ts';

export interface WatchOptions {
	/** How often the folder is looked through, seconds. */
	readonly seconds: number;
	/** How long a file has to stay as it is before it is taken in, seconds. */
	readonly settleSeconds: number;
	/** Files taken in at the same time. */
	readonly concurrency: number;
	/**
	 * Files that wait at the same time, 10,000 when not given. The others have their turn later, so that a folder of a million does not
	 * fill the memory.
	 */
	readonly maximumWaiting?: number;
	/** Take what is there and end. */
	readonly isOnce: boolean;
	readonly pressure: Pressure;
	/** Ends it, after the files that are under way. */
	readonly stopping: AbortSignal;
}

/** Files by what became of them. */
export interface WatchCounts {
	/** A new picture each. */
	taken: number;
	/** Were taken in before, or have the bytes of a picture that was to be linked. */
	known: number;
	/** Set aside with a note. */
	refused: number;
	/** Not taken in: they can't be read, or go on changing. */
	left: number;
}

/** What is known about a file that lies there. */
interface Look {
	state: FileState;
	/** When it was first seen in this state, by the clock of `performance`. */
	since: number;
	/** How often it was another one when it was looked at again. */
	changes: number;
	/** The round in which it was last seen. */
	round: number;
	status: 'waits' | 'under way' | 'done' | 'unreadable';
}

const defaultMaximumWaiting = 10_000;
/** A file without bytes is most likely one that has not been begun; it gets this long, milliseconds. */
const emptyPatience = 60_000;
/** Changes after which a file that is still being written is left, where the folder is looked through only once. */
const maximumChanges = 15;
/** How long a file that can't be read is left alone, milliseconds. */
const unreadablePause = 60_000;
/** Looking takes no more than this share of the time, however large the folder is. */
const lookingShare = 0.1;

/**
 * Takes in every picture that comes to lie in a folder, until it is told to stop. It looks through the folder again and again rather than
 * have the system tell it of changes: such events get lost, and network folders have none.
 */
export async function watchFolder(context: TakeContext, options: WatchOptions): Promise<WatchCounts> {
	return new FolderWatch(context, options).run();
}

class FolderWatch {
	readonly #context: TakeContext;
	readonly #options: WatchOptions;
	readonly #finisher: Finisher;
	readonly #room: Room;
	readonly #counts: WatchCounts = { taken: 0, known: 0, refused: 0, left: 0 };
	readonly #files = new Map<string, Look>();
	readonly #underWay = new Set<Promise<void>>();
	#round = 0;
	/** There was no room for all that waits. */
	#hasMore = false;
	/** Milliseconds of this round in which nothing was looked at, because others had to finish first. */
	#stood = 0;
	/** Files that the last summary has told of. */
	#told = 0;

	constructor(context: TakeContext, options: WatchOptions) {
		this.#context = context;
		this.#options = options;
		this.#finisher = openFinisher(context);
		this.#room = new Room({ ...options, log: context.log, meanwhile: () => this.#finisher.follow() });
	}

	async run(): Promise<WatchCounts> {
		const { isOnce, seconds, settleSeconds, stopping } = this.#options;
		const { log } = this.#context;
		const resuming = this.#finisher.resume().catch((err) => log.warn({ err }, 'earlier files could not be listed'));
		while (!stopping.aborted) {
			const began = performance.now();
			this.#stood = 0;
			const isAll = await this.#lookThrough();
			await this.#finisher.follow();
			const isIdle = isAll && this.#isIdle();
			if (isIdle) this.#tell();
			if (isIdle && isOnce) break;
			const took = performance.now() - began - this.#stood;
			const pause = (isOnce ? Math.min(seconds, settleSeconds) : seconds) * 1_000;
			await this.#wait(Math.max(pause, took / lookingShare - took));
		}
		await Promise.all([resuming, ...this.#underWay]);
		if (isOnce) await this.#finisher.follow(this.#finisher.waiting);
		this.#counts.left = this.#left().length;
		this.#tell();
		return this.#counts;
	}

	/** Looks at every file once and begins those that are ready. @returns false when it could not get through */
	async #lookThrough(): Promise<boolean> {
		this.#round++;
		this.#hasMore = false;
		let waiting = this.#withStatus('waits').length;
		try {
			for await (const file of watchedFiles(this.#context.folder)) {
				if (this.#options.stopping.aborted) return false;
				const look = this.#files.get(file.path);
				if (look) look.round = this.#round;
				else if (waiting >= (this.#options.maximumWaiting ?? defaultMaximumWaiting)) this.#hasMore = true;
				else waiting++;
				if (look || !this.#hasMore) await this.#lookAt(file, look);
			}
		} catch (err) {
			this.#room.tell('folder', () => this.#context.log.error({ err }, 'The folder cannot be looked through'));
			return false;
		}
		this.#room.isOver('folder');
		for (const [path, { round, status }] of this.#files) {
			if (round !== this.#round && status !== 'under way') this.#files.delete(path);
		}
		return true;
	}

	async #lookAt(file: WatchedFile, look: Look | undefined): Promise<void> {
		const now = performance.now();
		if (look?.status === 'under way') return;
		if (!look || !isSameState(look.state, file.state)) {
			const changes = look ? look.changes + 1 : 0;
			this.#files.set(file.path, { state: file.state, since: now, changes, round: this.#round, status: 'waits' });
			return;
		}
		if (look.status === 'done' || now - look.since < this.#patience(look)) return;
		await this.#begin(file, look);
	}

	/** How long a file has to stay as it is, milliseconds. */
	#patience({ state, status }: Look): number {
		const { settleSeconds, isOnce } = this.#options;
		if (status === 'unreadable') return unreadablePause;
		return state.bytes === 0 && !isOnce ? emptyPatience : settleSeconds * 1_000;
	}

	async #begin(file: WatchedFile, look: Look): Promise<void> {
		const began = performance.now();
		while (this.#underWay.size >= this.#options.concurrency) await Promise.race(this.#underWay);
		const hasRoom = await this.#room.isThere();
		this.#stood += performance.now() - began;
		if (!hasRoom) return;
		look.status = 'under way';
		const work = this.#take(file, look).finally(() => this.#underWay.delete(work));
		this.#underWay.add(work);
	}

	async #take(file: WatchedFile, look: Look): Promise<void> {
		const { log } = this.#context;
		const began = performance.now();
		const again = () => Object.assign(look, { status: 'waits', since: performance.now(), changes: look.changes + 1 });
		try {
			const taken = await takeFile(this.#context, file);
			if (!taken) return void again();
			const { entry, isNew } = taken;
			if (isNew) {
				const milliseconds = Math.round(performance.now() - began);
				const line = { file: file.path, pictureId: entry.picture.id, bytes: file.state.bytes, milliseconds };
				log.info(line, `${file.path} is taken in`);
			}
			this.#counts[isNew ? 'taken' : 'known']++;
			this.#room.isOver();
			this.#settle(file, look, await this.#finisher.accepted(entry));
		} catch (thrown) {
			const error = toPicpipeError(thrown);
			if (isFilesFault(error)) await this.#refuse(file, look, error);
			else if (error.class === 'transient') {
				look.status = 'waits';
				this.#room.isMissing(error);
			} else {
				log.warn({ err: error, file: file.path }, `${file.path} cannot be taken in; trying again later`);
				Object.assign(look, { status: 'unreadable', since: performance.now() });
			}
		}
	}

	async #refuse(file: WatchedFile, look: Look, error: PicpipeError): Promise<void> {
		const { log } = this.#context;
		const now = await this.#finisher.refused(file, error).catch((err): Whereabouts => {
			log.warn({ err, file: file.path }, 'a file could not be set aside');
			return 'there';
		});
		if (now !== 'replaced') {
			const where = now === 'away' ? 'set aside' : 'passed over';
			log.warn({ file: file.path, code: error.code }, `${file.path} is ${where}: ${error.message}`);
			this.#counts.refused++;
		}
		this.#settle(file, look, now);
	}

	#settle({ path, state }: WatchedFile, look: Look, now: Whereabouts): void {
		if (now === 'there') Object.assign(look, { status: 'done', state });
		else this.#files.delete(path);
	}

	#withStatus(status: Look['status']): Look[] {
		return [...this.#files.values()].filter((look) => look.status === status);
	}

	/** Files that are not waited for any more. */
	#left(): Look[] {
		const { isOnce, stopping } = this.#options;
		const isLeft = ({ changes }: Look) => stopping.aborted || (isOnce && changes > maximumChanges);
		return [...this.#withStatus('unreadable'), ...this.#withStatus('waits').filter(isLeft)];
	}

	#isIdle(): boolean {
		const waits = this.#withStatus('waits').length + this.#withStatus('unreadable').length - this.#left().length;
		return !this.#hasMore && this.#underWay.size === 0 && waits === 0;
	}

	/** A summary, when there is anything new to tell. */
	#tell(): void {
		const { taken, known, refused } = this.#counts;
		if (taken + refused === this.#told) return;
		this.#told = taken + refused;
		this.#context.log.info(
			{ ...this.#counts, unfinished: this.#finisher.waiting },
			`So far: taken in ${taken}, set aside ${refused}, known already ${known}`,
		);
	}

	/** Ends early when it is told to stop. */
	async #wait(milliseconds: number): Promise<void> {
		await sleep(milliseconds, undefined, { signal: this.#options.stopping }).catch(() => {});
	}
}
