import { Job, type JobsOptions, type RetryOptions } from 'bullmq';
import type { z } from 'zod';
import {
	type DeliverJob,
	fetchJobIdOf,
	fetchJobSchema,
	type JobProgress,
	type PictureJob,
	type ProcessJob,
	processJobIdOf,
	processJobSchema,
} from '../queue/jobs.ts';

/** A job with the properties and actions that Arena uses. */
export class ArenaJob extends Job {
	constructor(...values: ConstructorParameters<typeof Job>) {
		super(...values);
		// Otherwise the list shows a button that deletes a schedule for good, such as the sweep that a 202 relies on.
		const { repeat: _repeat, ...rest } = this.opts as JobsOptions & { repeat?: unknown };
		this.opts = rest;
	}

	/** Set for a job that is not in the queue yet, but waits in front of it. */
	#removeFromBacklog: (() => Promise<unknown>) | undefined;

	/** Makes this a job of the backlog. */
	markWaiting(remove: () => Promise<unknown>): void {
		this.#removeFromBacklog = remove;
	}

	override async getState() {
		return this.#removeFromBacklog ? 'waiting' : super.getState();
	}

	override async remove(...options: Parameters<Job['remove']>): Promise<void> {
		if (this.#removeFromBacklog) await this.#removeFromBacklog();
		else await super.remove(...options);
	}

	/** Arena serializes all enumerable properties, and the backend refers to itself. */
	protected override createBackend(): void {
		super.createBackend();
		Object.defineProperty(this, 'backend', { enumerable: false });
	}

	/** Restores all attempts: a retry by hand gets as many as a new upload. */
	override async retry(state: 'completed' | 'failed' = 'failed', options: RetryOptions = {}): Promise<void> {
		return super.retry(state, { resetAttemptsMade: true, resetAttemptsStarted: true, ...options });
	}

	/** Behind "Update" in the data editor. */
	override async updateData(given: unknown): Promise<void> {
		const data = withoutEscapes(given);
		const kind = pictureJobs.get(this.queueName);
		if (!kind) return super.updateData(data);
		const { work, id } = kind.parse(data);
		if (this.id !== undefined && id !== this.id) {
			throw new Error(`Expected ${kind.madeOf} to stay, because the job's id is made of them.`);
		}
		return super.updateData(work);
	}
}

/**
 * Lists show `arenaName` of the data if it exists. Here it is the picture's file name and the progress, or the event of a webhook. The
 * property is not enumerable, so that it is not mistaken for job data elsewhere.
 */
export function nameInList(job: Job): void {
	const { source, pictureId, batchId, type } = (job.data ?? {}) as Partial<ProcessJob> & Partial<DeliverJob>;
	const file = source?.filename ?? pictureId ?? batchId;
	if (typeof file !== 'string') return;
	const what = typeof type === 'string' ? `${type} of ${file}` : file;
	const { percent, step } = (job.progress ?? {}) as Partial<JobProgress>;
	const progress = job.finishedOn || percent === undefined ? '' : `, ${percent} % (${step})`;
	Object.defineProperty(job.data, 'arenaName', { value: `${job.name} ${what}${progress}`, enumerable: false });
}

/** A queue whose jobs work on pictures. */
export interface PictureJobKind {
	/** Name of every job in the queue. */
	readonly name: string;
	/** The parts of a job's id, in words. */
	readonly madeOf: string;
	/** The data of a job and the id that belongs to it. @throws Error with the problem in the data */
	parse(data: unknown): { readonly work: object; readonly id: string };
}

function kindOf<T extends object>(name: string, schema: z.ZodType<T>, idOf: (work: T) => string, madeOf: string) {
	const parse = (data: unknown) => {
		const parsed = schema.safeParse(data);
		if (parsed.success) return { work: parsed.data, id: idOf(parsed.data) };
		const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'data'}: ${message}`);
		throw new Error(`Expected the data of a ${name} job but received something else (${problems.join('; ')}).`);
	};
	return { name, madeOf, parse };
}

/** By queue name. */
export const pictureJobs: ReadonlyMap<string, PictureJobKind> = new Map<PictureJob['queue'], PictureJobKind>([
	['pictures', kindOf('process', processJobSchema, processJobIdOf, 'the picture, its bytes and its recipe')],
	['fetches', kindOf('fetch', fetchJobSchema, fetchJobIdOf, 'the picture and its address')],
]);

/** Arena's `json` helper replaces these characters, in the data editor too, so data that comes back from there is still escaped. */
const escapes: Readonly<Record<string, string>> = {
	'&amp;': '&',
	'&lt;': '<',
	'&gt;': '>',
	'&quot;': '"',
	'&#x27;': "'",
	'&#x60;': '`',
	'&#x3D;': '=',
};

function withoutEscapes(value: unknown): unknown {
	if (typeof value === 'string') {
		return value.replace(/&(?:amp|lt|gt|quot|#x27|#x60|#x3D);/g, (escaped) => escapes[escaped] ?? escaped);
	}
	if (Array.isArray(value)) return value.map(withoutEscapes);
	if (value === null || typeof value !== 'object') return value;
	return Object.fromEntries(Object.entries(value).map(([key, inner]) => [withoutEscapes(key), withoutEscapes(inner)]));
}
