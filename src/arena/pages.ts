import Arena from 'bull-arena';
import type { RequestHandler, Response } from 'express';
import type { Redis } from 'ioredis';
import { arenaHostId, type QueueName, queueNames } from '../queue/jobs.ts';
import type { QueuesOptions } from '../queue/queues.ts';
import { forwardRejections, runFor } from './contain.ts';
import { nonceOf } from './headers.ts';
import { ArenaQueue } from './queue.ts';

/** Arena's pages. */
export interface ArenaPages {
	readonly handle: RequestHandler;
	/** Closes the queues. */
	close(): Promise<void>;
}

/** Opens every queue, and Arena's pages for them, with all scripts and styles from this server. @param redis a `producer` connection */
export function openArenaPages(redis: Redis, options: QueuesOptions): ArenaPages {
	const queues: ArenaQueue[] = [];
	/** Arena constructs one for each queue. */
	class OpenedQueue extends ArenaQueue {
		constructor(name: string) {
			super(name as QueueName, redis, options);
			queues.push(this);
		}
	}
	const arena = Arena(
		{ queues: queueNames.map((name) => ({ name, hostId: arenaHostId, type: 'bullmq' })), BullMQ: OpenedQueue },
		{ useCdn: false, disableListen: true, activeHostId: arenaHostId },
	);
	arena.disable('x-powered-by');
	forwardRejections(arena._router);

	return {
		handle(request, response, next) {
			// Arena is an Express 4 app. It saw the `query` of our request, and then gives the request its own prototype, which has none.
			Object.defineProperty(request, 'query', { value: request.query, writable: true });
			sendWithNonce(response);
			runFor(response, () => arena(request, response, next));
		},
		async close() {
			await Promise.all(queues.map((queue) => queue.close()));
		},
	};
}

const tag = '<script>';
/** The two inline scripts of Arena's layout: this one in its head, and the page's own script, which comes last. */
const headScript = `${tag}hljs.`;

/**
 * Allows the layout's own inline scripts, and no script that a job's data might inject. Pages show who uploaded what, so they are not
 * cached.
 */
function sendWithNonce(response: Response): void {
	const allowed = `<script nonce="${nonceOf(response)}">`;
	response.send = function (this: Response, body?: unknown) {
		this.setHeader('Cache-Control', 'no-store');
		// The method of the Express version that currently owns the response.
		const { send } = Object.getPrototypeOf(this) as Response;
		if (typeof body !== 'string' || !body.includes(headScript)) return send.call(this, body);
		const last = body.lastIndexOf(tag);
		const page = body.slice(0, last) + allowed + body.slice(last + tag.length);
		return send.call(this, page.replace(headScript, headScript.replace(tag, allowed)));
	};
}
