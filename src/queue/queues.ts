import { type JobsOptions, Queue, RedisConnection } from 'bullmq';
import type { Redis } from 'ioredis';
import { isReceived, type Picture } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import type { Backlog } from './backlog.ts';
import { type JobCondition, openConditions } from './conditions.ts';
import { type Deliveries, openDeliveries } from './deliveries/deliveries.ts';
import {
	type DeliverJob,
	deliverJobId,
	jobOf,
	type QueueName,
	queueNames,
	type RenderJob,
	renderJobId,
} from './jobs.ts';
import { openPictureQueues, type PictureQueues } from './picture-queues.ts';
import { noteRenderJob } from './purge-jobs.ts';
import { askRedis, oldestRedis } from './redis.ts';
import { errorOfJob, patientRetries, retryOptions, scheduled } from './retry.ts';

/** Completed jobs are kept for inspection: a day or this many, whichever is less. */
export const keepCompleted = { age: 24 * 60 * 60, count: 10_000 };

/** Longest time for checking all delayed jobs, milliseconds. */
const lateJobsPatience = 30_000;

export interface QueuesOptions {
	readonly prefix: string;
	/** Most renders that may wait; no limit if undefined. */
	readonly renderQueue?: number;
	readonly attempts: number;
	/** Delay before the second attempt, milliseconds. */
	readonly retryDelay: number;
	/** Most deliveries of webhooks under way to one receiver; 8 if undefined. */
	readonly webhookEndpointConcurrency?: number;
}

/** Attempts of a picture's job, and how long the job is kept. */
export function pictureJobOptions(options: Pick<QueuesOptions, 'attempts' | 'retryDelay'>): JobsOptions {
	return {
		removeOnComplete: keepCompleted,
		removeOnFail: false,
		...retryOptions(options.attempts, options.retryDelay),
	};
}

/** Attempts of a fetch job. The worker chooses the delays. */
export function fetchJobOptions(options: Pick<QueuesOptions, 'attempts' | 'retryDelay'>): JobsOptions {
	return { ...pictureJobOptions(options), ...patientRetries(options.attempts, options.retryDelay) };
}

/** `now`: a request waits for the render. `later`: the render runs when no request waits. */
export type Urgency = 'now' | 'later';
const renderPriority: Readonly<Record<Urgency, number>> = { now: 1, later: 1_000 };

/** A completed or failed render job. */
export interface EndedRender {
	/** Why it failed; undefined if it completed. */
	readonly failedReason: string | undefined;
	/** When it ended, milliseconds since 1970. */
	readonly at: number;
}

/** A request waits for the render, so a failing render is tried less often than a picture. */
const renderAttempts = 3;
/** Delay before the second attempt of a render, milliseconds. */
const renderRetryDelay = 200;
/**
 * There are many renders, and their URLs show what they were. The age, in seconds, is long enough for simultaneous requests to find the
 * same job.
 */
export const keepRenders = { age: 3_600, count: 1_000 };

/** Default of `webhookEndpointConcurrency`. */
const defaultPerReceiver = 8;

/** Sweeps are frequent and alike; the last ones are kept for inspection. */
export const keepSweeps = { count: 100 };

interface WaitingCounts {
	/** Jobs that a worker could take now. */
	readonly waiting: number;
	/** Jobs that wait for another attempt. */
	readonly delayed: number;
}

