import type { RequestHandler } from 'express';
import type { z } from 'zod';
import type { Scope } from '../access/scope.ts';
import type { ApiContext } from './context.ts';
import {
	cleanBodySchema,
	fetchBodySchema,
	listQuerySchema,
	pageQuerySchema,
	processBodySchema,
	rawUploadFieldsSchema,
	retryFailuresSchema,
	similarQuerySchema,
	uploadFieldsSchema,
	uploadMetadataSchema,
	uploadTokenBodySchema,
} from './contract.ts';
import { serveCloudinary, serveImgproxy, serveIpx } from './images/serve.ts';
import { sign, signBodySchema } from './images/sign.ts';
import { createBatchSchema } from './operations/batch-contract.ts';
import { closeBatchHandler, createBatchHandler, getBatch } from './operations/batches.ts';
import { listFailures, listQuarantine, retryAllFailures } from './operations/failures.ts';
import { cleanQueue, drainQueue, listQueues, pauseQueue, resumeQueue, retryFailedJobs } from './operations/jobs.ts';
import { getMetrics, healthz, readyz } from './operations/monitoring.ts';
import { dashboard, dashboardAsset, dashboardSettings } from './operations/page.ts';
import { getRecipe, listOperations, listRecipes } from './operations/recipes.ts';
import { createUploadToken } from './operations/upload-tokens.ts';
import { createPicturesHandler } from './pictures/create.ts';
import {
	deletePicture,
	getOriginal,
	getPicture,
	getSimilar,
	getVariant,
	listPictures,
	processAgain,
	retryPicture,
} from './pictures/pictures.ts';
import { createUploadHandler } from './tus/create-upload.ts';
import { appendToUpload, deleteUpload, getUpload, headUpload, tusOptions } from './tus/uploads.ts';
import { getDelivery, listDeliveries, replayDeliveries, replayDelivery } from './webhooks/deliveries.ts';
import {
	createWebhookSchema,
	deliveriesQuerySchema,
	replayBodySchema,
	rotateSecretSchema,
} from './webhooks/webhook-contract.ts';
import {
	createWebhook,
	deleteWebhook,
	disableWebhook,
	enableWebhook,
	getWebhook,
	listWebhooks,
	rotateWebhookSecret,
} from './webhooks/webhooks.ts';

export interface Route {
	readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE' | 'OPTIONS';
	readonly path: string;
	readonly handler: (context: ApiContext) => RequestHandler;
	/** One sentence for the reference page. */
	readonly doc: string;
	/** What a caller's key has to allow; `open` needs no key. */
	readonly scope: Scope | 'open';
	/** Brings in pictures: accepts upload tokens too, and refuses while the queue or the disk is full. */
	readonly intake?: boolean;
	/** Resumes an upload: accepts upload tokens too, expired ones among them. */
	readonly resumable?: boolean;
	/** Query parameters. Like the two below it is for the reference page; the handler checks with the same schema. */
	readonly query?: z.ZodType;
	/** Fields of a `multipart/form-data` body, beside its files. */
	readonly form?: z.ZodType;
	/** Fields of `Upload-Metadata`. */
	readonly metadata?: z.ZodType;
	/** A JSON body. */
	readonly json?: z.ZodType;
}

