import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Express } from 'express';
import { type Accepted, acceptedBy } from '../../delivery/negotiate.ts';
import { headersOf } from '../../delivery/send-object.ts';
import { requireThisMachine } from '../../http/this-machine.ts';
import type { ApiContext } from '../context.ts';
import { crossOriginFields, isPast, outgoingOf } from './cache-headers.ts';

/** Paths that serve images, with the route patterns that requests are counted by. */
const routes: Readonly<Record<string, string>> = {
	'/img/': '/img/*path',
	'/ipx/': '/ipx/*path',
	'/cld/': '/cld/*path',
};

/** Whether this is the pattern of a route that serves images. Such routes set their own headers. */
export function isDelivery({ path }: { readonly path: string }): boolean {
	return Object.values(routes).includes(path);
}

/** Fields that make a request more than a plain request for the whole image. Express answers those. */
const furtherFields = [
	'range',
	'if-match',
	'if-none-match',
	'if-modified-since',
	'if-unmodified-since',
	'x-request-id',
	'content-length',
	'transfer-encoding',
];

/** The key of a result in the memory cache. @param signature in the query, as in IPX URLs */
export function cacheKeyOf(path: string, { avif, webp }: Accepted, signature: unknown = ''): string {
	return `${path} ${signature} ${avif} ${webp}`;
}

/**
 * Answers plain requests for cached images before Express sees them, at half the cost. Express answers all other requests. Headers,
 * counters and log lines are the same in both cases.
 */
export function cachedResponses(context: ApiContext, app: Express): RequestListener {
	return (request, response) => {
		if (!respondFromCache(context, request, response)) app(request, response);
	};
}

/** @returns false if Express has to answer */
function respondFromCache(context: ApiContext, request: IncomingMessage, response: ServerResponse): boolean {
	const { method, url = '', headers } = request;
	const route = routes[url.slice(0, 5)];
	if (method !== 'GET' || route === undefined || url.includes('?')) return false;
	if (furtherFields.some((name) => headers[name] !== undefined) || !isAllowed(context, request)) return false;
	const started = performance.now();
	const cached = findCached(context, url, headers.accept);
	if (!cached) return false;
	const requestId = randomUUID();
	response.writeHead(200, { ...cached.fields, 'X-Request-Id': requestId }).end(cached.data);
	response.once('close', () => {
		const seconds = (performance.now() - started) / 1_000;
		context.metrics.request({ method, route, status: '200', seconds });
		const line = { requestId, method, path: url, status: 200, milliseconds: Math.round(seconds * 1_000) };
		context.log.debug({ ...line, ...(!response.writableFinished && { aborted: true }) }, 'request');
	});
	return true;
}

/** The bytes of a cached image, and all header fields of the response except those of the connection. */
interface CachedResponse {
	readonly data: Buffer;
	readonly fields: Record<string, string>;
}

/** @returns undefined unless the whole response is in memory */
function findCached(
	{ config, delivery }: ApiContext,
	path: string,
	accept: string | undefined,
): CachedResponse | undefined {
	const cached = delivery.memory.get(cacheKeyOf(path, acceptedBy(accept)));
	if (!cached || config.accelRedirect !== undefined) return undefined;
	const { url, result } = cached;
	const { data } = result;
	if (!data) return undefined;
	if (isPast(url.image.expiresAt)) return undefined;
	return {
		data,
		fields: {
			...crossOriginFields,
			...headersOf(result, outgoingOf(config, url, result)),
			...(result.isNegotiated && { Vary: 'Accept' }),
			'Content-Length': String(data.length),
		},
	};
}

/** Without API keys only this machine is served; Express explains that to all others. */
function isAllowed({ keys }: ApiContext, request: IncomingMessage): boolean {
	if (keys.wasNeeded !== false) return true;
	try {
		requireThisMachine(request);
		return true;
	} catch {
		return false;
	}
}
