import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Express } from 'express';
import type { Config } from '../../config/index.ts';
import type { ImageUrl } from '../../delivery/dialects/image-request.ts';
import type { CachedResult } from '../../delivery/memory-cache.ts';
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

/**
 * The key of a result in the memory cache. What was served while no API key existed may need a signature once there is one, so it is found no
 * more.
 *
 * @param signature in the query, as in IPX URLs
 */
export function cacheKeyOf(
	{ keys }: ApiContext,
	path: string,
	{ avif, webp }: Accepted,
	signature: unknown = '',
): string {
	return `${path} ${signature} ${avif} ${webp} ${keys.wasNeeded}`;
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
	const cached = context.delivery.memory.get(cacheKeyOf(context, url, acceptedBy(headers.accept)));
	const data = cached?.result.data;
	if (!cached || !data || context.config.accelRedirect !== undefined || isPast(cached.url.image.expiresAt))
		return false;
	const requestId = randomUUID();
	response.writeHead(200, [...fieldsOf(context.config, cached, data), 'X-Request-Id', requestId]).end(data);
	response.once('close', () => {
		const seconds = (performance.now() - started) / 1_000;
		context.metrics.request({ method, route, status: '200', seconds });
		const line = { requestId, method, path: url, status: 200, milliseconds: Math.round(seconds * 1_000) };
		context.log.debug({ ...line, ...(!response.writableFinished && { aborted: true }) }, 'request');
	});
	return true;
}

/** The header fields of cached results, which cost more to make than all the rest of a response. They are gone with their results. */
const preparedFields = new WeakMap<CachedResult<ImageUrl>, readonly string[]>();

/** All header fields except those of the connection and of the request, as alternating names and values. */
function fieldsOf(config: Config, cached: CachedResult<ImageUrl>, data: Buffer): readonly string[] {
	const prepared = preparedFields.get(cached);
	if (prepared) return prepared;
	const { url, result } = cached;
	const fields = Object.entries({
		...crossOriginFields,
		...headersOf(result, outgoingOf(config, url, result)),
		...(result.isNegotiated && { Vary: 'Accept' }),
		'Content-Length': String(data.length),
	}).flat();
	// Caches may keep an image only until its URL expires, so its fields change each second.
	if (url.image.expiresAt === undefined) preparedFields.set(cached, fields);
	return fields;
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
