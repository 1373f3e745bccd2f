import type { Job } from 'bullmq';
import { PicpipeError, toPicpipeError } from '../errors.ts';
import type { StepEvent } from '../imaging/scheduler.ts';
import type { Logger } from '../observe/log.ts';
import type { JobProgress } from '../queue/jobs.ts';

/** Share of the progress bar for the imaging steps; reading before and storing and recording after take the rest. */
const imagingShare = 0.9;

/**
 * Reports are collected for this long, milliseconds, and sent together. One by one they would cost more than all other Redis commands for a
 * picture. People do not notice the delay.
 */
const gatherTime = 200;

/**
 * Reports the progress of a job: each step goes to the job's log and progress, which Arena shows, and to the process's log. The work never
 * waits for its reports, and continues without Redis.
 */
export function reportTo(job: Job<unknown>, log: Logger) {
	let sending = Promise.resolve();
	let lines: string[] = [];
	let latest: JobProgress | undefined;
	let reached: JobProgress = { percent: 0, step: 'begin' };
	let timer: NodeJS.Timeout | undefined;
	const flush = () => {
		clearTimeout(timer);
		timer = undefined;
		const [rows, progress] = [lines, latest];
		lines = [];
		latest = undefined;
		sending = sending
			.then(async () => {
				// One row of several lines: each row is a Redis command. Arena splits it into lines (arena/queue.ts).
				const told = rows.length > 0 && job.log(rows.join('\n'));
				await Promise.all([told, progress && job.updateProgress({ ...progress })]);
			})
			.catch((error) => log.debug({ err: error }, 'job progress not recorded'));
	};
	const send = (line: string, progress?: JobProgress) => {
		lines.push(line);
		latest = progress ?? latest;
		reached = latest ?? reached;
		timer ??= setTimeout(flush, gatherTime);
	};
	const tell = (step: string, startedAt: number, milliseconds: number, bytes?: number, progress?: JobProgress) => {
		log.debug({ step, milliseconds, bytes }, 'step');
		const size = bytes === undefined ? '' : `, ${bytes} bytes`;
		const [start, end] = [startedAt, startedAt + milliseconds].map((time) => new Date(time).toISOString());
		send(`${start} → ${end} ${step}: ${milliseconds.toFixed(1)} ms${size}`, progress);
	};

	const end = async (line: string, progress: JobProgress): Promise<void> => {
		send(`${new Date().toISOString()} ${line}`, progress);
		flush();
		await sending;
	};

	return {
		/** Runs a step and reports its duration and its bytes. @throws PicpipeError that names the step */
		async step<T>(step: string, work: () => Promise<T>, bytes?: number | ((result: T) => number)): Promise<T> {
			const startedAt = Date.now();
			const started = performance.now();
			let size = typeof bytes === 'number' ? bytes : undefined;
			try {
				const result = await work();
				if (typeof bytes === 'function') size = bytes(result);
				return result;
			} catch (error) {
				const known = toPicpipeError(error, step);
				if (known.step) throw known;
				throw new PicpipeError(known.code, known.message, { cause: known, step, retryAfter: known.retryAfter });
			} finally {
				tell(step, startedAt, performance.now() - started, size);
			}
		},

		/** Adds a line about an event within a step. */
		note(line: string): void {
			send(`${new Date().toISOString()} ${line}`);
		},

		/** Reports the progress within a step, as a share of the whole job from 0 to 1. */
		progress(step: string, share: number): void {
			latest = { percent: Math.round(share * 100), step };
			reached = latest;
			timer ??= setTimeout(flush, gatherTime);
		},

		/** Reports a step of the imaging process. */
		made(event: StepEvent): void {
			const percent = Math.round(event.done * imagingShare * 100);
			tell(event.step, event.startedAt, event.milliseconds, event.bytes, { percent, step: event.step });
		},

		/** Drops unsent reports, and waits for those being sent. */
		async drop(): Promise<void> {
			clearTimeout(timer);
			timer = undefined;
			lines = [];
			latest = undefined;
			await sending;
		},

		/** The last line of a completed job. Waits until all reports are sent, or Redis is known to be unavailable. */
		done: (line: string) => end(line, { percent: 100, step: 'done' }),

		/** The last line of an unsuccessful attempt. Its progress stays where it was. Waits as `done` does. */
		end: (line: string) => end(line, reached),
	};
}
