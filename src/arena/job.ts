import { Job, type JobsOptions, type RetryOptions } from 'bullmq';
import { type JobProgress, type ProcessJob, processJobIdOf, processJobSchema, type QueueName } from '../queue/jobs.ts';

/** A job as Arena shows it and acts on it. */
export class ArenaJob extends Job {
	constructor(...values: ConstructorParameters<typeof Job>) {
		super(...values);
		// Else the list shows a button that ends a schedule for good, such as the sweep that keeps the promise of a 202.
		const { repeat: _repeat, ...rest } = this.opts as JobsOptions & { repeat?: unknown };
		this.opts = rest;
	}

	/** Arena turns all enumerable properties into JSON and into the page's context; the backend refers to itself. */
	protected override createBackend(): void {
		super.createBackend();
		Object.defineProperty(this, 'backend', { enumerable: false });
	}

	/** With all attempts again: who presses the button wants the same as a new upload would get. */
	override async retry(state: 'completed' | 'failed' = 'failed', options: RetryOptions = {}): Promise<void> {
		return super.retry(state, { resetAttemptsMade: true, resetAttemptsStarted: true, ...options });
	}

	/** Behind "Update" in the data editor. */
	override async updateData(given: unknown): Promise<void> {
		const data = withoutEscapes(given);
		if (this.queueName !== ('pictures' satisfies QueueName)) return super.updateData(data);
		const work = parsePictureJob(data);
		if (this.id !== undefined && processJobIdOf(work) !== this.id) {
			throw new Error("Expected the picture, its bytes and its recipe to stay, because the job's id is made of them.");
		}
		return super.updateData(work);
	}
}

/**
 * Lists show `arenaName` of the data where there is one: here the picture's file and how far the work is. Not enumerable, so that
 * it is not taken for a part of the data anywhere else.
 */
export function nameInList(job: Job): void {
	const { source, pictureId } = (job.data ?? {}) as Partial<ProcessJob>;
	const file = source?.filename ?? pictureId;
	if (typeof file !== 'string') return;
	const { percent, step } = (job.progress ?? {}) as Partial<JobProgress>;
	const progress = job.finishedOn || percent === undefined ? '' : `, ${percent} % (${step})`;
	Object.defineProperty(job.data, 'arenaName', { value: `${job.name} ${file}${progress}`, enumerable: false });
}

/** @throws Error that says what is wrong with the data of a `process` job */
export function parsePictureJob(data: unknown): ProcessJob {
	const parsed = processJobSchema.safeParse(data);
	if (parsed.success) return parsed.data;
	const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'data'}: ${message}`);
	throw new Error(`Expected the data of a process job but received something else (${problems.join('; ')}).`);
}

/** What Arena's `json` helper makes of these characters, in the data editor too: what comes back from there is still escaped. */
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
