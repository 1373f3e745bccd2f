import { type JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type AwaitedPicture, isReceived, type Picture } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import {
	type DeliverJob,
	deliverJobId,
	fetchJob,
	jobOf,
	type ProcessReason,
	processJob,
	type QueueName,
	queueNames,
	type RenderJob,
	renderJobId,
} from './jobs.ts';
import { askRedis } from './redis.ts';
import { patientRetries, retryOptions, scheduled } from './retry.ts';

/** Completed jobs are kept for people to look at: a day or this many, whichever is less. */
export const keepCompleted = { age: 24 * 60 * 60, count: 10_000 };

/** Longest time that looking through all delayed jobs may take, milliseconds. */
const lateJobsPatience = 30_000;

export interface QueuesOptions {
	readonly prefix: string;
	/** Most renders that may wait; any number when left out. */
	readonly renderQueue?: number;
	readonly attempts: number;
	/** Milliseconds before the second attempt. */
	readonly retryDelay: number;
}

/** How often a picture's job is tried, and how long it stays to be looked at. */
export function pictureJobOptions(options: Pick<QueuesOptions, 'attempts' | 'retryDelay'>): JobsOptions {
	return {
		removeOnComplete: keepCompleted,
		removeOnFail: false,
		...retryOptions(options.attempts, options.retryDelay),
	};
}

/** The same for the job that fetches a picture; its delays are the worker's to choose. */
export function fetchJobOptions(options: Pick<QueuesOptions, 'attempts' | 'retryDelay'>): JobsOptions {
	return { ...pictureJobOptions(options), ...patientRetries(options.attempts, options.retryDelay) };
}

/** `now`: somebody waits for it. `later`: it is made when nobody waits for anything else. */
export type Urgency = 'now' | 'later';
const renderPriority: Readonly<Record<Urgency, number>> = { now: 1, later: 1_000 };

/** A render's job that is over. */
export interface EndedRender {
	/** Why it failed; undefined when it did not. */
	readonly failedReason: string | undefined;
	/** Milliseconds since 1970. */
	readonly at: number;
}

/** A render that fails is waited for by somebody; it is tried less often than a picture. */
const renderAttempts = 3;
/** Milliseconds before its second attempt. */
const renderRetryDelay = 200;
/** Renders are many, and what they were can be seen in their URLs. Long enough, seconds, that requests of one moment find the same job. */
const keepRenders = { age: 3_600, count: 1_000 };

/** The producer's side of every queue. */
export interface Queues {
	readonly byName: Readonly<Record<QueueName, Queue>>;
	/**
	 * Queues what has to be done to a picture next, which is to fetch or to process it; nothing happens when its job is already there.
	 *
	 * @param priority the picture's own when not given
	 * @throws PicpipeError `queue-unavailable`
	 */
	enqueuePicture(picture: Picture, reason: ProcessReason, priority?: number): Promise<void>;
	/** Forgets the job of earlier, finished work so that the same work can be queued again. False when the job is running. */
	forgetPicture(picture: Picture): Promise<boolean>;
	/**
	 * Queues the delivery of a message; nothing happens when its job is already there.
	 *
	 * @param attempts how often it is tried
	 * @param keepSeconds how long a job that failed for good stays to be looked at
	 * @throws PicpipeError `queue-unavailable`
	 */
	enqueueDelivery(job: DeliverJob, attempts: number, keepSeconds: number): Promise<void>;
	/** Forgets the job of an earlier delivery so that it can be queued again. False when it is running. */
	forgetDelivery(job: Pick<DeliverJob, 'endpoint' | 'messageId'>): Promise<boolean>;
	/**
	 * Queues a render, unless its job waits or runs. One that has ended is forgotten and queued again; whether that makes sense is for the caller to
	 * say, who is asked with what it was.
	 *
	 * @param isWanted asked about a job that has ended
	 * @returns whether its end is still to come
	 * @throws PicpipeError `queue-unavailable`, `render-queue-full`
	 */
	enqueueRender(job: RenderJob, urgency: Urgency, isWanted: (ended: EndedRender) => Promise<boolean>): Promise<boolean>;
	/**
	 * Brings forward what the clock, set back, has made late; returns how many jobs.
	 *
	 * @throws PicpipeError `queue-unavailable`
	 */
	promoteOverdueJobs(): Promise<number>;
	close(): Promise<void>;
}

