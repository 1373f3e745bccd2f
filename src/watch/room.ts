import { setTimeout as sleep } from 'node:timers/promises';
import { type PicpipeError, toPicpipeError } from '../errors.ts';
import type { Pressure } from '../intake/pressure.ts';
import type { Logger } from '../observe/log.ts';

export interface RoomOptions {
	readonly pressure: Pressure;
	/** Ends all waiting. */
	readonly stopping: AbortSignal;
	readonly log: Logger;
	/** What there is to do while it is waited. */
	meanwhile(): Promise<void>;
}

/** Pause after trouble, milliseconds; it doubles up to the longest. */
const pauses = { first: 1_000, longest: 30_000 };

/** Whether more may be taken in: a queue or a disk that is full, and a storage that is away, make every file wait. Each trouble is told once. */
export class Room {
	readonly #options: RoomOptions;
	/** Nothing is begun before this time, by the clock of `performance`. */
	#pausedUntil = 0;
	#pause = pauses.first;
	/** What was last told to stand in the way. */
	#trouble = '';

	constructor(options: RoomOptions) {
		this.#options = options;
	}

	/** Waits until more may be taken in. @returns false when it is stopped */
	async isThere(): Promise<boolean> {
		const { stopping, pressure, meanwhile } = this.#options;
		while (!stopping.aborted) {
			const pause = this.#pausedUntil - performance.now();
			if (pause > 0) {
				await sleep(pause, undefined, { signal: stopping }).catch(() => {});
				await meanwhile();
				continue;
			}
			try {
				await pressure.check();
				return true;
			} catch (error) {
				this.isMissing(toPicpipeError(error));
			}
		}
		return false;
	}

	/** Something has failed that is not the file's fault. */
	isMissing(error: PicpipeError): void {
		this.#pausedUntil = performance.now() + this.#pause;
		this.#pause = Math.min(this.#pause * 2, pauses.longest);
		this.tell(error.code, () =>
			this.#options.log.warn({ err: error, code: error.code }, `The files wait where they are: ${error.message}`),
		);
	}

	/** Tells of a trouble unless it was the last one told. */
	tell(trouble: string, tell: () => void): void {
		if (this.#trouble !== trouble) tell();
		this.#trouble = trouble;
	}

	/** All is well again. @param trouble only if it was this one; any when undefined */
	isOver(trouble = this.#trouble): void {
		if (trouble !== this.#trouble) return;
		this.#pause = pauses.first;
		if (this.#trouble !== '') this.#options.log.info('Files are taken in again');
		this.#trouble = '';
	}
}
