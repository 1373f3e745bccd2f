import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Logger } from '../../observe/log.ts';

/** A proxy's id is kept when it is harmless in logs and headers. */
const acceptable = /^[A-Za-z0-9._-]{8,64}$/;

/** Gives each request an id and a logger that names it, and logs how it ended. */
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
			// Probes and open dashboards read every second; where all went well it says nothing new.
			if (/^(GET|HEAD)$/.test(method) && response.statusCode < 400) response.locals.log.debug(line, 'request');
			else response.locals.log.info(line, 'request');
		});
		next();
	};
}
