import type { Request, RequestHandler } from 'express';
import { PicpipeError } from '../../errors.ts';
import { hasBody, isUnread, sendProblem } from './problem.ts';

export interface SpeedLimit {
	/** Minimum speed of a body, bytes per second; 0 for no limit. */
	readonly minUploadSpeed: number;
	/** Period of the measurement, seconds. */
	readonly slowSeconds: number;
}

/**
 * Ends a body that drips or stalls. Otherwise such a client could hold a connection and its received bytes for the time limit of a whole
 * upload. Only periods in which the API waited for the client all the time count; slow storage is not the client's fault.
 */
export function endSlowBody({ minUploadSpeed, slowSeconds }: SpeedLimit): RequestHandler {
	return (request, response, next) => {
		if (minUploadSpeed === 0 || !hasBody(request)) return next();
		const { socket } = request;
		const least = minUploadSpeed * slowSeconds;
		let before = socket.bytesRead;
		let waited = isWaiting(request);
		const timer = setInterval(() => {
			const came = socket.bytesRead - before;
			before = socket.bytesRead;
			const isSlow = waited && isWaiting(request) && came < least;
			waited = isWaiting(request);
			if (!isSlow || request.complete) return;
			stop();
			const detail = `Expected at least ${least} bytes of the body in ${slowSeconds} s (PICPIPE_MIN_UPLOAD_SPEED) but received ${came}.`;
			const error = new PicpipeError('upload-too-slow', detail);
			response.locals.log.info({ code: error.code }, 'slow upload ended');
			if (response.headersSent) return void request.destroy();
			// Once the response is sent, the reader of the body learns that no more bytes follow.
			response.once('finish', () => setImmediate(() => request.destroy()));
			sendProblem(response, error);
		}, slowSeconds * 1_000);
		const stop = () => clearInterval(timer);
		request.once('end', stop);
		request.once('close', stop);
		response.once('close', stop);
		next();
	};
}

/** Does the request wait for bytes of the client? The socket is not read while the buffer is full. */
function isWaiting(request: Request): boolean {
	return request.readableLength < request.readableHighWaterMark;
}

/** Time for a client that is still sending to read a refusal, milliseconds. */
const patience = 10_000;

/**
 * A request may be answered before its body was read. The rest is read and discarded for a while, so that the client sees the response and
 * not a connection reset.
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
