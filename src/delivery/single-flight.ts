import { PicpipeError } from '../errors.ts';
import type { Endings } from '../queue/events.ts';
import { type RenderJob, renderJobId } from '../queue/jobs.ts';
import type { EndedRender, Queues, Urgency } from '../queue/queues.ts';
import { errorOfJob } from '../queue/retry.ts';
import type { Storage, StoredObject } from '../storage/storage.ts';

/** Has renders made, each once however many ask for it. */
export interface Renders {
	/**
	 * Waits until a render is stored.
	 *
	 * @returns undefined when it is not there yet after the time, or when the signal aborts
	 * @throws PicpipeError why it failed, now or a short time ago; `render-queue-full`, `queue-unavailable`
	 */
	make(
		job: RenderJob,
		wait: { readonly milliseconds: number; readonly signal: AbortSignal },
	): Promise<StoredObject | undefined>;
	/** Asks for a render that nobody waits for. @throws PicpipeError as `make` */
	ask(job: RenderJob, urgency: Urgency): Promise<void>;
}

export interface RendersOptions {
	readonly storage: Storage;
	readonly queues: Queues;
	readonly endings: Endings;
	/** How long a failed one is not tried again, seconds. */
	readonly failureSeconds: number;
	/** Most that are waited for here at once. */
	readonly most: number;
}

/** Why nobody listens any more. Made once: an `abort()` without a reason makes an error, with the stack that led there, each time. */
const heard = 'heard';

/** A job that ends unheard, because Redis was restarted, is looked for so often, milliseconds. */
const lookInterval = 2_000;

export function openRenders({ storage, queues, endings, failureSeconds, most }: RendersOptions): Renders {
	/** Under way in this process, by job: whoever asks for the same shares one question to Redis and one answer. */
	const flights = new Map<string, Flight>();

	/** @throws the failure that is remembered */
	const isWanted = (job: RenderJob) => async (ended: EndedRender) => {
		if (ended.failedReason !== undefined) {
			if (Date.now() - ended.at < failureSeconds * 1_000) throw errorOfJob(ended.failedReason);
			return true;
		}
		// Made a moment ago, or thrown away since.
		return (await storage.stat(job.key)) === undefined;
	};

	const fly = async (job: RenderJob, signal: AbortSignal): Promise<StoredObject | undefined> => {
		const id = renderJobId(job);
		while (!signal.aborted) {
			// Heard from before it is asked for, so that no end falls between the two.
			const ended = endings.ended(id, lookInterval, signal);
			if (await queues.enqueueRender(job, 'now', isWanted(job))) await ended;
			// Otherwise it has failed, or nothing was heard of it: asking for it again tells.
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
			let flight = flights.get(id);
			if (!flight) {
				if (flights.size >= most) {
					throw new PicpipeError(
						'render-queue-full',
						`Expected fewer than ${most} renders to be waited for (PICPIPE_RENDER_QUEUE).`,
					);
				}
				const begun = beginFlight((end) => fly(job, end));
				flight = begun;
				flights.set(id, begun);
				void begun.over.finally(() => flights.delete(id));
			}
			return flight.join(milliseconds, signal);
		},
		async ask(job, urgency) {
			await queues.enqueueRender(job, urgency, isWanted(job));
		},
	};
}

/** One render that several wait for. When the last has left, nobody looks after it any more; its job goes on. */
interface Flight {
	readonly over: Promise<void>;
	join(milliseconds: number, signal: AbortSignal): Promise<StoredObject | undefined>;
}

function beginFlight(work: (end: AbortSignal) => Promise<StoredObject | undefined>): Flight {
	const end = new AbortController();
	let waiting = 0;
	const result = work(end.signal);
	const land = () => end.abort(heard);
	const over = result.then(land, land);
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
				if (waiting === 0) end.abort(heard);
			}
		},
	};
}
