import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { jobWithoutFacts } from './jobs.ts';

/** How long the ids of a picture's renders are known, seconds: longer than a render waits and its job is kept. */
const renderIdsSeconds = 24 * 60 * 60;

/** The set with the job ids of a picture's renders: they do not follow from the picture. */
function renderIdsKey(prefix: string, pictureId: string): string {
	return `${prefix}:renders:jobs:${pictureId}`;
}

/** Notes the job of a render, so that the deletion of its picture finds it. */
export async function noteRenderJob(redis: Redis, prefix: string, pictureId: string, jobId: string): Promise<void> {
	const key = renderIdsKey(prefix, pictureId);
	await Promise.all([redis.sadd(key, jobId), redis.expire(key, renderIdsSeconds)]);
}

/** Removes the jobs of a deleted picture's renders. */
export async function purgeRenderJobs(redis: Redis, prefix: string, queue: Queue, pictureId: string): Promise<void> {
	const key = renderIdsKey(prefix, pictureId);
	await Promise.all((await redis.smembers(key)).map((jobId) => purgeJob(queue, jobId)));
	await redis.del(key);
}

/**
 * Removes a job of a deleted picture with its data, result and log. A job that a worker is doing cannot be removed; it loses its data and
 * log, and its worker removes it at its end.
 */
export async function purgeJob(queue: Queue, jobId: string): Promise<void> {
	if ((await queue.remove(jobId)) === 1) return;
	const job = await queue.getJob(jobId);
	if (!job) return;
	await job.updateData(jobWithoutFacts(job.data));
	await job.clearLogs();
}
