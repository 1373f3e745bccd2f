import type { Queue } from 'bullmq';
import type { RequestHandler } from 'express';
import { arenaQueuePath, type QueueName, queueNames } from '../../queue/jobs.ts';
import { backlogOf, inFrontOf, type Queues } from '../../queue/queues.ts';
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
			Promise.all(queueNames.map((name) => describe(context.queues, name, arena))),
		);
		response.json({ queues });
	};
}

/** `POST /v1/queues/{name}/pause`: workers finish their jobs and take no more; the backlog keeps what waits */
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
	return operate(context, async (queue) => {
		// First the backlog, from which the queue would be filled again.
		await inFrontOf(context.queues, queue.name)?.clear();
		await queue.drain(true);
	});
}

/** `POST /v1/queues/{name}/retry-failed`: queues every failed job again, those of pictures behind all other work */
export function retryFailedJobs(context: ApiContext): RequestHandler {
	return operate(context, async (queue) => {
		const backlog = backlogOf(context.queues, queue.name);
		if (backlog) await backlog.takeFailed();
		else await queue.retryJobs({ state: 'failed' });
	});
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
		response.json(await askRedis(context.redis, () => describe(context.queues, queue.name as QueueName, arena)));
	});
}

async function describe(queues: Queues, name: QueueName, arena: string) {
	return { ...(await lookAt(queues, name)), links: { arena: arena + arenaQueuePath(name) } };
}

/** The current state of a queue: paused or not, number of workers, jobs by state. Those in its backlog are waiting. */
export async function lookAt(queues: Queues, name: QueueName) {
	const queue = queues.byName[name];
	const [{ waiting = 0, ...counts }, backlog = 0, paused, workers] = await Promise.all([
		queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'completed', 'failed'),
		inFrontOf(queues, name)?.count(),
		queue.isPaused(),
		queue.getWorkersCount(),
	]);
	return { name, paused, workers, counts: { waiting: waiting + backlog, ...counts } };
}
