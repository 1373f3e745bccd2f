import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { Logger } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';

/** A proxy's id is kept when it is harmless in logs and headers. */
const acceptable = /^[A-Za-z0-9._-]{8,64}$/;

/** Gives each request an id and a logger with that id, and logs its end. */
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
			// Probes and open dashboards read every second; their successes are not worth a line.
			if (/^(GET|HEAD)$/.test(method) && response.statusCode < 400) response.locals.log.debug(line, 'request');
			else response.locals.log.info(line, 'request');
		});
		next();
	};
}

/** Methods with a label of their own; a client may send any other. */
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * Counts every request when it is over, and the refusals of requests that bring in pictures.
 *
 * @param isIntake whether a route brings pictures in
 */
export function measure(metrics: Metrics, isIntake: (method: string, route: string) => boolean): RequestHandler {
	return (request, response, next) => {
		const started = performance.now();
		// The other listeners and a streamed file use up the ten that Node allows by default.
		response.setMaxListeners(response.getMaxListeners() + 1);
		response.once('close', () => {
			const method = knownMethods.has(request.method) ? request.method : 'other';
			const route = routeOf(request);
			const status = response.headersSent ? String(response.statusCode) : 'aborted';
			metrics.request({ method, route, status, seconds: (performance.now() - started) / 1_000 });
			if (!isIntake(method, route)) return;
			const { refused, problem } = response.locals;
			// If each file was refused by itself, the problem repeats the first refusal.
			for (const code of refused ?? (problem ? [problem] : [])) metrics.refused(code);
		});
		next();
	};
}

/** The pattern of the matched route. The path itself could be anything, and each new value would be kept for ever. */
function routeOf({ route }: Request): string {
	const path: unknown = (route as { path?: unknown } | undefined)?.path;
	return typeof path === 'string' ? path : 'none';
}
