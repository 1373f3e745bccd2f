import type { Job } from 'bullmq';
import type { z } from 'zod';
import type { Picture } from '../domain/picture.ts';
import { type ErrorCode, PicpipeError, toPicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { AttemptOutcome, Attempts } from '../queue/attempts.ts';
import { jobVersion, jobWithoutFacts, type QueueName } from '../queue/jobs.ts';
import { jobError, willRetry } from '../queue/retry.ts';
import { reportTo } from './job-report.ts';
import { asCannotServe, CannotServe } from './leave.ts';
import { type Records, recordFailure, settle } from './record.ts';

/** Fields that the data of every picture job has. */
interface PictureJobData {
	readonly pictureId: string;
	readonly requestId?: string | undefined;
}

/** The dependencies for reporting an attempt. */
export interface AttemptContext extends Records {
	readonly log: Logger;
	/** Counts attempts by outcome; not counted if absent. */
	readonly attemptCounts?: Attempts | undefined;
}

/**
 * Begins an attempt at a picture job: parses its data, and creates its reports and its failure handling.
 *
 * @throws an error for BullMQ that ends the job, `invalid-job`; CannotServe for data of a newer version
 */
export function beginAttempt<T extends PictureJobData>(
	job: Job<unknown>,
	schema: z.ZodType<T>,
	context: AttemptContext,
) {
	const count = (outcome: AttemptOutcome, code?: ErrorCode) =>
		context.attemptCounts?.count(job.queueName as QueueName, outcome, code);
	const data = parseJob(job, schema, () => count('failed', 'invalid-job'));
	const log = context.log.child({ pictureId: data.pictureId, jobId: job.id, requestId: data.requestId });
	const attempt = job.attemptsMade + 1;
	const attempts = job.opts.attempts ?? 1;
	const report = reportTo(job, log);
	/** The job of a deleted picture is removed when it ends, with its data and log. */
	const leaveNothing = () => Object.assign(job.opts, { removeOnComplete: true, removeOnFail: true });
	/** A request may wait for the end of the job, so it stays, without data and log. */
	const forgetFacts = async () => {
		await report.drop();
		await Promise.all([job.updateData(jobWithoutFacts(data)), job.clearLogs()]);
	};

	return {
		data,
		log,
		attempt,
		report,

		/** Will another attempt follow this error? */
		isRetried: (error: PicpipeError) => willRetry(error, attempt, attempts),

		/**
		 * Ends an attempt whose failure is already recorded: its worker was killed between the manifest and the end of the job, and the job
		 * runs again. The picture is not processed anew, so that its end has one revision and one webhook id. Of a job that is retried by hand,
		 * the attempt is another, or its worker has not died.
		 *
		 * @throws PicpipeError the recorded failure, after its subscribers were notified
		 */
		async endIfFailed(picture: Picture): Promise<void> {
			const { state, failure } = picture;
			const isRestarted = job.stalledCounter > 0 && job.attemptsStarted > attempt;
			if (state !== 'failed' || failure?.attempt !== attempt || !isRestarted) return;
			await settle(context, picture);
			throw new PicpipeError(failure.code, failure.message, { step: failure.step });
		},

		leaveNothing,

		/** Counts a successful attempt. @param isNews false if nothing was left to do */
		succeed: (isNews: boolean) => count(isNews ? 'succeeded' : 'unneeded'),

		/**
		 * Reports that the attempt failed, and records it unless another attempt follows. Work that is left to other workers is not reported,
		 * because no attempt was made.
		 *
		 * @param picture as it was when the work began; undefined if it was not read
		 * @param found recorded with the failure
		 * @returns the error for BullMQ, or CannotServe
		 */
		async fail(thrown: unknown, picture: Picture | undefined, found: Partial<Picture> = {}): Promise<Error> {
			const left = asCannotServe(thrown);
			if (left) {
				await report.drop();
				return left;
			}
			const error = toPicpipeError(thrown);
			const again = willRetry(error, attempt, attempts);
			if (error.code === 'stopping')
				log.info({ attempt }, 'attempt dropped, because this process stops; another follows');
			else {
				log.warn(
					{
						err: error,
						code: error.code,
						class: error.class,
						step: error.step,
						seen: error.seen,
						attempt,
						attempts,
						again,
					},
					'attempt failed',
				);
			}
			count(again ? 'retried' : 'failed', error.code);
			const end = again ? ', another follows' : '';
			await report.end(`attempt ${attempt} of ${attempts} failed${end}: ${error.message}`);
			if (picture && !again && (await recordFailure(context, picture, error, attempt, found)) === 'deleted')
				leaveNothing();
			if (error.code === 'picture-not-found') await forgetFacts();
			return jobError(error);
		},
	};
}

/**
 * Parses the data of a job.
 *
 * @param onInvalid called before the error is thrown
 * @throws an error for BullMQ that ends the job, `invalid-job`; CannotServe for data of a newer version
 */
export function parseJob<T>(job: Job<unknown>, schema: z.ZodType<T>, onInvalid: () => void): T {
	const { version } = (job.data ?? {}) as { readonly version?: unknown };
	if (typeof version === 'number' && version > jobVersion) throw new CannotServe([`job data version ${version}`]);
	const parsed = schema.safeParse(job.data);
	if (parsed.success) return parsed.data;
	onInvalid();
	const [issue] = parsed.error.issues;
	const expected = `Expected the data of a ${job.name} job but ${issue?.path.join('.')}: ${issue?.message}`;
	throw jobError(new PicpipeError('invalid-job', expected));
}
