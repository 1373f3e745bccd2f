import { DelayedError, type Job } from 'bullmq';
import { type ErrorCode, toPicpipeError } from '../errors.ts';
import type { AttemptOutcome, Attempts } from '../queue/attempts.ts';
import { deliverJobSchema } from '../queue/jobs.ts';
import { jobError, willRetry } from '../queue/retry.ts';
import { type DeliverContext, type DeliverResult, deliver } from '../webhooks/deliver.ts';
import { parseJob } from './parse-job.ts';

/**
 * Time for which a job steps back when its endpoint has as many deliveries under way as it may, milliseconds; chance is added, so that a long
 * queue does not come back as one.
 */
const stepBack = { least: 1_000, most: 3_000 };

/**
 * Makes the processor of `deliver` jobs. Of the deliveries at the same time at most half go to one endpoint: one that answers slowly, or not at
 * all, must not keep the others waiting.
 *
 * @param context.settings.concurrency deliveries of this worker at the same time
 */
export function webhookDelivery(context: DeliverContext & { readonly attemptCounts?: Attempts | undefined }) {
	const mostPerEndpoint = Math.max(1, Math.floor(context.settings.concurrency / 2));
	const underWay = new Map<string, number>();

	return async (job: Job<unknown>, token?: string): Promise<DeliverResult> => {
		const count = (outcome: AttemptOutcome, code?: ErrorCode) =>
			context.attemptCounts?.count('webhooks', outcome, code);
		const data = parseJob(job, deliverJobSchema, () => count('failed', 'invalid-job'));
		const { endpoint, messageId, attemptsBefore, requestId } = data;
		const busy = underWay.get(endpoint) ?? 0;
		if (busy >= mostPerEndpoint) {
			const wait = stepBack.least + Math.random() * (stepBack.most - stepBack.least);
			await job.moveToDelayed(Date.now() + Math.round(wait), token);
			throw new DelayedError();
		}
		underWay.set(endpoint, busy + 1);
		const attempt = attemptsBefore + job.attemptsMade + 1;
		const attempts = attemptsBefore + (job.opts.attempts ?? 1);
		const tell = (line: string) => void job.log(`${new Date().toISOString()} ${line}`).catch(() => {});
		try {
			const log = context.log.child({ jobId: job.id, requestId });
			const result = await deliver({ ...context, log }, { endpoint, messageId }, attempt, attempts);
			const answer = result.status === undefined ? '' : `: ${result.status} after ${result.milliseconds} ms`;
			count(result.outcome === 'delivered' ? 'succeeded' : 'unneeded');
			tell(`attempt ${attempt} of ${attempts}: ${result.outcome}${answer}`);
			return result;
		} catch (thrown) {
			const error = toPicpipeError(thrown);
			count(willRetry(error, attempt, attempts) ? 'retried' : 'failed', error.code);
			tell(`attempt ${attempt} of ${attempts} failed: ${error.message}`);
			throw jobError(error);
		} finally {
			const left = (underWay.get(endpoint) ?? 1) - 1;
			if (left > 0) underWay.set(endpoint, left);
			else underWay.delete(endpoint);
		}
	};
}
