import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { type ErrorCode, nextStepOf, PicpipeError, toPicpipeError } from '../../errors.ts';

/** A problem document (RFC 9457) with picpipe's `code` and `class`. */
export function problemOf(error: PicpipeError, requestId: string) {
	return {
		type: `urn:picpipe:error:${error.code}`,
		title: error.title,
		status: error.status,
		// Details of internal errors belong in the log, not in the response.
		detail: error.status === 500 ? error.title : error.message,
		next: nextStepOf(error.code),
		code: error.code,
		class: error.class,
		requestId,
		...(error.pictureId !== undefined && { pictureId: error.pictureId }),
		// Spelled as in draft-ietf-httpapi-ratelimit-headers-11.
		...(error.violatedPolicies && { 'violated-policies': error.violatedPolicies }),
	};
}

/** Default `Retry-After` of temporary errors, seconds. */
const defaultRetryAfter = 5;

export function sendProblem(response: Response, error: PicpipeError, extra: object = {}): void {
	const passes = error.status === 503 || error.code === 'picture-busy';
	const retryAfter = error.retryAfter ?? (passes ? defaultRetryAfter : undefined);
	if (retryAfter !== undefined) response.set('Retry-After', String(retryAfter));
	// Caches may keep a 404 by default (RFC 9110, 15.1), and the picture may exist a moment later.
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

/** The `WWW-Authenticate` challenge (RFC 6750, 3). */
function challengeOf(error: PicpipeError): string | undefined {
	if (error.code === 'invalid-upload-token') return 'Bearer error="invalid_token"';
	if (error.code === 'insufficient-scope') return `Bearer error="insufficient_scope", scope="${error.scope ?? ''}"`;
	return error.status === 401 ? 'Bearer' : undefined;
}

/** No route matched the request. */
export const notFound: RequestHandler = (request) => {
	throw new PicpipeError('not-found', `There is nothing at ${request.method} ${request.path}.`);
};

/** Turns the error of a handler into a problem document; stack traces stay in the log. */
export const problems: ErrorRequestHandler = (thrown, request, response, _next) => {
	const error = fromExpress(thrown) ?? toPicpipeError(thrown);
	if (error.status >= 500) response.locals.log.error({ err: error, code: error.code }, 'request failed');
	else response.locals.log.debug({ code: error.code, detail: error.message }, 'request refused');
	// A partial response cannot become an error. Ending the connection tells the client that it is incomplete.
	if (response.headersSent) return void request.socket.destroy();
	for (const name of ['ETag', 'Last-Modified', 'Content-Length', 'Content-Disposition']) response.removeHeader(name);
	sendProblem(response, error);
};

/** Errors of Express's own body and URL parsers, by their documented types. */
const expressErrors: Readonly<Record<string, ErrorCode>> = {
	'entity.too.large': 'body-too-large',
	'entity.parse.failed': 'malformed-request',
	'entity.verify.failed': 'malformed-request',
	'encoding.unsupported': 'unsupported-media-type',
	'charset.unsupported': 'unsupported-media-type',
	'request.aborted': 'upload-aborted',
	'request.size.invalid': 'malformed-request',
};

function fromExpress(thrown: unknown): PicpipeError | undefined {
	if (thrown instanceof PicpipeError) return undefined;
	const { type, status, message } = (thrown ?? {}) as { type?: unknown; status?: unknown; message?: string };
	if (thrown instanceof URIError) return new PicpipeError('malformed-request', 'The URL is not validly encoded.');
	// Of files that Express sends.
	if (status === 412) return new PicpipeError('precondition-failed', undefined, { cause: thrown });
	const known = typeof type === 'string' ? expressErrors[type] : undefined;
	// Broken gzip and the like: the parsers say that the client is wrong, and zlib's error has no type.
	const isClients = typeof status === 'number' && status >= 400 && status < 500;
	const code = known ?? (isClients ? 'malformed-request' : undefined);
	// Node quotes the part of the body where it fails, which may be a secret.
	const said = message?.replace(/^.*is not valid JSON$/s, 'The body is not valid JSON');
	return code && new PicpipeError(code, said && `${said}.`, { cause: thrown });
}

/**
 * Call this before a refusal is sent. `Connection: close` tells a client that is still sending to stop (RFC 9112, 9.6). The server closes
 * its side at once, and the client's side when the client has stopped. Closing with unread bytes would reset the connection and lose the
 * response.
 */
function closeBehindAnswer(request: IncomingMessage, response: ServerResponse): void {
	if (!isUnread(request) || response.headersSent) return;
	const { socket } = request;
	response.setHeader('Connection', 'close');
	// Node calls this after a response with `Connection: close`; its own function would destroy the socket.
	socket.destroySoon = () => {
		socket.end();
		request.once('end', () => socket.destroy());
	};
}

/** Is a part of the body still to come? (`complete` is also false at the start of a request without a body.) */
export function isUnread(request: IncomingMessage): boolean {
	return !request.complete && hasBody(request);
}

/** Does the request announce a body (RFC 9112, 6.3)? */
export function hasBody({ headers }: IncomingMessage): boolean {
	return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
