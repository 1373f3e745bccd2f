import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';
import type { ArenaHandler, ArenaRouter } from 'bull-arena';
import type { Logger } from '../observe/log.ts';

/** The request that the current code works for. */
const current = new AsyncLocalStorage<ServerResponse>();

/** Runs Arena's work for a request, so that `containStrays` can find the request. */
export function runFor(response: ServerResponse, work: () => void): void {
	current.run(response, work);
}

const forwarding = new WeakSet<ArenaHandler>();

/**
 * Arena's handlers are async functions under Express 4, which ignores what they return. Without this, an error would leave the request
 * without a response and end the process as an unhandled rejection. This passes the rejections of all its routes to `next`.
 */
export function forwardRejections(router: ArenaRouter): void {
	for (const layer of router.stack) {
		if (layer.route) {
			for (const one of layer.route.stack) one.handle = forwarded(one.handle);
		} else if (layer.handle.stack) {
			forwardRejections(layer.handle as ArenaRouter);
		}
	}
}

function forwarded(handle: ArenaHandler): ArenaHandler {
	// All Arena apps of a process share Arena's routers.
	if (forwarding.has(handle)) return handle;
	const wrapped: ArenaHandler = (request, response, next) => {
		Promise.resolve(handle(request, response, next)).catch(next);
	};
	forwarding.add(wrapped);
	return wrapped;
}

/**
 * Keeps the process running when a rejection in Arena's own code is not handled, not even by `forwardRejections`. The rejection is logged,
 * and its request is answered if it is still open. This is safe for pages that only display data, where nothing can be left half done. All
 * other rejections keep their usual effect.
 *
 * @returns a function that removes the handler
 */
export function containStrays(log: Logger): () => void {
	const onRejection = (reason: unknown) => {
		const response = current.getStore();
		if (response) {
			log.error({ err: reason }, 'unhandled error in Arena');
			if (!response.headersSent) response.writeHead(500, { 'Content-Type': 'text/plain' });
			if (!response.writableEnded) response.end();
		} else if (process.listenerCount('unhandledRejection') === 1) {
			// As Node does without a listener.
			throw reason;
		}
	};
	process.on('unhandledRejection', onRejection);
	return () => process.removeListener('unhandledRejection', onRejection);
}
