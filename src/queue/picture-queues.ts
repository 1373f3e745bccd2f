import type { JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type Picture, urgentPriority } from '../domain/picture.ts';
import { type Backlog, openBacklog } from './backlog.ts';
import { offeredJob, type WaitingJob } from './backlog-entry.ts';
import type { ReadConditions } from './conditions.ts';
import { jobOf, type PictureJob, type ProcessReason, pictureJobsOf, type QueueName } from './jobs.ts';
import { purgeJob, purgeRenderJobs } from './purge-jobs.ts';
import { askRedis } from './redis.ts';
import { pictureQueues } from './waiting-list.ts';

/** The part of `Queues` for the jobs of pictures. */
export interface PictureQueues {
	readonly backlogs: Readonly<Record<PictureJob['queue'], Backlog>>;
	/**
	 * Queues the next step of a picture, a fetch or its processing. Does nothing if the job exists.
	 *
	 * @param level the picture's own priority if not given
	 * @throws PicpipeError `queue-unavailable`
	 */
	enqueuePicture(picture: Picture, reason: ProcessReason, level?: number): Promise<void>;
	/** Removes the job of earlier, finished work, so that the same work can be queued again. False if the job is running. */
	forgetPicture(picture: Picture): Promise<boolean>;
	/** Removes every job of a deleted picture with its data. @throws PicpipeError `queue-unavailable` */
	purgePicture(picture: Picture): Promise<void>;
	/**
	 * Which of these pictures have a job that waits or runs? Needs no manifests, and costs the same however many jobs wait.
	 *
	 * @returns in the order of their ids; false also for a job that was not queued through a backlog
	 * @throws PicpipeError `queue-unavailable`
	 */
	haveJobs(pictureIds: readonly string[]): Promise<boolean[]>;
	/**
	 * Takes over jobs that lie in the queues from before there was a backlog, and forgets some of those that have ended.
	 *
	 * @returns how many were taken over
	 * @throws PicpipeError `queue-unavailable`
	 */
	tidyBacklogs(): Promise<number>;
}

interface Dependencies {
	readonly redis: Redis;
	readonly prefix: string;
	readonly byName: Readonly<Record<QueueName, Queue>>;
	readonly jobOptions: Readonly<Record<PictureJob['queue'], JobsOptions>>;
	readonly readConditions: ReadConditions;
	/** Removes a job from a queue. False if it is running. */
	forget(queue: QueueName, id: string): Promise<boolean>;
}

/** BullMQ's name for workers, in the names of their connections. Workers of versions without a backlog have none. */
export const nameOfWorkers = 'backlog';

const jobNames = { pictures: 'process', fetches: 'fetch' } as const;

export function openPictureQueues(deps: Dependencies): PictureQueues {
	const { redis, byName, forget } = deps;
	const open = (name: PictureJob['queue']): Backlog => {
		const queue = byName[name];
		const add = ({ id: jobId, level, data, timestamp }: WaitingJob, place: 'front' | 'back') =>
			// The backlog decides the order, so BullMQ has no priorities.
			queue.add(
				jobNames[name],
				{ ...data, priority: level === urgentPriority ? 'urgent' : level },
				{
					...deps.jobOptions[name],
					jobId,
					timestamp,
					lifo: place === 'front',
				},
			);
		return openBacklog(redis, {
			prefix: deps.prefix,
			queue: name,
			add,
			countOldWorkers: async () =>
				(await queue.getWorkers()).filter(({ rawname = '' }) => !rawname.endsWith(`:w:${nameOfWorkers}`)).length,
		});
	};
	const backlogs = { pictures: open('pictures'), fetches: open('fetches') };

	return {
		backlogs,

		async enqueuePicture(picture, reason, level) {
			await backlogs[jobOf(picture).queue].offer(offeredJob(picture, reason, level));
		},

		async forgetPicture(picture) {
			const { queue, id } = jobOf(picture);
			if (!(await forget(queue, id))) return false;
			return (await backlogs[queue].forget(picture.id, id)) ? forget(queue, id) : true;
		},

		async purgePicture(picture) {
			await askRedis(redis, async () => {
				for (const { queue, id } of pictureJobsOf(picture)) {
					await backlogs[queue].forget(picture.id, id);
					await purgeJob(byName[queue], id);
				}
				await purgeRenderJobs(redis, deps.prefix, byName.renders, picture.id);
			});
		},

		async haveJobs(pictureIds) {
			const live = new Set<string>();
			for (const name of pictureQueues) {
				const asked = pictureIds.filter((id) => !live.has(id));
				const found = await backlogs[name].find(asked);
				const inQueue: [pictureId: string, jobId: string][] = [];
				for (const [at, id] of asked.entries()) {
					const job = found[at];
					if (job === true) live.add(id);
					else if (job !== undefined) inQueue.push([id, job]);
				}
				const jobIds = inQueue.map(([, jobId]) => jobId);
				for (const [at, { state }] of (await deps.readConditions(byName[name].toKey(''), jobIds)).entries()) {
					if (state === 'live') live.add(inQueue[at]?.[0] ?? '');
				}
			}
			return pictureIds.map((id) => live.has(id));
		},

		async tidyBacklogs() {
			let total = 0;
			for (const name of pictureQueues) {
				total += await backlogs[name].takeOver();
				await backlogs[name].tidy();
			}
			return total;
		},
	};
}
