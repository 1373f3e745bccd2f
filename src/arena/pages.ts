import { randomBytes } from 'node:crypto';
import Arena from 'bull-arena';
import type { RequestHandler, Response } from 'express';
import helmet from 'helmet';
import { arenaHostId } from '../queue/arena-link.ts';
import { queueNames } from '../queue/jobs.ts';
import { forwardRejections, runFor } from './contain.ts';

/** Arena's pages, with every script and style from this server. @param queueClass called with a name as its first argument */
export function arenaPages(queueClass: new (name: string) => object): RequestHandler {
	const arena = Arena(
		{ queues: queueNames.map((name) => ({ name, hostId: arenaHostId, type: 'bullmq' })), BullMQ: queueClass },
		{ useCdn: false, disableListen: true, activeHostId: arenaHostId },
	);
	arena.disable('x-powered-by');
	forwardRejections(arena._router);

	return (request, response, next) => {
		// Arena is an Express 4 app: it gives the request its own prototype, which has no `query`, after it saw ours having one.
		Object.defineProperty(request, 'query', { value: request.query, writable: true });
		sendWithNonce(response);
		runFor(response, () => arena(request, response, next));
	};
}

/**
 * As tight as Arena's pages allow: they have styles in attributes, the JSON editor brings a style sheet and pictures of its own,
 * and checks what is typed in a worker made from a blob.
 */
export const arenaHeaders: RequestHandler = helmet({
	contentSecurityPolicy: {
		useDefaults: false,
		directives: {
			defaultSrc: ["'none'"],
			scriptSrc: ["'self'", (_request, response) => `'nonce-${nonceOf(response as Response)}'`],
			styleSrc: ["'self'", "'unsafe-inline'"],
			imgSrc: ["'self'", 'data:'],
			// Bootstrap names an icon font that Arena neither ships nor uses; browsers complain of the rule even so.
			fontSrc: ["'self'"],
			connectSrc: ["'self'"],
			workerSrc: ['blob:'],
			baseUri: ["'none'"],
			formAction: ["'none'"],
			frameAncestors: ["'none'"],
		},
	},
	xFrameOptions: { action: 'deny' },
	// Whether there is TLS for the whole host is not ours to say.
	strictTransportSecurity: false,
});

function nonceOf(response: Response): string {
	response.locals.nonce ??= randomBytes(16).toString('base64');
	return response.locals.nonce as string;
}

const tag = '<script>';
/** The two inline scripts of Arena's layout: this one in its head, and the page's own, which comes last. */
const headScript = `${tag}hljs.`;

/**
 * Lets the layout's own inline scripts run, and no other that a job's data might bring into the page.
 * Pages say who uploaded what, so they stay out of caches.
 */
function sendWithNonce(response: Response): void {
	const allowed = `<script nonce="${nonceOf(response)}">`;
	response.send = function (this: Response, body?: unknown) {
		this.setHeader('Cache-Control', 'no-store');
		// That of the Express which has the response at the moment.
		const { send } = Object.getPrototypeOf(this) as Response;
		if (typeof body !== 'string' || !body.includes(headScript)) return send.call(this, body);
		const last = body.lastIndexOf(tag);
		const page = body.slice(0, last) + allowed + body.slice(last + tag.length);
		return send.call(this, page.replace(headScript, headScript.replace(tag, allowed)));
	};
}
