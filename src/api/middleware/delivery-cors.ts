import type { RequestHandler } from 'express';

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
