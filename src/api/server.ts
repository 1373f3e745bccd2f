import express, { type Express } from 'express';
import helmet from 'helmet';
import { isLoopback } from '../config.ts';
import { PicpipeError } from '../errors.ts';
import { isLoopbackName, sameSiteOnly } from '../http/same-site.ts';
import type { ApiContext } from './context.ts';
import { authenticate } from './middleware/authenticate.ts';
import { notFound, problems } from './middleware/problem.ts';
import { requestId } from './middleware/request-id.ts';
import { endUnreadBody } from './middleware/unread-body.ts';
import { type Route, routes } from './routes.ts';

/** Largest JSON body, bytes; only uploads are large, and they are no JSON. */
const maximumJson = 64 * 1024;

/** Builds the API; it listens to nothing yet. */
export function buildApi(context: ApiContext): Express {
	const { config } = context;
	const app = express();
	app.disable('x-powered-by');
	app.set('query parser', 'simple');
	app.use(requestId(context.log));
	app.use(helmet());
	app.use(endUnreadBody);
	// Loopback alone protects an API without keys, so a web site must not get at it through a browser on this machine.
	const allowedHosts = isLoopback(config.host) && !config.apiKeys ? isLoopbackName : undefined;
	app.use(sameSiteOnly({ allowedHosts }));
	app.use(express.json({ limit: maximumJson }));

	const guard = authenticate(config.apiKeys);
	for (const route of routes) {
		const method = route.method.toLowerCase() as 'get' | 'post' | 'delete';
		app[method](route.path, ...(route.open ? [] : [guard]), route.handler(context));
	}
	for (const [path, methods] of methodsByPath(routes)) {
		app.all(path, (request, response) => {
			response.set('Allow', methods.join(', '));
			throw new PicpipeError(
				'method-not-allowed',
				`Expected ${methods.join(' or ')} for ${request.path} but received ${request.method}.`,
			);
		});
	}
	app.use(notFound);
	app.use(problems);
	return app;
}

function methodsByPath(table: readonly Route[]): Map<string, string[]> {
	const paths = new Map<string, string[]>();
	for (const { path, method } of table) {
		const methods = paths.get(path) ?? [];
		methods.push(...(method === 'GET' ? ['GET', 'HEAD'] : [method]));
		paths.set(path, methods);
	}
	return paths;
}
