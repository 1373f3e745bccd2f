import cors from 'cors';
import type { RequestHandler } from 'express';
import type { KeyRing } from '../../access/key-ring.ts';

/** What pages of other sites may send, beyond what every page may. Those of tus among them. */
const allowedHeaders = [
	'Authorization',
	'Content-Type',
	'Idempotency-Key',
	'If-Match',
	'If-None-Match',
	'If-Range',
	'Last-Event-ID',
	'Prefer',
	'Range',
	'X-Request-Id',
	'Tus-Resumable',
	'Upload-Length',
	'Upload-Offset',
	'Upload-Metadata',
	'Upload-Defer-Length',
	'Upload-Checksum',
	'Upload-Concat',
	'X-HTTP-Method-Override',
];

/** What they may read of an answer, beyond what every page may. */
const exposedHeaders = [
	'Content-Disposition',
	'Content-Range',
	'ETag',
	'Link',
	'Location',
	'Picpipe-Picture',
	'Preference-Applied',
	'RateLimit',
	'RateLimit-Policy',
	'Retry-After',
	'WWW-Authenticate',
	'X-Request-Id',
	'Idempotency-Replayed',
	'Tus-Resumable',
	'Tus-Version',
	'Tus-Extension',
	'Tus-Max-Size',
	'Tus-Checksum-Algorithm',
	'Upload-Length',
	'Upload-Offset',
	'Upload-Metadata',
	'Upload-Defer-Length',
	'Upload-Concat',
	'Upload-Expires',
];

/** How long a browser may remember a preflight, seconds. */
const maxAge = 600;

/**
 * Lets pages of other sites call the API (https://fetch.spec.whatwg.org/#http-cors-protocol). Never with credentials: there are no cookies
 * here, and whoever calls has to show a key or a token themselves.
 *
 * @param origins as browsers send them, or any: that only where a key is needed, since without one every web site could look into this machine
 */
export function allowOrigins(
	origins: '*' | readonly string[],
	methods: readonly string[],
	keys: KeyRing,
): RequestHandler {
	const options = { methods: [...methods], allowedHeaders, exposedHeaders, maxAge, credentials: false };
	const handler = cors({ ...options, origin: origins === '*' ? '*' : [...origins] });
	return (request, response, next) => {
		const { origin } = request.headers;
		const isOpen = origins !== '*' || keys.wasNeeded === true;
		if (!isOpen) return next();
		response.locals.isForeignAllowed = origin !== undefined && (origins === '*' || origins.includes(origin));
		const isPreflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
		// Any other OPTIONS asks what there is at the address.
		if (request.method === 'OPTIONS' && !isPreflight) return next();
		handler(request, response, next);
	};
}

/** What scripts on pages of other sites may read of a picture's answer, beyond what every page may: when and where to ask again, and what it is a part of. */
export const exposedByDelivery = [
	'Accept-Ranges',
	'Content-Disposition',
	'Content-Range',
	'ETag',
	'Location',
	'Preference-Applied',
	'Retry-After',
	'X-Request-Id',
];

const allowedFields = {
	'Access-Control-Allow-Origin': '*',
	'Access-Control-Allow-Methods': 'GET, HEAD',
	'Access-Control-Allow-Headers': 'Prefer, Range, If-None-Match, If-Modified-Since',
	// Seconds, the longest that any browser takes.
	'Access-Control-Max-Age': '86400',
};

/**
 * Answers what a browser asks before a script of another site may ask for a picture in other ways than an `<img>` does
 * (https://fetch.spec.whatwg.org/#http-cors-protocol). Any site may: pictures are shown on others, and nobody shows a key for them.
 */
export const answerPreflight: RequestHandler = (request, response, next) => {
	// Any other OPTIONS asks what there is at the address.
	if (request.headers['access-control-request-method'] === undefined) return next();
	response.set(allowedFields).status(204).set('Content-Length', '0').end();
};
