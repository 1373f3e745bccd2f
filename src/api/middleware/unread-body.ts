import type { RequestHandler } from 'express';

/** Time for a client to read a refusal while it is still sending, milliseconds. */
const patience = 10_000;

/**
 * A request may be answered before its body was read. The rest is read and thrown away, so that the client gets to see the answer
 * rather than a reset connection, but not for ever.
 */
export const endUnreadBody: RequestHandler = (request, response, next) => {
	response.once('finish', () => {
		if (request.complete) return;
		request.unpipe();
		request.resume();
		const timer = setTimeout(() => request.socket.destroy(), patience);
		request.once('close', () => clearTimeout(timer));
		request.once('end', () => clearTimeout(timer));
	});
	next();
};
