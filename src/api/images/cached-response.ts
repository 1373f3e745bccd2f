import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Express } from 'express';
import { requireThisMachine } from '../../http/this-machine.ts';
import type { ApiContext } from '../context.ts';
import { hotAnswer } from './serve.ts';

/** Where pictures are served, and the patterns of the routes, which requests are counted by. */
const routes: Readonly<Record<string, string>> = {
	'/img/': '/img/*path',
	'/ipx/': '/ipx/*path',
	'/cld/': '/cld/*path',
};

/** Is it the pattern of a route that serves pictures to whoever looks at them? Such routes set their own headers. */
export function isDelivery({ path }: { readonly path: string }): boolean {
	return Object.values(routes).includes(path);
}

/** What makes a request more than a plain question for the whole: all of it is Express's. */
const furtherFields = [
	'range',
	'if-none-match',
	'if-modified-since',
	'x-request-id',
	'content-length',
	'transfer-encoding',
];

/**
 * Answers what was answered a moment ago and is in memory before Express sees it, which costs half; everything else is Express's. The same is said
 * with the same fields, counted and logged alike.
 */
export function hotPath(context: ApiContext, app: Express): RequestListener {
	return (request, response) => {
		if (!answerFromMemory(context, request, response)) app(request, response);
	};
}

function answerFromMemory(context: ApiContext, request: IncomingMessage, response: ServerResponse): boolean {
	const { method, url = '', headers } = request;
	const route = routes[url.slice(0, 5)];
	if (method !== 'GET' || route === undefined || url.includes('?')) return false;
	if (furtherFields.some((name) => headers[name] !== undefined) || !isAllowed(context, request)) return false;
	const started = performance.now();
	const answer = hotAnswer(context, url, headers.accept);
	if (!answer) return false;
	const requestId = randomUUID();
	response.writeHead(200, { ...answer.fields, 'X-Request-Id': requestId }).end(answer.data);
	response.once('close', () => {
		const seconds = (performance.now() - started) / 1_000;
		context.metrics.request({ method, route, status: '200', seconds });
		const line = { requestId, method, path: url, status: 200, milliseconds: Math.round(seconds * 1_000) };
		context.log.debug({ ...line, ...(!response.writableFinished && { aborted: true }) }, 'request');
	});
	return true;
}

/** Without keys this machine alone is served; Express says why nobody else is. */
function isAllowed({ keys }: ApiContext, request: IncomingMessage): boolean {
	if (keys.wasNeeded !== false) return true;
	try {
		requireThisMachine(request);
		return true;
	} catch {
		return false;
	}
}
