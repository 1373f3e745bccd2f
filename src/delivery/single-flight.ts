import { PicpipeError } from '../errors.ts';
import type { Endings } from '../queue/events.ts';
import { type RenderJob, renderJobId } from '../queue/jobs.ts';
import type { EndedRender, Queues, Urgency } from '../queue/queues.ts';
import { errorOfJob } from '../queue/retry.ts';
import type { Storage, StoredObject } from '../storage/storage.ts';

/** Requests renders from workers. Concurrent requests for the same render share it. */
export interface Renders {
	/**
	 * Waits until a render is stored.
	 *
	 * @returns undefined if it is not stored in time, or if the signal aborts
	 * @throws PicpipeError the current or a recent failure; `render-queue-full`, `queue-unavailable`
	 */
	make(
		job: RenderJob,
		wait: { readonly milliseconds: number; readonly signal: AbortSignal },
	): Promise<StoredObject | undefined>;
	/** Queues a render without waiting for it. @throws PicpipeError as `make` */
	request(job: RenderJob, urgency: Urgency): Promise<void>;
}

export interface RendersOptions {
	readonly storage: Storage;
	readonly queues: Queues;
	readonly endings: Endings;
	/** How long a failed render is not tried again, seconds. */
	readonly failureSeconds: number;
	/** Most renders that requests can wait for in this process. */
	readonly most: number;
}

/** The reason of every abort. Created once: `abort()` without a reason creates an error with a stack trace each time. */
const settled = 'settled';

/** How often storage is checked for a job whose completion was missed, because Redis was restarted, milliseconds. */
const lookInterval = 2_000;

export function openRenders({ storage, queues, endings, failureSeconds, most }: RendersOptions): Renders {
	/** Renders in progress in this process, by job id: requests for the same render share one job and one wait. */
	const inFlight = new Map<string, SharedRender>();

	/** Is an ended job to be queued again? @throws the failure of a recent job */
	const isWanted = (job: RenderJob) => async (ended: EndedRender) => {
		if (ended.failedReason !== undefined) {
			if (Date.now() - ended.at < failureSeconds * 1_000) throw errorOfJob(ended.failedReason);
			return true;
		}
		// Either just stored, or deleted since.
		return (await storage.stat(job.key)) === undefined;
	};

	const waitUntilStored = async (job: RenderJob, signal: AbortSignal): Promise<StoredObject | undefined> => {
		const id = renderJobId(job);
		while (!signal.aborted) {
			// Subscribe before enqueueing, so that a completion cannot be missed.
			const ended = endings.ended(id, lookInterval, signal);
			if (await queues.enqueueRender(job, 'now', isWanted(job))) await ended;
			// Otherwise it has failed, or its completion was missed: enqueueing it again finds out.
			const stored = await storage.stat(job.key);
			if (stored) return stored;
		}
		return undefined;
	};

	return {
		async make(job, { milliseconds, signal }) {
			if (milliseconds === 0) {
				await queues.enqueueRender(job, 'now', isWanted(job));
				return storage.stat(job.key);
			}
			const id = renderJobId(job);
			let render = inFlight.get(id);
			if (!render) {
				if (inFlight.size >= most) {
					throw new PicpipeError(
						'render-queue-full',
						`Expected fewer than ${most} renders in progress (PICPIPE_RENDER_QUEUE) but there are that many already.`,
					);
				}
				const begun = shareRender((end) => waitUntilStored(job, end));
				render = begun;
				inFlight.set(id, begun);
				void begun.over.finally(() => inFlight.delete(id));
			}
			return render.join(milliseconds, signal);
		},
		async request(job, urgency) {
			await queues.enqueueRender(job, urgency, isWanted(job));
		},
	};
}

/** A render that several requests wait for. When the last request leaves, the wait ends; the job continues. */
interface SharedRender {
	readonly over: Promise<void>;
	join(milliseconds: number, signal: AbortSignal): Promise<StoredObject | undefined>;
}

function shareRender(work: (end: AbortSignal) => Promise<StoredObject | undefined>): SharedRender {
	const end = new AbortController();
	let waiting = 0;
	const result = work(end.signal);
	const settle = () => end.abort(settled);
	const over = result.then(settle, settle);
	return {
		over,
		async join(milliseconds, signal) {
			waiting += 1;
			let leave = () => {};
			const left = new Promise<undefined>((resolve) => {
				const timer = setTimeout(resolve, milliseconds, undefined);
				const onAbort = () => resolve(undefined);
				signal.addEventListener('abort', onAbort);
				if (signal.aborted) resolve(undefined);
				leave = () => {
					clearTimeout(timer);
					signal.removeEventListener('abort', onAbort);
				};
			});
			try {
				return await Promise.race([result, left]);
			} finally {
				leave();
				waiting -= 1;
				if (waiting === 0) settle();
			}
		},
	};
}
