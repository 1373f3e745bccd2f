import type { Request, RequestHandler } from 'express';
import { PicpipeError } from '../../errors.ts';
import { sendProblem } from './problem.ts';
import { hasBody } from './unread-body.ts';

export interface SpeedLimit {
	/** Slowest that a body may come, bytes a second; 0 for no limit. */
	readonly minUploadSpeed: number;
	/** Span over which that is measured, seconds. */
	readonly slowSeconds: number;
}

/**
 * Ends a body that drips or stands still: such a client would hold a connection, and whatever was received of it, for as long as a whole
 * upload may take. Only spans count in which we have waited for the client all the time; it is not its fault when storage is slow.
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
			response.locals.log.info({ code: error.code }, 'a slow upload was ended');
			if (response.headersSent) return void request.destroy();
			// With the answer out, whoever reads the body is told that no more will come.
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

/** Would we take more if it came? What nobody has read yet lies in the buffer, and the socket is not read while that is full. */
function isWaiting(request: Request): boolean {
	return request.readableLength < request.readableHighWaterMark;
}
