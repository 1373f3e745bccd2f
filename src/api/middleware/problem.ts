import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { type ErrorCode, PicpipeError, toPicpipeError } from '../../errors.ts';
import { closeBehindAnswer } from './unread-body.ts';

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
		// As draft-ietf-httpapi-ratelimit-headers-11 spells it.
		...(error.violatedPolicies && { 'violated-policies': error.violatedPolicies }),
	};
}

/** Seconds after which a client may try again, for errors that pass and don't say it themselves. */
const defaultRetryAfter = 5;

export function sendProblem(response: Response, error: PicpipeError, extra: object = {}): void {
	const passes = error.status === 503 || error.code === 'picture-busy';
	const retryAfter = error.retryAfter ?? (passes ? defaultRetryAfter : undefined);
	if (retryAfter !== undefined) response.set('Retry-After', String(retryAfter));
	// A cache may keep a 404 as it likes unless it is told (RFC 9110, 15.1), and what is not there may be a moment later.
	response.set('Cache-Control', 'no-store');
	const challenge = challengeOf(error);
	if (challenge) response.set('WWW-Authenticate', challenge);
	response.locals.problem = error.code;
	closeBehindAnswer(response.req, response);
	response
		.status(error.status)
		.type('application/problem+json')
		.send(JSON.stringify({ ...problemOf(error, response.locals.requestId), ...extra }));
}

/** What a client has to show, or to show more of (RFC 6750, 3). */
function challengeOf(error: PicpipeError): string | undefined {
	if (error.code === 'invalid-upload-token') return 'Bearer error="invalid_token"';
	if (error.code === 'insufficient-scope') return `Bearer error="insufficient_scope", scope="${error.scope ?? ''}"`;
	return error.status === 401 ? 'Bearer' : undefined;
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
	for (const name of ['ETag', 'Last-Modified', 'Content-Length', 'Content-Disposition']) response.removeHeader(name);
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
	if (thrown instanceof URIError) return new PicpipeError('malformed-request', 'The URL is not validly encoded.');
	const code = typeof type === 'string' ? expressErrors[type] : undefined;
	return code && new PicpipeError(code, message && `${message}.`, { cause: thrown });
}
