import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';
import type { ArenaHandler, ArenaRouter } from 'bull-arena';
import type { Logger } from '../observe/log.ts';

/** The request whose work the current code does. */
const current = new AsyncLocalStorage<ServerResponse>();

/** Runs Arena's work on a request so that `containStrays` knows whose it is. */
export function runFor(response: ServerResponse, work: () => void): void {
	current.run(response, work);
}

const forwarding = new WeakSet<ArenaHandler>();

/**
 * Arena's handlers are async functions under Express 4, which does not look at what they return: an error would leave the request
 * without an answer and end the process as an unhandled rejection. This hands the rejections of all its routes to `next`.
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
	// Arena's routers are shared by all its apps of a process.
	if (forwarding.has(handle)) return handle;
	const wrapped: ArenaHandler = (request, response, next) => {
		Promise.resolve(handle(request, response, next)).catch(next);
	};
	forwarding.add(wrapped);
	return wrapped;
}

/**
 * Keeps the process up when a rejection of Arena's own code is handled by nobody, not even by `forwardRejections`: it is logged,
 * and its request, if still open, is answered. This is right for a page that shows things, where nothing half-done can be left
 * behind. Rejections of anything else than a request to Arena keep their usual effect.
 *
 * @returns ends it
 */
export function containStrays(log: Logger): () => void {
	const onRejection = (reason: unknown) => {
		const response = current.getStore();
		if (response) {
			log.error({ err: reason }, 'unhandled error in Arena');
			if (!response.headersSent) response.writeHead(500, { 'Content-Type': 'text/plain' });
			if (!response.writableEnded) response.end();
		} else if (process.listenerCount('unhandledRejection') === 1) {
			// What Node does when there is no listener.
			throw reason;
		}
	};
	process.on('unhandledRejection', onRejection);
	return () => process.removeListener('unhandledRejection', onRejection);
}
