import type { Queue } from 'bullmq';
import type { RequestHandler } from 'express';
import { arenaQueuePath, type QueueName } from '../../queue/jobs.ts';
import { askRedis } from '../../queue/redis.ts';
import type { ApiContext } from '../context.ts';
import { cleanBodySchema, parse } from '../contract.ts';
import { arenaOf } from '../picture-view.ts';
import { withQueue } from '../resolve.ts';

/** `GET /v1/queues` */
export function listQueues(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const arena = arenaOf(context, request);
		const queues = await askRedis(context.redis, () =>
			Promise.all(Object.values(context.queues.byName).map((queue) => describe(queue, arena))),
		);
		response.json({ queues });
	};
}

/** `POST /v1/queues/{name}/pause`: workers finish their jobs and take no more */
export function pauseQueue(context: ApiContext): RequestHandler {
	return operate(context, (queue) => queue.pause());
}

/** `POST /v1/queues/{name}/resume` */
export function resumeQueue(context: ApiContext): RequestHandler {
	return operate(context, (queue) => queue.resume());
}

/**
 * `POST /v1/queues/{name}/drain`: removes every waiting or delayed job. The sweep queues accepted pictures again, because accepting them
 * was a promise; to cancel the work on a picture, delete it.
 */
export function drainQueue(context: ApiContext): RequestHandler {
	return operate(context, (queue) => queue.drain(true));
}

/** `POST /v1/queues/{name}/retry-failed`: queues every failed job again */
export function retryFailedJobs(context: ApiContext): RequestHandler {
	return operate(context, (queue) => queue.retryJobs({ state: 'failed' }));
}

/** `POST /v1/queues/{name}/clean`: removes completed or failed jobs; the pictures are left unchanged */
export function cleanQueue(context: ApiContext): RequestHandler {
	return withQueue(context, async (queue, request, response) => {
		const { state, olderThan, limit } = parse(cleanBodySchema, request.body ?? {});
		const removed = await askRedis(context.redis, () => queue.clean(olderThan * 1_000, limit, state));
		response.locals.log.info({ queue: queue.name, state, removed: removed.length }, 'queue cleaned');
		response.json({ removed: removed.length });
	});
}

function operate(context: ApiContext, operation: (queue: Queue) => Promise<void>): RequestHandler {
	return withQueue(context, async (queue, request, response) => {
		await askRedis(context.redis, () => operation(queue));
		response.locals.log.info({ queue: queue.name, operation: request.path.split('/').at(-1) }, 'queue operated');
		const arena = arenaOf(context, request);
		response.json(await askRedis(context.redis, () => describe(queue, arena)));
	});
}

async function describe(queue: Queue, arena: string) {
	return { ...(await lookAt(queue)), links: { arena: arena + arenaQueuePath(queue.name as QueueName) } };
}

/** The current state of a queue: paused or not, number of workers, jobs by state. */
export async function lookAt(queue: Queue) {
	const [counts, paused, workers] = await Promise.all([
		queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'completed', 'failed'),
		queue.isPaused(),
		queue.getWorkersCount(),
	]);
	return { name: queue.name, paused, workers, counts };
}
