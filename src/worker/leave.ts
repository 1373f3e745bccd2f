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
 * Versions run side by side, so a job may need features that only a newer worker has. Other workers leave the whole job: it waits for a
 * growing pause, which spends no attempt, and the reason is visible to everyone.
 */

/** The parts of a job that this worker does not know, so that it does no part of the job. */
export class CannotServe extends Error {
	override readonly name = 'CannotServe';
	/** In words: `operation "blur_faces"`. */
	readonly unknown: readonly string[];
	/** The picture of the job, if it could be read. */
	readonly picture: Picture | undefined;

	constructor(unknown: readonly string[], picture?: Picture) {
		super(`No worker that has seen this job knows ${unknown.join(', ')}. It waits for a newer worker.`);
		this.unknown = unknown;
		this.picture = picture;
	}
}

/** @param picture that waits for the recipe; absent for a render. @throws CannotServe unless this worker knows the whole recipe */
export function requireKnown(recipe: Recipe, picture?: Picture): void {
	const unknown = unknownParts(recipe);
	if (unknown.length > 0) throw new CannotServe(unknown, picture);
}

/** Converts the error of a manifest that only a newer worker can read; undefined for every other error. */
export function asCannotServe(thrown: unknown): CannotServe | undefined {
	if (thrown instanceof CannotServe) return thrown;
	const error = thrown instanceof PicpipeError && thrown.cause instanceof NewerManifestError ? thrown.cause : thrown;
	return error instanceof NewerManifestError ? new CannotServe([`manifest version ${error.version}`]) : undefined;
}

/** How long a job that was left waits, milliseconds; doubles each time. */
interface Pauses {
	readonly first: number;
	readonly longest: number;
	/** Age at which a job that no worker can do ends; never if absent. */
	readonly end?: number;
}

/** Long enough that a backlog of such jobs costs little. A new worker gets all of them within the longest pause. */
export const patientPauses: Pauses = { first: 1_000, longest: 5 * 60_000 };
/**
 * A request waits for a render for a few seconds. Nothing was promised, and a waiting render takes the place of others, so it ends
 * eventually.
 */
export const renderPauses: Pauses = { first: 200, longest: 10_000, end: 10 * 60_000 };

/** Random share of a pause, so that jobs that were left together do not return together. */
const jitter = 0.2;
/** Further doubling changes nothing, so the count stays small, however long a job waits. */
const mostDoublings = 30;
/** Lines of the job's log to keep while it waits. */
const keepLines = 50;

interface Leaving {
	readonly catalog: Pick<Catalog, 'markWaiting'>;
	readonly log: Logger;
}

/**
 * Returns a job to its queue for a pause, and reports the reason: in the job's progress and log, which Arena shows, in the index, which the
 * API shows, and in the log of the process.
 *
 * @param token of this worker's lock on the job
 * @throws DelayedError, which tells BullMQ that the job was moved; the final error of a job that waits no longer
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
	// For display only.
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
