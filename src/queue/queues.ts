import { type JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type AwaitedPicture, isReceived, type Picture } from '../domain/picture.ts';
import { fetchJob, jobOf, type ProcessReason, processJob, type QueueName, queueNames } from './jobs.ts';
import { askRedis } from './redis.ts';
import { patientRetries, retryOptions } from './retry.ts';

/** Completed jobs are kept for people to look at: a day or this many, whichever is less. */
export const keepCompleted = { age: 24 * 60 * 60, count: 10_000 };

export interface QueuesOptions {
	readonly prefix: string;
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
	const byName = Object.fromEntries(
		queueNames.map((name) => {
			const queue = new Queue(name, { connection: redis, prefix: options.prefix, ...startsWithoutRedis });
			// The connection's own listener reports trouble; without one here each queue would throw it again.
			queue.on('error', () => {});
			return [name, queue];
		}),
	) as Record<QueueName, Queue>;

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
			return askRedis(redis, async () => {
				const job = await byName[queue].getJob(id);
				if (!job) return true;
				if (await job.isActive()) return false;
				return (await byName[queue].remove(id)) === 1;
			});
		},

		async close() {
			await Promise.all(Object.values(byName).map((queue) => queue.close()));
		},
	};
}
