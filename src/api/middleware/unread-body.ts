import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';

/** Time for a client to read a refusal while it is still sending, milliseconds. */
const patience = 10_000;

/**
 * A request may be answered before its body was read. The rest is read and thrown away, so that the client gets to see the answer
 * rather than a reset connection, but not for ever.
 */
export const endUnreadBody: RequestHandler = (request, response, next) => {
	response.once('finish', () => {
		if (!isUnread(request)) return;
		request.unpipe();
		request.resume();
		const timer = setTimeout(() => request.socket.destroy(), patience);
		request.once('close', () => clearTimeout(timer));
		request.once('end', () => clearTimeout(timer));
	});
	next();
};

/**
 * To be called before a refusal is sent: `Connection: close` tells a client that is still sending to stop (RFC 9112, 9.6). Our side is
 * closed at once, the client's when it has stopped: closed with unread bytes, the connection would be reset, and the answer lost with it.
 */
export function closeBehindAnswer(request: IncomingMessage, response: ServerResponse): void {
	if (!isUnread(request) || response.headersSent) return;
	const { socket } = request;
	response.setHeader('Connection', 'close');
	// Node calls this when an answer with `Connection: close` is out; its own would destroy the socket.
	socket.destroySoon = () => {
		socket.end();
		request.once('end', () => socket.destroy());
	};
}

/** Is there a body of which something has not come yet? (`complete` is also false in the first moment of a request that has none.) */
function isUnread(request: IncomingMessage): boolean {
	return !request.complete && hasBody(request);
}

/** Does the request say that it has a body (RFC 9112, 6.3)? */
export function hasBody({ headers }: IncomingMessage): boolean {
	return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
