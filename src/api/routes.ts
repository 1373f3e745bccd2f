import type { RequestHandler } from 'express';
import type { ApiContext } from './context.ts';
import { createPictures } from './create-pictures.ts';
import { healthz, readyz } from './health.ts';
import { cleanQueue, drainQueue, listQueues, pauseQueue, resumeQueue, retryFailedJobs } from './jobs.ts';
import {
	deletePicture,
	getOriginal,
	getPicture,
	getVariant,
	listPictures,
	processAgain,
	retryPicture,
} from './pictures.ts';
import { getRecipe, listRecipes } from './recipes.ts';

export interface Route {
	readonly method: 'GET' | 'POST' | 'DELETE';
	readonly path: string;
	readonly handler: (context: ApiContext) => RequestHandler;
	/** One sentence for the reference page. */
	readonly doc: string;
	/** Served without an API key. */
	readonly open?: boolean;
}

/** The whole HTTP surface. */
export const routes: readonly Route[] = [
	{
		method: 'POST',
		path: '/v1/pictures',
		handler: createPictures,
		doc: 'Uploads one picture as the body, or many as a form.',
	},
	{ method: 'GET', path: '/v1/pictures', handler: listPictures, doc: 'Lists pictures, newest first.' },
	{ method: 'GET', path: '/v1/pictures/:id', handler: getPicture, doc: 'Shows one picture.' },
	{
		method: 'DELETE',
		path: '/v1/pictures/:id',
		handler: deletePicture,
		doc: 'Deletes a picture and everything made of it.',
	},
	{ method: 'GET', path: '/v1/pictures/:id/original', handler: getOriginal, doc: 'The bytes as they were received.' },
	{
		method: 'GET',
		path: '/v1/pictures/:id/variants/:variant',
		handler: getVariant,
		doc: 'A variant by name, or name and format (`large.webp`).',
	},
	{ method: 'POST', path: '/v1/pictures/:id/retry', handler: retryPicture, doc: 'Queues a failed picture again.' },
	{
		method: 'POST',
		path: '/v1/pictures/:id/process',
		handler: processAgain,
		doc: 'Processes a picture again, with another recipe if given.',
	},
	{ method: 'GET', path: '/v1/recipes', handler: listRecipes, doc: 'Lists the recipes.' },
	{ method: 'GET', path: '/v1/recipes/:name', handler: getRecipe, doc: 'Shows one recipe.' },
	{ method: 'GET', path: '/v1/queues', handler: listQueues, doc: 'Shows every queue with its counts and workers.' },
	{ method: 'POST', path: '/v1/queues/:name/pause', handler: pauseQueue, doc: 'Stops a queue; jobs go on coming in.' },
	{ method: 'POST', path: '/v1/queues/:name/resume', handler: resumeQueue, doc: 'Lets a paused queue go on.' },
	{
		method: 'POST',
		path: '/v1/queues/:name/drain',
		handler: drainQueue,
		doc: 'Removes every waiting job. Accepted pictures are queued again by the next sweep; delete a picture to be rid of its work.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/retry-failed',
		handler: retryFailedJobs,
		doc: 'Queues every failed job again.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/clean',
		handler: cleanQueue,
		doc: 'Removes jobs that have ended; their pictures stay.',
	},
	{ method: 'GET', path: '/healthz', handler: () => healthz, doc: 'The process is up.', open: true },
	{
		method: 'GET',
		path: '/readyz',
		handler: readyz,
		doc: 'Redis and storage work; `?exclude=redis` leaves one out.',
		open: true,
	},
];