/** The producer's side of every queue. */
export interface Queues extends PictureQueues {
	readonly byName: Readonly<Record<QueueName, Queue>>;
	/**
	 * The failure of the last attempt at fetching a picture, while the next attempt is not due yet.
	 *
	 * @returns undefined if the fetch has not failed, or its next attempt has begun; otherwise `retryAfter` is the time until the next attempt
	 * @throws PicpipeError `queue-unavailable`
	 */
	failedFetch(picture: Picture): Promise<PicpipeError | undefined>;
	/**
	 * The conditions of jobs, in the order of their ids. Costs the same however many jobs wait.
	 *
	 * @throws PicpipeError `queue-unavailable`
	 */
	conditionsOf(queue: QueueName, jobIds: readonly string[]): Promise<JobCondition[]>;
	readonly deliveries: Deliveries;
	/** Removes the job of an earlier delivery, so that it can be queued again. False if the job is running. */
	forgetDelivery(job: Pick<DeliverJob, 'endpoint' | 'messageId'>): Promise<boolean>;
	/**
	 * Queues a render, unless its job waits or runs. If the job has ended, `isWanted` decides whether it is queued again.
	 *
	 * @param isWanted called with the job that has ended
	 * @returns whether the render's end can be awaited
	 * @throws PicpipeError `queue-unavailable`, `render-queue-full`
	 */
	enqueueRender(job: RenderJob, urgency: Urgency, isWanted: (ended: EndedRender) => Promise<boolean>): Promise<boolean>;
	/**
	 * Number of jobs that wait: in the backlog, in the queue, and for another attempt.
	 *
	 * @throws errors of Redis
	 */
	countWaiting(queue: QueueName): Promise<WaitingCounts>;
	/**
	 * Promotes jobs that are overdue because the clock was set back; returns how many.
	 *
	 * @throws PicpipeError `queue-unavailable`
	 */
	promoteOverdueJobs(): Promise<number>;
	close(): Promise<void>;
}

/** The backlog of a queue that has one. */
export function backlogOf({ backlogs }: Pick<Queues, 'backlogs'>, queue: string): Backlog | undefined {
	return backlogs[queue as keyof typeof backlogs];
}

/** What waits in front of a queue, if anything does. */
export function inFrontOf(
	queues: Pick<Queues, 'backlogs' | 'deliveries'>,
	queue: string,
): Pick<Backlog, 'count' | 'clear'> | undefined {
	return queue === ('webhooks' satisfies QueueName) ? queues.deliveries : backlogOf(queues, queue);
}

/**
 * BullMQ asks Redis for its version and writes the queue's settings once, when a queue is created. If Redis is away just then, the queue
 * stays broken. With these options each command succeeds or fails by itself. The code that connects checks the version.
 */
export const startsWithoutRedis = {
	skipWaitingForReady: true,
	skipVersionCheck: true,
	skipMetasUpdate: true,
} as const;

/**
 * What BullMQ believes about Redis where it does not ask. It would take Redis 5, and read whole lists instead of using `LPOS`.
 */
RedisConnection.minimumVersion = `${oldestRedis.join('.')}.0`;

