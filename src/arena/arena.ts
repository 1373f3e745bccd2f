import express, { type ErrorRequestHandler } from 'express';
import type { Redis } from 'ioredis';
import { type ErrorCode, PicpipeError, toPicpipeError } from '../errors.ts';
import { listen } from '../http/listen.ts';
import { sameSiteOnly } from '../http/same-site.ts';
import type { Logger } from '../observe/log.ts';
import type { QueuesOptions } from '../queue/queues.ts';
import { isConnectionTrouble } from '../queue/redis.ts';
import { containStrays } from './contain.ts';
import { arenaHeaders } from './headers.ts';
import { type LoginOptions, login } from './login.ts';
import type { ArenaPages } from './pages.ts';

export interface ArenaOptions extends QueuesOptions {
	readonly host: string;
	/** 0 chooses a free port. */
	readonly port: number;
	readonly user: string;
	/** Arena requires a login if a password is set. */
	readonly password?: string | undefined;
	/** The API keys. If any exist, Arena requires a login and accepts a key with the scope `admin` as the password. */
	readonly keys?: LoginOptions['keys'];
	/** A `producer` connection. The caller closes it. */
	readonly redis: Redis;
	readonly log: Logger;
}

export interface ArenaServer {
	/** URL, such as `http://127.0.0.1:9000`. */
	readonly address: string;
	/** Stops listening and completes the requests in progress. */
	close(): Promise<void>;
}

/**
 * Opens Arena, the pages that show every queue and its jobs, on its own port.
 *
 * @throws ConfigError when the port is taken
 * @example
 * const arena = await openArena({ ...options, redis: connectRedis(config.redisUrl, 'producer'), log });
 */
export async function openArena(options: ArenaOptions): Promise<ArenaServer> {
	const { host, user, password, keys, redis, log } = options;
	let pages: Promise<ArenaPages> | undefined;
	// Loading Arena's modules takes as long as loading the rest of the process, so they are loaded on the first request.
	const open = async () => {
		const { openArenaPages } = await import('./pages.ts');
		return openArenaPages(redis, options);
	};
	const app = express();
	app.disable('x-powered-by');
	app.use(arenaHeaders);
	app.get('/healthz', (_request, response) => {
		response.json({ status: 'ok' });
	});
	app.use(sameSiteOnly());
	app.use(login({ user, password, keys, log }));
	app.use(async (request, response, next) => {
		pages ??= open();
		const { handle } = await pages;
		return handle(request, response, next);
	});
	app.use((_request, _response, next) => next(new PicpipeError('not-found')));
	app.use(answerErrors(log));

	const listening = await listen(app, { host, port: options.port, variable: 'PICPIPE_ARENA_PORT' });
	const endContaining = containStrays(log);

	return {
		address: listening.address,
		async close() {
			await listening.close();
			await (await pages)?.close();
			endContaining();
		},
	};
}

/** Answers every failed request in plain words. Logs errors that are the server's fault. */
function answerErrors(log: Logger): ErrorRequestHandler {
	return (thrown: unknown, request, response, next) => {
		const error = classify(thrown);
		const level = error.class === 'transient' ? 'warn' : 'error';
		if (error.class !== 'request') log[level]({ err: thrown, path: request.path, code: error.code }, 'Arena failed');
		if (response.headersSent) return next(thrown);
		const detail = error.message === error.title ? '' : `${error.message}\n`;
		response.status(error.status).type('text/plain').send(`${error.title}\n${detail}`);
	};
}

function classify(thrown: unknown): PicpipeError {
	if (isConnectionTrouble(thrown)) return new PicpipeError('queue-unavailable', undefined, { cause: thrown });
	// Express and body-parser add the HTTP status to their errors.
	const status = (thrown as { status?: unknown } | null)?.status;
	if (thrown instanceof PicpipeError || typeof status !== 'number' || status < 400 || status > 499) {
		return toPicpipeError(thrown);
	}
	const codes: Record<number, ErrorCode> = { 404: 'not-found', 413: 'body-too-large', 415: 'unsupported-media-type' };
	return new PicpipeError(codes[status] ?? 'malformed-request', undefined, { cause: thrown });
}