/**
 * BullMQ asks Redis for its version and writes the queue's settings once, when a queue is made, and the queue stays broken when
 * Redis is away just then. With these each command fails, or not, by itself; the version is checked by whoever connects.
 */
export const startsWithoutRedis = {
	skipWaitingForReady: true,
	skipVersionCheck: true,
	skipMetasUpdate: true,
} as const;

export function openQueues(redis: Redis, options: QueuesOptions): Queues {
	const { renderQueue = Number.POSITIVE_INFINITY } = options;
	const byName = Object.fromEntries(
		queueNames.map((name) => {
			const queue = new Queue(name, { connection: redis, prefix: options.prefix, ...startsWithoutRedis });
			// The connection's own listener reports trouble; without one here each queue would throw it again.
			queue.on('error', () => {});
			return [name, queue];
		}),
	) as Record<QueueName, Queue>;

	const forget = (queue: QueueName, id: string): Promise<boolean> =>
		askRedis(redis, async () => {
			const job = await byName[queue].getJob(id);
			if (!job) return true;
			if (await job.isActive()) return false;
			return (await byName[queue].remove(id)) === 1;
		});

	return {
		byName,

		async enqueuePicture(picture, reason, priority = picture.priority) {
			const { id: jobId } = jobOf(picture);
			await askRedis(redis, () =>
				isReceived(picture)
					? byName.pictures.add('process', processJob(picture, reason), {
							jobId,
							priority,
							...pictureJobOptions(options),
						})
					: byName.fetches.add('fetch', fetchJob(picture as AwaitedPicture, reason), {
							jobId,
							priority,
							...fetchJobOptions(options),
						}),
			);
		},

		async forgetPicture(picture) {
			const { queue, id } = jobOf(picture);
			return forget(queue, id);
		},

		async enqueueDelivery(job, attempts, keepSeconds) {
			await askRedis(redis, () =>
				byName.webhooks.add('deliver', job, {
					jobId: deliverJobId(job),
					attempts,
					backoff: { type: scheduled },
					removeOnComplete: keepCompleted,
					removeOnFail: { age: keepSeconds },
				}),
			);
		},

		async forgetDelivery(job) {
			return forget('webhooks', deliverJobId(job));
		},

		async enqueueRender(job, urgency, isWanted) {
			const queue = byName.renders;
			const jobId = renderJobId(job);
			const priority = renderPriority[urgency];
			return askRedis(redis, async () => {
				// Both questions at once: hardly ever is there such a job.
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
					// It was made to wait, and now somebody does.
					if (state === 'prioritized' && priority < found.priority) await found.changePriority({ priority });
					return true;
				}
				if (waiting + prioritized + delayed >= renderQueue) {
					throw new PicpipeError(
						'render-queue-full',
						`Expected fewer than ${renderQueue} waiting renders (PICPIPE_RENDER_QUEUE).`,
					);
				}
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

		promoteOverdueJobs() {
			// The schedule of `upkeep` is looked after by itself.
			const { upkeep: _, ...delayed } = byName;
			return askRedis(redis, () => promoteOverdueJobs(redis, Object.values(delayed)), lateJobsPatience);
		},

		async close() {
			await Promise.all(Object.values(byName).map((queue) => queue.close()));
		},
	};
}

/** Maximum number of delayed jobs checked in one call; those due last come first. */
const overduePerCall = 1_000;
/** Allowed difference between the clocks of several machines, milliseconds. */
const clockTolerance = 5_000;
/** BullMQ keeps the time at which a delayed job is due in the upper bits of its score. */
const scorePerMillisecond = 0x1000;

/**
 * Promotes jobs that would wait longer than their delay. This happens when the clock was set back: a job due by the old time would run late
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
			// Somebody may have promoted or taken it at this moment.
			await job.promote().then(
				() => forward++,
				() => {},
			);
		}
	}
	return forward;
}
