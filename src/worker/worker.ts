import { setTimeout as sleep } from 'node:timers/promises';
import { type BackoffStrategy, DelayedError, type Job, type Processor, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { z } from 'zod';
import { type ErrorCode, toPicpipeError } from '../errors.ts';
import { untilRedisTime } from '../observe/clock.ts';
import type { Logger } from '../observe/log.ts';
import type { AttemptOutcome, Attempts } from '../queue/attempts.ts';
import type { DeliveryWorker, ReceiverState } from '../queue/deliveries/deliveries.ts';
import { deliverJobSchema, pictureIdOfJob, type QueueName, sweepJobSchema, sweepSchedulerId } from '../queue/jobs.ts';
import { nameOfWorkers } from '../queue/picture-queues.ts';
import { backlogOf, keepSweeps, type Queues } from '../queue/queues.ts';
import { isConnectionTrouble } from '../queue/redis.ts';
import { jobError, patientDelay, scheduledDelay, willRetry } from '../queue/retry.ts';
import { type DeliverContext, type DeliverResult, deliver } from '../webhooks/deliver.ts';
import type { Webhooks } from '../webhooks/publish.ts';
import { parseJob } from './attempt.ts';
import { type FetchContext, fetchPicture } from './fetch-picture.ts';
import { openFirstSeen } from './first-seen.ts';
import { adaptJobsAhead } from './jobs-ahead.ts';
import { CannotServe, leaveToOthers, patientPauses, renderPauses } from './leave.ts';
import { type ProcessContext, processPicture } from './process-picture.ts';
import { type RenderContext, renderPicture } from './render.ts';
import { type SweepContext, sweep } from './sweep.ts';

/**
 * How long a job stays with a worker that no longer renews its lock, and how often such jobs are looked for. The jobs of a killed worker
 * restart after at most the sum. The worker's own event loop does no imaging, so it never misses a renewal.
 */
const lockDuration = 10_000;
const stalledInterval = 5_000;
/**
 * How often a job may lose its worker. BullMQ's default of 1 fails a picture whose worker was killed twice, for example by a deployment and
 * a crash of the machine. A picture that kills its imaging process spends attempts and never reaches this limit.
 */
const maxStalledCount = 50;

/** How long the workers may take to report their last jobs and to disconnect, milliseconds. */
const closingPatience = 2_000;

/** Jobs that a worker wants to find waiting in the queue when it has room. All others stay in the backlog. */
const jobsWaiting = 1;

/** Pause after an error that Redis answered with, milliseconds. */
const refusalPause = 1_000;

/**
 * BullMQ asks for the next job again as soon as Redis has answered with an error. If a delayed job is due, that is a thousand times a second for
 * as long as the disk of Redis is full.
 */
class CalmWorker extends Worker {
	protected override async moveToActive(token: string, name?: string): Promise<Job> {
		try {
			return await super.moveToActive(token, name);
		} catch (error) {
			if (error instanceof Error && error.name === 'ReplyError') await sleep(refusalPause);
			throw error;
		}
	}
}

export interface WorkerOptions {
	readonly prefix: string;
	readonly imagingProcesses: number;
	/** Jobs to take beyond the number of imaging processes; more by itself if that is not enough. */
	readonly jobsAhead: number;
	readonly fetchConcurrency: number;
	/** Longest wait that a remote server can request before the next attempt of a fetch, seconds. */
	readonly fetchRetrySeconds: number;
	/** Longest wait that a receiver can request before the next attempt of a webhook, seconds. */
	readonly webhookRetrySeconds: number;
	readonly sweepSeconds: number;
}

export interface PicpipeWorker {
	/** Takes no more jobs and waits for the current ones. */
	close(): Promise<void>;
	/** Leaves the current jobs to other workers, and disconnects. After `close`, which waits for ever while Redis is away. */
	drop(): Promise<void>;
}

/** Starts taking jobs from the queues, and keeps the sweep scheduled. */
export function startWorkers(
	redis: Redis,
	queues: Queues,
	context: ProcessContext &
		RenderContext &
		FetchContext &
		Omit<SweepContext, 'firstSeen'> & { readonly webhooks: Webhooks },
	options: WorkerOptions,
): PicpipeWorker {
	const { log, webhooks } = context;
	const underWay = new Set<Promise<unknown>>();
	const untilIdle = async () => {
		while (underWay.size > 0) await Promise.allSettled(underWay);
	};
	const work = (
		queue: QueueName,
		concurrency: number,
		process: Processor,
		backoffStrategy: BackoffStrategy = patientDelay(options.fetchRetrySeconds),
	) => {
		const pauses = queue === 'renders' ? renderPauses : patientPauses;
		const turns = backlogOf(queues, queue)?.join({ window: jobsWaiting });
		const leaving: Processor = async (job, token, ...more) => {
			// The next job moves to the queue while this one is done.
			turns?.started(pictureIdOfJob(job.id ?? ''));
			ahead?.begin();
			const work = process(job, token, ...more);
			underWay.add(work);
			try {
				return await work;
			} catch (error) {
				if (!(error instanceof CannotServe)) throw error;
				return leaveToOthers(job, token, error, { ...context, pauses });
			} finally {
				ahead?.end();
				underWay.delete(work);
			}
		};
		const worker = new CalmWorker(queue, leaving, {
			connection: redis,
			prefix: options.prefix,
			name: nameOfWorkers,
			concurrency,
			// By the wrong time, a worker would start jobs that are not due.
			autorun: false,
			lockDuration,
			stalledInterval,
			maxStalledCount,
			settings: { backoffStrategy },
		});
		const hasMore = () => turns?.hasMore() ?? false;
		const jobs = { processes: options.imagingProcesses, least: options.jobsAhead, hasMore };
		const ahead =
			queue === 'pictures'
				? adaptJobsAhead(context.pool, jobs, (count) => {
						worker.concurrency = options.imagingProcesses + count;
						turns?.resize(jobsWaiting + count - options.jobsAhead);
						log.debug({ jobsAhead: count }, 'number of jobs ahead changed');
					})
				: undefined;
		worker.on('completed', ({ id = '', returnvalue }) =>
			turns?.ended(pictureIdOfJob(id), id, (returnvalue as { readonly megapixels?: number } | null)?.megapixels),
		);
		worker.on('failed', (job) => {
			if (job?.id !== undefined && job.finishedOn !== undefined) turns?.ended(pictureIdOfJob(job.id), job.id);
		});
		worker.on('error', (err) => {
			// Each worker has connections of its own, which report every attempt to reconnect. The process reports the outage once.
			if (!isConnectionTrouble(err)) log.warn({ err, queue }, 'queue error');
		});
		worker.on('stalled', (jobId) => log.warn({ queue, jobId }, 'worker lost; its job starts again'));
		return {
			run: () => void worker.run().catch((err) => worker.emit('error', err)),
			async close() {
				await Promise.all([turns?.leave(), worker.close()]);
			},
			disconnect: () => worker.disconnect(),
		};
	};
	const deliveries = queues.deliveries.watch();
	const stopping = new AbortController();
	const firstSeen = openFirstSeen();
	const workers = [
		work('fetches', options.fetchConcurrency, (job, token) => fetchPicture(job, context, stopping.signal, token)),
		work('pictures', options.imagingProcesses + options.jobsAhead, (job) => processPicture(job, context)),
		work('renders', options.imagingProcesses + options.jobsAhead, (job) => renderPicture(job, context), undefined),
		work(
			'webhooks',
			webhooks.settings.concurrency,
			webhookDelivery({ ...webhooks, attemptCounts: context.attemptCounts }, deliveries),
			scheduledDelay(webhooks.settings.schedule, options.webhookRetrySeconds),
		),
		work('upkeep', 1, (job) => {
			sweepJobSchema.parse(job.data);
			return sweep({ ...context, firstSeen }, job);
		}),
	];
	let scheduling: NodeJS.Timeout | undefined;
	void untilRedisTime().then(() => {
		if (stopping.signal.aborted) return;
		for (const worker of workers) worker.run();
		scheduling = keepSweepScheduled(queues, options.sweepSeconds * 1_000, log);
	});

	return {
		async close() {
			clearInterval(scheduling);
			deliveries.close();
			// A download may take longer than a stop; another worker starts it again.
			stopping.abort();
			const closing = Promise.all(workers.map((worker) => worker.close()));
			// A connection that was just restored may never finish closing.
			await Promise.race([closing, untilIdle().then(() => sleep(closingPatience))]);
		},
		async drop() {
			await Promise.all(workers.map((worker) => worker.disconnect()));
		},
	};
}

/** Options of the sweep job. */
const sweepJobOptions = { removeOnComplete: keepSweeps, removeOnFail: keepSweeps };
const sweepJobData: z.input<typeof sweepJobSchema> = { version: 1 };

/** Runs a sweep now and then on a schedule. Redis may lose the schedule, so it is renewed at the same interval. */
function keepSweepScheduled(queues: Queues, every: number, log: Logger): NodeJS.Timeout {
	const { upkeep } = queues.byName;
	const sweepNow = () =>
		upkeep.add('sweep', sweepJobData, { ...sweepJobOptions, deduplication: { id: 'sweep-at-start', ttl: 1_000 } });
	const schedule = async () => {
		const scheduler = await upkeep.getJobScheduler(sweepSchedulerId);
		// After the clock was set back, the next sweep would be late by the difference.
		const isLate = (scheduler?.next ?? 0) - Date.now() > every * 2;
		if (scheduler?.every === every && !isLate) return;
		if (isLate) await upkeep.removeJobScheduler(sweepSchedulerId);
		await upkeep.upsertJobScheduler(
			sweepSchedulerId,
			{ every },
			{ name: 'sweep', data: sweepJobData, opts: sweepJobOptions },
		);
	};
	const trouble = (err: unknown) => log.warn({ err }, 'the sweep could not be scheduled; trying again');
	sweepNow().catch(trouble);
	schedule().catch(trouble);
	return setInterval(() => schedule().catch(trouble), every);
}

/** How long the job of a delivery is delayed on its way to the line of its receiver, milliseconds. If its worker dies, it begins after that. */
const parking = 60_000;

/**
 * Creates the processor of `deliver` jobs. A retry that is due while its receiver has as many deliveries under way as allowed joins the line
 * of the receiver, so that a slow or silent receiver does not delay the others.
 */
function webhookDelivery(
	context: DeliverContext & { readonly attemptCounts?: Attempts | undefined },
	deliveries: DeliveryWorker,
) {
	return async (job: Job<unknown>, token?: string): Promise<DeliverResult> => {
		const count = (outcome: AttemptOutcome, code?: ErrorCode) =>
			context.attemptCounts?.count('webhooks', outcome, code);
		const data = parseJob(job, deliverJobSchema, () => count('failed', 'invalid-job'));
		const { endpoint, messageId, attemptsBefore, requestId } = data;
		const attempt = attemptsBefore + job.attemptsMade + 1;
		const attempts = attemptsBefore + (job.opts.attempts ?? 1);
		if (!(await deliveries.begin(data))) {
			await job.moveToDelayed(Date.now() + parking, token);
			await deliveries.park({
				job: { ...data, attemptsBefore: attempt - 1 },
				attempts: attempts - attempt + 1,
				keepSeconds: context.settings.keepSeconds,
			});
			throw new DelayedError();
		}
		const tell = (line: string) => void job.log(`${new Date().toISOString()} ${line}`).catch(() => {});
		let receiver: ReceiverState;
		try {
			const log = context.log.child({ jobId: job.id, requestId });
			const result = await deliver({ ...context, log }, { endpoint, messageId }, attempt, attempts);
			const answer = result.status === undefined ? '' : `: ${result.status} after ${result.milliseconds} ms`;
			if (result.outcome === 'delivered') receiver = 'answered';
			count(result.outcome === 'delivered' ? 'succeeded' : 'unneeded');
			tell(`attempt ${attempt} of ${attempts}: ${result.outcome}${answer}`);
			return result;
		} catch (thrown) {
			const error = toPicpipeError(thrown);
			receiver = stateOfReceiver(error.code);
			count(willRetry(error, attempt, attempts) ? 'retried' : 'failed', error.code);
			tell(`attempt ${attempt} of ${attempts} failed: ${error.message}`);
			throw jobError(error);
		} finally {
			await deliveries.end(data, receiver);
		}
	};
}

/** @param code of the error of an attempt */
function stateOfReceiver(code: ErrorCode): ReceiverState {
	if (code === 'webhook-refused' || code === 'webhook-gone') return 'answered';
	return code.startsWith('remote-') ? 'silent' : undefined;
}
