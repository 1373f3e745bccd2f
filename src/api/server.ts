import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import compression from 'compression';
import express, { type RequestHandler } from 'express';
import helmet from 'helmet';
import { settings } from '../config/index.ts';
import { imgproxyPrefix } from '../delivery/sign-path.ts';
import { PicpipeError } from '../errors.ts';
import { sameSiteOnly } from '../http/same-site.ts';
import { requireThisMachine } from '../http/this-machine.ts';
import type { ApiContext } from './context.ts';
import { openGuard } from './guard.ts';
import { cachedResponses, isDelivery } from './images/cached-response.ts';
import { endSlowBody, endUnreadBody } from './middleware/body.ts';
import { allowOrigins, answerPreflight } from './middleware/cors.ts';
import { measure, requestId } from './middleware/observe.ts';
import { notFound, problems } from './middleware/problem.ts';
import { type Route, routes } from './routes.ts';
import { speakTus } from './tus/uploads.ts';

/** Builds the API. It does not listen yet. */
export function buildApi(context: ApiContext): RequestListener {
	const { config } = context;
	const app = express();
	app.disable('x-powered-by');
	app.set('query parser', 'simple');
	app.use(requestId(context.log));
	app.use(measure(context.metrics, isIntake));
	app.use(endUnreadBody);
	app.use(endSlowBody(config));
	app.use(localWithoutKeys(context));

	const guard = openGuard(context);
	const register = (route: Route) => {
		const method = route.method.toLowerCase() as 'get' | 'head' | 'post' | 'patch' | 'delete' | 'options';
		app[method](route.path, ...guard(route), route.handler(context));
	};
	// Image routes come first: they get more requests than all others together, and need none of the middleware for pages, bodies and other
	// sites.
	for (const route of routes.filter(isDelivery)) {
		app.options(route.path, answerPreflight);
		register(route);
	}

	app.use(helmet());
	app.use(compression({ filter: isJson }));
	if (config.corsOrigins) app.use(allowOrigins(config.corsOrigins, methods, context.keys));
	const hint = `${settings.corsOrigins.variable} lists the web sites whose pages may call the API.`;
	app.use(sameSiteOnly({ hint, mayBeForeign: ({ locals }) => locals.isForeignAllowed === true }));

	app.use('/v1/uploads', speakTus());

	routes.filter((route) => !isDelivery(route)).forEach(register);
	for (const [path, methods] of methodsByPath(routes)) {
		app.all(path, (request, response) => {
			response.set('Allow', methods.join(', '));
			// A browser that asks for a page of another site, which may not call the API.
			const isPreflight = request.get('access-control-request-method') !== undefined;
			throw new PicpipeError(
				'method-not-allowed',
				`Expected ${methods.join(' or ')} for ${request.path} but received ${request.method}.${isPreflight ? ` ${hint}` : ''}`,
			);
		});
	}
	app.use(notFound);
	app.use(problems);
	return belowPrefix(config.imgproxyPrefix, cachedResponses(context, app));
}

/**
 * Reads imgproxy URLs below another prefix as URLs below `/img`. At the root, the paths of the route table win, and a URL of one segment is
 * no image URL.
 */
function belowPrefix(prefix: string, answer: RequestListener): RequestListener {
	if (prefix === imgproxyPrefix) return answer;
	const own = new Set(routes.map(({ path }) => path.split('/')[1]));
	const isImage =
		prefix === ''
			? (url: string) => {
					const [, first = '', rest] = /^\/([^/?]+)\/([^?])/.exec(url) ?? [];
					return rest !== undefined && !own.has(first);
				}
			: (url: string) => url.startsWith(`${prefix}/`);
	return (request: IncomingMessage & { originalUrl?: string }, response) => {
		const { url = '' } = request;
		if (isImage(url)) {
			// Express keeps it, for logs and for links to the same URL.
			request.originalUrl = url;
			request.url = imgproxyPrefix + url.slice(prefix.length);
		}
		answer(request, response);
	};
}

/** Methods that pages of other sites may use: those of the API and of tus. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/**
 * Without keys, only the loopback address protects the API, so a web site must not reach it through a browser on this machine. This
 * includes open routes. The other routes check again, and wait for the answer if it is not known yet.
 */
function localWithoutKeys({ keys }: ApiContext): RequestHandler {
	return async (request, _response, next) => {
		// The first key may have been added since the last request that asked, and open routes do not ask again.
		if (keys.wasNeeded === false && !(await keys.isNeeded().catch(() => false))) requireThisMachine(request);
		next();
	};
}

/** Pictures are compressed already; JSON shrinks to a tenth. */
function isJson(_request: IncomingMessage, response: ServerResponse): boolean {
	return /^application\/(?:problem\+)?json\b/.test(String(response.getHeader('content-type') ?? ''));
}

function isIntake(method: string, path: string): boolean {
	return routes.some((route) => route.intake && route.method === method && route.path === path);
}

function methodsByPath(table: readonly Route[]): Map<string, string[]> {
	const paths = new Map<string, string[]>();
	for (const { path, method } of table) {
		const methods = paths.get(path) ?? [];
		methods.push(...(method === 'GET' ? ['GET', 'HEAD'] : [method]));
		paths.set(path, [...new Set(methods)]);
	}
	return paths;
}
