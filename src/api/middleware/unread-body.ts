import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';

/** Time for a client that is still sending to read a refusal, milliseconds. */
const patience = 10_000;

/**
 * A request may be answered before its body was read. The rest is read and discarded for a while, so that the client sees the answer and
 * not a reset connection.
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
 * Call before a refusal is sent: `Connection: close` tells a client that is still sending to stop (RFC 9112, 9.6). The server's side closes
 * at once, the client's when it has stopped: closed with unread bytes, the connection would be reset and the answer lost.
 */
export function closeBehindAnswer(request: IncomingMessage, response: ServerResponse): void {
	if (!isUnread(request) || response.headersSent) return;
	const { socket } = request;
	response.setHeader('Connection', 'close');
	// Node calls this after an answer with `Connection: close`; its own function would destroy the socket.
	socket.destroySoon = () => {
		socket.end();
		request.once('end', () => socket.destroy());
	};
}

/** Whether a part of the body is still to come. (`complete` is also false in the first moment of a request without a body.) */
function isUnread(request: IncomingMessage): boolean {
	return !request.complete && hasBody(request);
}

/** Whether the request announces a body (RFC 9112, 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
	return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
