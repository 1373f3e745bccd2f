import { setTimeout as sleep } from 'node:timers/promises';
import { type PicpipeError, toPicpipeError } from '../errors.ts';
import type { Pressure } from '../intake/pressure.ts';
import type { Logger } from '../observe/log.ts';

export interface BackPressureOptions {
	readonly pressure: Pressure;
	/** Aborts all waiting. */
	readonly stopping: AbortSignal;
	readonly log: Logger;
	/** Runs after each pause. */
	whileWaiting(): Promise<void>;
}

/** Pause after a problem in milliseconds; it doubles up to the longest. */
const pauses = { first: 1_000, longest: 30_000 };

/** Holds the import back while a queue or disk is full or the storage is unavailable. Each problem is logged once. */
export class BackPressure {
	readonly #options: BackPressureOptions;
	/** No import starts before this time, by the clock of `performance`. */
	#pausedUntil = 0;
	#pause = pauses.first;
	/** Code of the last logged problem. */
	#problem = '';

	constructor(options: BackPressureOptions) {
		this.#options = options;
	}

	/** Waits until a file may be imported. @returns false when stopped */
	async wait(): Promise<boolean> {
		const { stopping, pressure, whileWaiting } = this.#options;
		while (!stopping.aborted) {
			const pause = this.#pausedUntil - performance.now();
			if (pause > 0) {
				await sleep(pause, undefined, { signal: stopping }).catch(() => {});
				await whileWaiting();
				continue;
			}
			try {
				await pressure.check();
				return true;
			} catch (error) {
				this.report(toPicpipeError(error));
			}
		}
		return false;
	}

	/** Pauses the import after a failure that is not the file's fault. */
	report(error: PicpipeError): void {
		this.#pausedUntil = performance.now() + this.#pause;
		this.#pause = Math.min(this.#pause * 2, pauses.longest);
		this.logOnce(error.code, () =>
			this.#options.log.warn({ err: error, code: error.code }, `import paused: ${error.message}`),
		);
	}

	/** Logs a problem once; not again while it stays the same. */
	logOnce(problem: string, log: () => void): void {
		if (this.#problem !== problem) log();
		this.#problem = problem;
	}

	/** Resumes normal work. @param problem only if this is the current problem; any problem if undefined */
	clear(problem = this.#problem): void {
		if (problem !== this.#problem) return;
		this.#pause = pauses.first;
		if (this.#problem !== '') this.#options.log.info('import resumed');
		this.#problem = '';
	}
}
