import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { type ErrorCode, PicpipeError, toPicpipeError } from '../../errors.ts';

/** A problem document (RFC 9457) with our `code` and `class`. */
export function problemOf(error: PicpipeError, requestId: string) {
	return {
		type: `urn:picpipe:error:${error.code}`,
		title: error.title,
		status: error.status,
		// Of what went wrong inside, the log knows more than a stranger should.
		detail: error.status === 500 ? error.title : error.message,
		code: error.code,
		class: error.class,
		requestId,
		...(error.pictureId !== undefined && { pictureId: error.pictureId }),
	};
}

/** Seconds after which a client may try again, for errors that pass. */
const retryAfter = 5;

export function sendProblem(response: Response, error: PicpipeError, extra: object = {}): void {
	if (error.status === 503 || error.code === 'picture-busy') response.set('Retry-After', String(retryAfter));
	if (error.status === 401) response.set('WWW-Authenticate', 'Bearer');
	response
		.status(error.status)
		.type('application/problem+json')
		.send(JSON.stringify({ ...problemOf(error, response.locals.requestId), ...extra }));
}

/** No route took the request. */
export const notFound: RequestHandler = (request) => {
	throw new PicpipeError('not-found', `There is nothing at ${request.method} ${request.path}.`);
};

/** Turns whatever a handler threw into a problem document; stack traces stay in the log. */
export const problems: ErrorRequestHandler = (thrown, _request, response, next) => {
	const error = fromExpress(thrown) ?? toPicpipeError(thrown);
	if (error.status >= 500) response.locals.log.error({ err: error, code: error.code }, 'request failed');
	else response.locals.log.debug({ code: error.code, detail: error.message }, 'request refused');
	// Half an answer can't become an error; ending the connection tells the client that it is incomplete.
	if (response.headersSent) return next(thrown);
	for (const name of ['ETag', 'Last-Modified', 'Cache-Control', 'Content-Length', 'Content-Disposition']) {
		response.removeHeader(name);
	}
	sendProblem(response, error);
};

/** Errors of Express's own body and URL parsers, by their documented types. */
const expressErrors: Readonly<Record<string, ErrorCode>> = {
	'entity.too.large': 'body-too-large',
	'entity.parse.failed': 'malformed-request',
	'encoding.unsupported': 'unsupported-media-type',
	'charset.unsupported': 'unsupported-media-type',
	'request.aborted': 'upload-aborted',
	'request.size.invalid': 'malformed-request',
};

function fromExpress(thrown: unknown): PicpipeError | undefined {
	const { type, message } = (thrown ?? {}) as { type?: unknown; message?: string };
	if (thrown instanceof URIError) return new PicpipeError('malformed-request', 'The address is not validly encoded.');
	const code = typeof type === 'string' ? expressErrors[type] : undefined;
	return code && new PicpipeError(code, message && `${message}.`, { cause: thrown });
}
