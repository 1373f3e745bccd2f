import type { RequestHandler } from 'express';
import { within } from '../../observe/clock.ts';
import { askRedis } from '../../queue/redis.ts';
import { checkStorage } from '../../storage/storage.ts';
import type { ApiContext } from '../context.ts';

/** Longest time a check may take before it counts as failed, milliseconds. */
const checkTimeout = 5_000;

/** `GET /healthz`: the process is up and its event loop turns */
export const healthz: RequestHandler = (_request, response) => {
	response.json({ status: 'ok' });
};

/**
 * `GET /readyz`: Redis answers and the storage takes, returns and deletes an object; 503 when one doesn't.
 * From the moment that the process was told to stop it is 503 too, so that nobody is sent here any more.
 * Uploads are also accepted while Redis is away: `?exclude=redis` asks for what they need alone.
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
		for (const [name, result] of failed) response.locals.log.warn({ check: name, ...result }, 'not ready');
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
