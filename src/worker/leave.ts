import { DelayedError, type Job } from 'bullmq';
import type { Catalog } from '../catalog/catalog.ts';
import { NewerManifestError, type Picture } from '../domain/picture.ts';
import type { Recipe } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { unknownParts } from '../pipeline/recipe/unknown-parts.ts';
import type { JobProgress } from '../queue/jobs.ts';
import { jobError } from '../queue/retry.ts';

/**
 * Versions run side by side, so a job may ask for what only a newer worker knows. A worker that does not know it leaves the whole job to
 * others: the job waits for a growing pause, which costs no attempt, and everybody can see why.
 */

/** What this worker does not know, so that it does no part of the job. */
export class CannotServe extends Error {
	override readonly name = 'CannotServe';
	/** Each in words: `operation "blur_faces"`. */
	readonly unknown: readonly string[];
	/** Whose work it is, where that could be read. */
	readonly picture: Picture | undefined;

	constructor(unknown: readonly string[], picture?: Picture) {
		super(`No worker that has seen this job knows ${unknown.join(', ')}. It waits for a newer worker.`);
		this.unknown = unknown;
		this.picture = picture;
	}
}

/** @param picture that waits for the recipe; left out where a request does. @throws CannotServe unless this worker knows all of the recipe */
export function requireKnown(recipe: Recipe, picture?: Picture): void {
	const unknown = unknownParts(recipe);
	if (unknown.length > 0) throw new CannotServe(unknown, picture);
}

/** The same of a manifest that only a newer worker can read; undefined for every other error. */
export function asCannotServe(thrown: unknown): CannotServe | undefined {
	if (thrown instanceof CannotServe) return thrown;
	const error = thrown instanceof PicpipeError && thrown.cause instanceof NewerManifestError ? thrown.cause : thrown;
	return error instanceof NewerManifestError ? new CannotServe([`manifest version ${error.version}`]) : undefined;
}

/** How long a job that was left waits, milliseconds: twice as long each time. */
interface Pauses {
	readonly first: number;
	readonly longest: number;
	/** Time after which a job that nobody could do ends; never when absent. */
	readonly end?: number;
}

/** Long enough that a backlog of such jobs costs little; a new worker has all of them within the longest pause. */
export const patientPauses: Pauses = { first: 1_000, longest: 5 * 60_000 };
/** Somebody waits for a render, for seconds. Nothing was promised, and while it waits it takes the place of others, so it ends some time. */
export const renderPauses: Pauses = { first: 200, longest: 10_000, end: 10 * 60_000 };

/** Share of a pause that is left to chance, so that jobs which were left together do not come back together. */
const jitter = 0.2;
/** Doubling any further changes nothing; so the count stays small, however long a job waits. */
const mostDoublings = 30;
/** Lines of the job's log that are kept while it waits. */
const keepLines = 50;

interface Leaving {
	readonly catalog: Pick<Catalog, 'markWaiting'>;
	readonly log: Logger;
}

/**
 * Gives a job back to its queue for a pause, and tells why: in the job's progress and log, which Arena shows, in the index, which the API
 * shows, and in the log of the process.
 *
 * @param token of this worker's lock on the job
 * @throws DelayedError, which tells BullMQ that the job was moved; the end of a job that waits no longer
 */
export async function leaveToOthers(
	job: Job<unknown>,
	token: string | undefined,
	why: CannotServe,
	{ catalog, log, pauses }: Leaving & { readonly pauses: Pauses },
): Promise<never> {
	const { step, left } = (job.progress ?? {}) as Partial<JobProgress>;
	const since = left?.since ?? new Date().toISOString();
	const before = left?.times ?? 0;
	if (pauses.end !== undefined && Date.now() - Date.parse(since) > pauses.end) {
		throw jobError(new PicpipeError('invalid-job', why.message));
	}
	const pause = Math.min(pauses.first * 2 ** before, pauses.longest) * (1 - jitter * Math.random());
	const { unknown, picture, message } = why;
	const progress: JobProgress = {
		percent: 0,
		step: `waiting for a worker that knows ${unknown.join(', ')}`,
		left: { since, times: Math.min(before + 1, mostDoublings) },
	};
	const isNews = step !== progress.step;
	const line = {
		queue: job.queueName,
		jobId: job.id,
		pictureId: picture?.id,
		unknown,
		since,
		pause: Math.round(pause),
	};
	log[isNews ? 'warn' : 'debug'](line, 'job left to other workers');
	// Only for people who watch.
	const tell = async () => {
		if (isNews) await job.log(`${new Date().toISOString()} ${message}`);
		await job.clearLogs(keepLines);
		await job.updateProgress({ ...progress });
		if (picture) await catalog.markWaiting(picture, { reason: message, since });
	};
	await tell().catch((err) => log.debug({ err }, 'could not record why the job was postponed'));
	await job.moveToDelayed(Date.now() + Math.round(pause), token);
	throw new DelayedError();
}
