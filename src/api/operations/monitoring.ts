import type { RequestHandler } from 'express';
import { readRebuild } from '../../catalog/rebuild.ts';
import { pictureStates } from '../../domain/picture.ts';
import { isQueueUnavailable } from '../../errors.ts';
import { within } from '../../observe/clock.ts';
import type { Sample, SharedSamples } from '../../observe/metrics.ts';
import { queueNames } from '../../queue/jobs.ts';
import { askRedis } from '../../queue/redis.ts';
import { checkStorage } from '../../storage/storage.ts';
import type { ApiContext } from '../context.ts';
import { lookAt } from './jobs.ts';

/** Longest time a check may take before it counts as failed, milliseconds. */
const checkTimeout = 5_000;

/** `GET /healthz`: the process is running and its event loop is responsive */
export const healthz: RequestHandler = (_request, response) => {
	response.json({ status: 'ok' });
};

/**
 * `GET /readyz`: Redis answers, and the storage stores, returns and deletes an object; otherwise 503. Also 503 once the process is
 * stopping, so that load balancers send no more requests. Uploads are accepted while Redis is away: `?exclude=redis` checks only what they
 * need.
 */
export function readyz(context: ApiContext): RequestHandler {
	const checks: Record<string, () => Promise<unknown>> = {
		redis: () => askRedis(context.redis, () => context.redis.ping()),
		storage: () => checkStorage(context.storage),
	};
	return async (request, response) => {
		if (context.stopping.aborted) {
			response.status(503).set('Cache-Control', 'no-store').json({ status: 'stopping', checks: {} });
			return;
		}
		const excluded = String(request.query.exclude ?? '').split(',');
		const wanted = Object.entries(checks).filter(([name]) => !excluded.includes(name));
		const results = await Promise.all(wanted.map(async ([name, check]) => [name, await run(check)] as const));
		const failed = results.filter(([, result]) => result.status !== 'ok');
		// An absent Redis is reported once, not with each probe.
		for (const [name, result] of failed) {
			response.locals.log[name === 'redis' ? 'info' : 'warn']({ check: name, ...result }, 'not ready');
		}
		response
			.status(failed.length === 0 ? 200 : 503)
			.set('Cache-Control', 'no-store')
			.json({ status: failed.length === 0 ? 'ok' : 'unavailable', checks: Object.fromEntries(results) });
	};
}

async function run(check: () => Promise<unknown>) {
	const started = performance.now();
	try {
		await within(checkTimeout, check(), () => new Error(`No answer within ${checkTimeout} ms.`));
		return { status: 'ok', milliseconds: Math.round(performance.now() - started) };
	} catch (error) {
		return { status: 'failed', reason: (error as Error).message };
	}
}

/** How long values from Redis are reused, milliseconds: Redis is queried at most this often, however many clients ask. */
const sharedFor = 1_000;

/** `GET /metrics`: the metrics of this process, and those of the whole installation while Redis is available */
export function getMetrics(context: ApiContext): RequestHandler {
	let shared: Promise<SharedSamples | undefined> | undefined;
	let askedAt = 0;
	return async (_request, response) => {
		const now = performance.now();
		if (!shared || now - askedAt >= sharedFor) {
			askedAt = now;
			shared = readShared(context);
		}
		const text = await context.metrics.render(await shared);
		response.set({ 'Content-Type': context.metrics.contentType, 'Cache-Control': 'no-store' }).send(text);
	};
}

async function readShared(context: ApiContext): Promise<SharedSamples | undefined> {
	try {
		return await askShared(context);
	} catch (error) {
		if (!isQueueUnavailable(error)) throw error;
		context.log.debug({ err: error }, 'metrics without Redis');
		return undefined;
	}
}

/** `GET /v1/index` */
export function getIndex({ catalog, redis, config }: ApiContext): RequestHandler {
	return async (_request, response) => {
		const [isComplete, rebuild, counts] = await Promise.all([
			catalog.isComplete(),
			readRebuild(redis, config.redisPrefix),
			catalog.countStates(),
		]);
		const { day: _day, ...progress } = rebuild ?? {};
		response.json({ complete: isComplete, pictures: counts, ...(rebuild && { rebuild: progress }) });
	};
}

async function askShared({ catalog, queues, redis, attemptCounts, config }: ApiContext): Promise<SharedSamples> {
	const [isComplete, rebuild, pictures, failures, ended, looked] = await Promise.all([
		catalog.isComplete(),
		readRebuild(redis, config.redisPrefix),
		catalog.countStates(),
		catalog.failures(),
		attemptCounts.read(),
		askRedis(redis, () => Promise.all(queueNames.map((name) => lookAt(queues, name)))),
	]);
	return {
		picpipe_index_complete: [{ labels: {}, value: Number(isComplete) }],
		picpipe_index_rebuild_pictures: rebuild ? [{ labels: {}, value: rebuild.pictures }] : [],
		picpipe_index_rebuild_days: rebuild
			? [
					{ labels: { state: 'done' }, value: rebuild.daysDone },
					{ labels: { state: 'left' }, value: rebuild.days - rebuild.daysDone },
				]
			: [],
		picpipe_pictures: pictureStates.map((state) => ({ labels: { state }, value: pictures[state] })),
		picpipe_incomplete_pictures: [{ labels: {}, value: pictures.withFailures }],
		picpipe_failed_pictures: failures.map(({ class: failureClass, code, count }) => ({
			labels: { class: failureClass, code },
			value: count,
		})),
		picpipe_jobs: looked.flatMap(({ name: queue, counts }) =>
			Object.entries(counts).map(([state, value]): Sample => ({ labels: { queue, state }, value })),
		),
		picpipe_queue_paused: looked.map(({ name: queue, paused }) => ({ labels: { queue }, value: Number(paused) })),
		picpipe_queue_workers: looked.map(({ name: queue, workers }) => ({ labels: { queue }, value: workers })),
		picpipe_attempts_total: ended.map(({ queue, outcome, failure, count }) => ({
			labels: { queue, outcome, class: failure?.class ?? '', code: failure?.code ?? '' },
			value: count,
		})),
	};
}