export function openQueues(redis: Redis, options: QueuesOptions): Queues {
	const { renderQueue = Number.POSITIVE_INFINITY } = options;
	const byName = Object.fromEntries(
		queueNames.map((name) => {
			const queue = new Queue(name, { connection: redis, prefix: options.prefix, ...startsWithoutRedis });
			// The connection's own listener logs errors. Without a listener here, each queue would throw them again.
			queue.on('error', () => {});
			return [name, queue];
		}),
	) as Record<QueueName, Queue>;

	const readConditions = openConditions(redis);
	const forget = (queue: QueueName, id: string): Promise<boolean> =>
		askRedis(redis, async () => {
			const job = await byName[queue].getJob(id);
			if (!job) return true;
			if (await job.isActive()) return false;
			return (await byName[queue].remove(id)) === 1;
		});

	const pictures = openPictureQueues({
		redis,
		prefix: options.prefix,
		byName,
		jobOptions: { pictures: pictureJobOptions(options), fetches: fetchJobOptions(options) },
		readConditions,
		forget,
	});

	const deliveries = openDeliveries(redis, {
		prefix: options.prefix,
		perReceiver: options.webhookEndpointConcurrency ?? defaultPerReceiver,
		add: ({ job, attempts, keepSeconds }) =>
			byName.webhooks.add('deliver', job, {
				jobId: deliverJobId(job),
				attempts,
				backoff: { type: scheduled },
				removeOnComplete: keepCompleted,
				removeOnFail: { age: keepSeconds },
			}),
	});

	return {
		byName,
		...pictures,
		deliveries,

		async failedFetch(picture) {
			if (isReceived(picture)) return undefined;
			const { id } = jobOf(picture);
			return askRedis(redis, async () => {
				const score = await redis.zscore(byName.fetches.toKey('delayed'), id);
				if (score === null) return undefined;
				const { failedReason } = (await byName.fetches.getJob(id)) ?? {};
				if (!failedReason) return undefined;
				const { code, message, step } = errorOfJob(failedReason);
				const seconds = Math.max(1, Math.ceil((Number(score) / scorePerMillisecond - Date.now()) / 1_000));
				return new PicpipeError(code, message, { step, retryAfter: seconds });
			});
		},

		async conditionsOf(queue, jobIds) {
			// Asked first, because jobs move from here to the queue.
			const waits = queue === 'webhooks' ? await deliveries.find(jobIds) : [];
			const conditions = await readConditions(byName[queue].toKey(''), jobIds);
			return conditions.map((one, at) => (waits[at] ? { ...one, state: 'live' } : one));
		},

		async forgetDelivery(job) {
			if (!(await forget('webhooks', deliverJobId(job)))) return false;
			await deliveries.forget(job.endpoint, [job.messageId]);
			return true;
		},

		async enqueueRender(job, urgency, isWanted) {
			const queue = byName.renders;
			const [jobId, priority] = [renderJobId(job), renderPriority[urgency]];
			return askRedis(redis, async () => {
				// Both queries at once: the job hardly ever exists.
				const [found, { waiting = 0, prioritized = 0, delayed = 0 }] = await Promise.all([
					queue.getJob(jobId),
					queue.getJobCounts('waiting', 'prioritized', 'delayed'),
				]);
				const state = await found?.getState();
				if (found && (state === 'completed' || state === 'failed')) {
					const failedReason = state === 'failed' ? (found.failedReason ?? 'failed') : undefined;
					if (!(await isWanted({ failedReason, at: found.finishedOn ?? 0 }))) return false;
					await queue.remove(jobId);
				} else if (found && state !== 'unknown') {
					// It was queued for later, and now a request waits for it.
					if (state === 'prioritized' && priority < found.priority) await found.changePriority({ priority });
					return true;
				}
				if (waiting + prioritized + delayed >= renderQueue) {
					throw new PicpipeError(
						'render-queue-full',
						`Expected fewer than ${renderQueue} waiting renders (PICPIPE_RENDER_QUEUE).`,
					);
				}
				await noteRenderJob(redis, options.prefix, job.pictureId, jobId);
				await queue.add('render', job, {
					jobId,
					priority,
					removeOnComplete: keepRenders,
					removeOnFail: keepRenders,
					...retryOptions(Math.min(renderAttempts, options.attempts), Math.min(renderRetryDelay, options.retryDelay)),
				});
				return true;
			});
		},

		async countWaiting(name) {
			const [{ waiting = 0, prioritized = 0, delayed = 0 }, backlog] = await Promise.all([
				byName[name].getJobCounts('waiting', 'prioritized', 'delayed'),
				inFrontOf({ ...pictures, deliveries }, name)?.count() ?? 0,
			]);
			return { waiting: waiting + prioritized + backlog, delayed };
		},

		promoteOverdueJobs() {
			// The schedule of `upkeep` repairs itself.
			const { upkeep: _, ...delayed } = byName;
			return askRedis(redis, () => promoteOverdueJobs(redis, Object.values(delayed)), lateJobsPatience);
		},

		async close() {
			for (const backlog of Object.values(pictures.backlogs)) backlog.close();
			await Promise.all(Object.values(byName).map((queue) => queue.close()));
		},
	};
}

/** Most delayed jobs to check in one call; those due last come first. */
const overduePerCall = 1_000;
/** Tolerated difference between the clocks of several machines, milliseconds. */
const clockTolerance = 5_000;
/** BullMQ stores the due time of a delayed job in the upper bits of its score. */
const scorePerMillisecond = 0x1000;

/**
 * Promotes jobs that would wait longer than their delay. This happens after the clock was set back: a job due by the old time would be late
 * by the difference.
 *
 * @returns how many jobs
 */
async function promoteOverdueJobs(redis: Redis, queues: readonly Queue[]): Promise<number> {
	let forward = 0;
	for (const queue of queues) {
		const rows = await redis.zrevrange(queue.toKey('delayed'), 0, overduePerCall - 1, 'WITHSCORES');
		for (let at = 0; at < rows.length; at += 2) {
			const job = await queue.getJob(rows[at] ?? '');
			const wait = Number(rows[at + 1]) / scorePerMillisecond - Date.now();
			if (!job || wait <= job.delay + clockTolerance) continue;
			// Another process may have promoted or taken it at this moment.
			await job.promote().then(
				() => forward++,
				() => {},
			);
		}
	}
	return forward;
}
