import cors from 'cors';
import type { RequestHandler } from 'express';
import type { KeyRing } from '../../access/key-ring.ts';

/** Request headers that pages of other sites may send besides the safelisted ones, including those of tus and of upload widgets (Dropzone). */
const allowedHeaders = [
	'Authorization',
	'Cache-Control',
	'Content-Type',
	'Idempotency-Key',
	'If-Match',
	'If-None-Match',
	'If-Range',
	'Last-Event-ID',
	'Prefer',
	'Range',
	'X-Request-Id',
	'X-Requested-With',
	'Tus-Resumable',
	'Upload-Length',
	'Upload-Offset',
	'Upload-Metadata',
	'Upload-Defer-Length',
	'Upload-Checksum',
	'Upload-Concat',
	'X-HTTP-Method-Override',
];

/** Response headers that they may read besides the safelisted ones. */
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

/** How long a browser may cache a preflight, seconds. */
const maxAge = 600;

/**
 * Lets pages of other sites call the API (https://fetch.spec.whatwg.org/#http-cors-protocol). Credentials are never allowed: picpipe uses
 * no cookies, and every caller sends an API key or an upload token.
 *
 * @param origins as browsers send them, or any. Any origin is allowed only where a key is required: without one, every web site could read
 * this installation
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
		// Any other OPTIONS is an ordinary request.
		if (request.method === 'OPTIONS' && !isPreflight) return next();
		handler(request, response, next);
	};
}

/** Response headers of images that scripts of other sites may read besides the safelisted ones: ranges, validators and `Retry-After`. */
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
	'Access-Control-Allow-Headers':
		'Prefer, Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since',
	// Seconds, the longest time that any browser accepts.
	'Access-Control-Max-Age': '86400',
};

/**
 * Answers the preflight of a script on another site that requests an image with more headers
 * (https://fetch.spec.whatwg.org/#http-cors-protocol). Every site is allowed: images are embedded in other sites and need no key.
 */
export const answerPreflight: RequestHandler = (request, response, next) => {
	// Any other OPTIONS is an ordinary request.
	if (request.headers['access-control-request-method'] === undefined) return next();
	response.set(allowedFields).status(204).set('Content-Length', '0').end();
};