/** The whole HTTP surface. */
export const routes: readonly Route[] = [
	{
		method: 'POST',
		path: '/v1/pictures',
		scope: 'upload',
		intake: true,
		handler: createPicturesHandler,
		doc: 'Uploads one picture as the body, many as a form, or pictures by their addresses as JSON.',
		query: rawUploadFieldsSchema,
		form: uploadFieldsSchema,
		json: fetchBodySchema,
	},
	{
		method: 'GET',
		path: '/v1/pictures',
		scope: 'read',
		handler: listPictures,
		doc: 'Lists pictures, newest first.',
		query: listQuerySchema,
	},
	{ method: 'GET', path: '/v1/pictures/:id', scope: 'read', handler: getPicture, doc: 'Shows one picture.' },
	{
		method: 'DELETE',
		path: '/v1/pictures/:id',
		scope: 'admin',
		handler: deletePicture,
		doc: 'Deletes a picture and everything made of it.',
	},
	{
		method: 'GET',
		path: '/v1/pictures/:id/original',
		scope: 'read',
		handler: getOriginal,
		doc: 'The bytes as they were received.',
	},
	{
		method: 'GET',
		path: '/v1/pictures/:id/variants/:variant',
		scope: 'read',
		handler: getVariant,
		doc: 'A variant by name, or name and format (`large.webp`).',
	},
	{
		method: 'GET',
		path: '/v1/pictures/:id/similar',
		scope: 'read',
		handler: getSimilar,
		doc: 'Finds near-duplicates of a picture by its perceptual hash.',
		query: similarQuerySchema,
	},
	{
		method: 'POST',
		path: '/v1/pictures/:id/retry',
		scope: 'upload',
		handler: retryPicture,
		doc: 'Queues a failed picture again.',
	},
	{
		method: 'POST',
		path: '/v1/pictures/:id/process',
		scope: 'upload',
		handler: processAgain,
		doc: 'Processes a picture again, with another recipe if given.',
		json: processBodySchema,
	},
	{
		method: 'OPTIONS',
		path: '/v1/uploads',
		scope: 'open',
		handler: tusOptions,
		doc: 'What there is of tus 1.0, resumable uploads.',
	},
	{
		method: 'POST',
		path: '/v1/uploads',
		scope: 'upload',
		intake: true,
		handler: createUploadHandler,
		doc: 'Begins a resumable upload, with its first bytes or without; or makes one of partial uploads.',
		metadata: uploadMetadataSchema,
	},
	{
		method: 'HEAD',
		path: '/v1/uploads/:id',
		scope: 'upload',
		resumable: true,
		handler: headUpload,
		doc: 'How far a resumable upload has come.',
	},
	{
		method: 'GET',
		path: '/v1/uploads/:id',
		scope: 'upload',
		resumable: true,
		handler: getUpload,
		doc: 'The same as JSON, with the picture that it has become, or why it was refused.',
	},
	{
		method: 'PATCH',
		path: '/v1/uploads/:id',
		scope: 'upload',
		intake: true,
		resumable: true,
		handler: appendToUpload,
		doc: 'Goes on with a resumable upload; with its last byte it becomes a picture.',
	},
	{
		method: 'DELETE',
		path: '/v1/uploads/:id',
		scope: 'upload',
		resumable: true,
		handler: deleteUpload,
		doc: 'Ends a resumable upload and deletes its bytes. A picture that it has become stays.',
	},
	{
		method: 'POST',
		path: '/v1/upload-tokens',
		scope: 'upload',
		handler: createUploadToken,
		doc: 'Makes a short-lived token with which a browser can upload.',
		json: uploadTokenBodySchema,
	},
	{ method: 'GET', path: '/v1/recipes', scope: 'read', handler: listRecipes, doc: 'Lists the recipes.' },
	{ method: 'GET', path: '/v1/recipes/:name', scope: 'read', handler: getRecipe, doc: 'Shows one recipe.' },
	{
		method: 'GET',
		path: '/v1/operations',
		scope: 'read',
		handler: listOperations,
		doc: 'Lists what recipes are made of: operations, encoders, analysis.',
	},
	{
		method: 'POST',
		path: '/v1/batches',
		scope: 'upload',
		intake: true,
		handler: createBatchHandler,
		doc: 'Makes a batch: pictures that belong together and whose end is told as one.',
		json: createBatchSchema,
	},
	{
		method: 'GET',
		path: '/v1/batches/:id',
		scope: 'read',
		handler: getBatch,
		doc: 'Shows a batch, with the number of its pictures by state.',
	},
	{
		method: 'POST',
		path: '/v1/batches/:id/close',
		scope: 'upload',
		handler: closeBatchHandler,
		doc: 'Takes no further picture into a batch, so that it can end.',
	},
	{
		method: 'GET',
		path: '/v1/failures',
		scope: 'read',
		handler: listFailures,
		doc: 'Shows why pictures have failed: their number by class and code.',
	},
	{
		method: 'GET',
		path: '/v1/failures/quarantine',
		scope: 'read',
		handler: listQuarantine,
		doc: 'Lists pictures that took a process with them, newest first.',
		query: pageQuerySchema,
	},
	{
		method: 'POST',
		path: '/v1/failures/retry',
		scope: 'admin',
		handler: retryAllFailures,
		doc: 'Queues failed pictures again: all, those of a class, or those of a code.',
		json: retryFailuresSchema,
	},
	{
		method: 'POST',
		path: '/v1/webhooks',
		scope: 'admin',
		handler: createWebhook,
		doc: 'Makes an endpoint that is told of what happens.',
		json: createWebhookSchema,
	},
	{
		method: 'GET',
		path: '/v1/webhooks',
		scope: 'admin',
		handler: listWebhooks,
		doc: 'Lists the endpoints of webhooks.',
	},
	{ method: 'GET', path: '/v1/webhooks/:id', scope: 'admin', handler: getWebhook, doc: 'Shows one endpoint.' },
	{
		method: 'DELETE',
		path: '/v1/webhooks/:id',
		scope: 'admin',
		handler: deleteWebhook,
		doc: 'Deletes an endpoint and everything that waits for it.',
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/rotate-secret',
		scope: 'admin',
		handler: rotateWebhookSecret,
		doc: 'Gives an endpoint a new secret; those before sign beside it for some time more.',
		json: rotateSecretSchema,
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/enable',
		scope: 'admin',
		handler: enableWebhook,
		doc: 'Lets a disabled endpoint be told again, of what happens from now on.',
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/disable',
		scope: 'admin',
		handler: disableWebhook,
		doc: 'Stops telling an endpoint; what waits for it is kept to be replayed.',
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/replay',
		scope: 'admin',
		handler: replayDeliveries,
		doc: 'Delivers again what could not be delivered.',
		json: replayBodySchema,
	},
	{
		method: 'GET',
		path: '/v1/webhooks/:id/deliveries',
		scope: 'admin',
		handler: listDeliveries,
		doc: 'Lists the latest deliveries to an endpoint, newest first.',
		query: deliveriesQuerySchema,
	},
	{
		method: 'GET',
		path: '/v1/webhooks/:id/deliveries/:delivery',
		scope: 'admin',
		handler: getDelivery,
		doc: 'Shows one delivery with its attempts and what is sent.',
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/deliveries/:delivery/replay',
		scope: 'admin',
		handler: replayDelivery,
		doc: 'Delivers a message again.',
	},
	{
		method: 'GET',
		path: '/v1/queues',
		scope: 'admin',
		handler: listQueues,
		doc: 'Shows every queue with its counts and workers.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/pause',
		scope: 'admin',
		handler: pauseQueue,
		doc: 'Stops a queue; jobs go on coming in.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/resume',
		scope: 'admin',
		handler: resumeQueue,
		doc: 'Lets a paused queue go on.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/drain',
		scope: 'admin',
		handler: drainQueue,
		doc: 'Removes every waiting job. Accepted pictures are queued again by the next sweep; delete a picture to be rid of its work.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/retry-failed',
		scope: 'admin',
		handler: retryFailedJobs,
		doc: 'Queues every failed job again.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/clean',
		scope: 'admin',
		handler: cleanQueue,
		doc: 'Removes jobs that have ended; their pictures stay.',
		json: cleanBodySchema,
	},
	{
		method: 'POST',
		path: '/v1/sign',
		scope: 'admin',
		handler: sign,
		doc: 'Signs the address of a picture that is made on demand.',
		json: signBodySchema,
	},
	{
		method: 'GET',
		path: '/img/*path',
		handler: serveImgproxy,
		doc: 'A picture made on demand, in the address language of imgproxy: `/img/<signature>/<options>/plain/<id>@<ext>`.',
		scope: 'open',
	},
	{
		method: 'GET',
		path: '/ipx/*path',
		handler: serveIpx,
		doc: 'The same in that of IPX, where `PICPIPE_IPX` says so: `/ipx/<modifiers>/<id>`.',
		scope: 'open',
	},
	{
		method: 'GET',
		path: '/cld/*path',
		handler: serveCloudinary,
		doc: 'The same in that of Cloudinary, where `PICPIPE_CLOUDINARY` says so: `/cld/<account>/image/upload/<transformations>/<id>`.',
		scope: 'open',
	},
	{ method: 'GET', path: '/healthz', handler: () => healthz, doc: 'The process is up.', scope: 'open' },
	{
		method: 'GET',
		path: '/readyz',
		handler: readyz,
		doc: 'Redis and storage work; `?exclude=redis` leaves one out.',
		scope: 'open',
	},
	{
		method: 'GET',
		path: '/metrics',
		handler: getMetrics,
		doc: 'Counts and sizes for Prometheus.',
		scope: 'admin',
	},
	{ method: 'GET', path: '/', handler: dashboard, doc: 'The dashboard, a page for people.', scope: 'open' },
	{
		method: 'GET',
		path: '/assets/:file',
		handler: dashboardAsset,
		doc: 'Scripts and styles of the dashboard.',
		scope: 'open',
	},
	{
		method: 'GET',
		path: '/dashboard.json',
		handler: dashboardSettings,
		doc: 'What the dashboard has to know before it has a key.',
		scope: 'open',
	},
];
