import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { Logger } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';

/** A proxy's request id is kept if it is safe in logs and headers. */
const acceptable = /^[A-Za-z0-9._-]{8,64}$/;

/** Gives each request an id and a logger with that id, and logs the end of the request. */
export function requestId(log: Logger): RequestHandler {
	return (request, response, next) => {
		const given = request.get('x-request-id');
		const id = given && acceptable.test(given) ? given : randomUUID();
		const started = performance.now();
		response.locals.requestId = id;
		response.locals.log = log.child({ requestId: id });
		response.set('X-Request-Id', id);
		const { method, path } = request;
		response.on('close', () => {
			const line = {
				method,
				path,
				status: response.statusCode,
				milliseconds: Math.round(performance.now() - started),
				...(response.locals.caller && { caller: response.locals.caller.id }),
				...(!response.writableFinished && { aborted: true }),
			};
			// Probes and open dashboards send requests every second; their successes are logged at debug level.
			if (/^(GET|HEAD)$/.test(method) && response.statusCode < 400) response.locals.log.debug(line, 'request');
			else response.locals.log.info(line, 'request');
		});
		next();
	};
}

/** Methods with their own label; a client may send any other. */
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * Counts every request at its end, and the refusals of requests that accept pictures.
 *
 * @param isIntake whether a route accepts pictures
 */
export function measure(metrics: Metrics, isIntake: (method: string, route: string) => boolean): RequestHandler {
	return (request, response, next) => {
		const started = performance.now();
		// The other listeners, compression and a streamed file use up the ten that Node allows by default.
		response.setMaxListeners(response.getMaxListeners() + 2);
		response.once('close', () => {
			const method = knownMethods.has(request.method) ? request.method : 'other';
			const route = routeOf(request);
			const status = response.headersSent ? String(response.statusCode) : 'aborted';
			metrics.request({ method, route, status, seconds: (performance.now() - started) / 1_000 });
			if (!isIntake(method, route)) return;
			const { refused, problem } = response.locals;
			// If files were refused individually, the problem repeats the first refusal.
			for (const code of refused ?? (problem ? [problem] : [])) metrics.refused(code);
		});
		next();
	};
}

/** The pattern of the matched route. The path itself could be anything, and each new label value would be kept for ever. */
function routeOf({ route }: Request): string {
	const path: unknown = (route as { path?: unknown } | undefined)?.path;
	return typeof path === 'string' ? path : 'none';
}
