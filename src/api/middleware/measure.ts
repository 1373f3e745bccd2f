import type { Request, RequestHandler } from 'express';
import type { Metrics } from '../../observe/metrics.ts';

/** Methods that are told apart; a client may send any other. */
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * Counts every request when it is over, and what was refused of those that bring pictures in.
 *
 * @param isIntake whether a route brings pictures in
 */
export function measure(metrics: Metrics, isIntake: (method: string, route: string) => boolean): RequestHandler {
	return (request, response, next) => {
		const started = performance.now();
		// All the others and a file that is sent take the ten that Node thinks enough.
		response.setMaxListeners(response.getMaxListeners() + 1);
		response.once('close', () => {
			const method = knownMethods.has(request.method) ? request.method : 'other';
			const route = routeOf(request);
			const status = response.headersSent ? String(response.statusCode) : 'aborted';
			metrics.request({ method, route, status, seconds: (performance.now() - started) / 1_000 });
			if (!isIntake(method, route)) return;
			const { refused, problem } = response.locals;
			// Where each file was refused by itself the problem says it of the first once more.
			for (const code of refused ?? (problem ? [problem] : [])) metrics.refused(code);
		});
		next();
	};
}

/** The pattern of the route that took the request: what was asked for could be anything, and each new value would be kept for ever. */
function routeOf({ route }: Request): string {
	const path: unknown = (route as { path?: unknown } | undefined)?.path;
	return typeof path === 'string' ? path : 'none';
}
