import type { RequestHandler } from 'express';
import type { z } from 'zod';
import type { Scope } from '../access/key-rights.ts';
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
	tagsQuerySchema,
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
import { getIndex, getMetrics, healthz, readyz } from './operations/monitoring.ts';
import { dashboard, dashboardAsset, dashboardSettings } from './operations/page.ts';
import { getRecipe, listOperations, listRecipes } from './operations/recipes.ts';
import { createUploadToken } from './operations/upload-tokens.ts';
import { createPicturesHandler } from './pictures/create.ts';
import { listPictures, listTags } from './pictures/lists.ts';
import {
	deletePicture,
	getOriginal,
	getPicture,
	getSimilar,
	getVariant,
	processAgain,
	retryPicture,
} from './pictures/pictures.ts';
import { createUploadHandler } from './tus/create-upload.ts';
import { appendToUpload, deleteUpload, getUpload, headUpload, tusOptions } from './tus/uploads.ts';
import { getDelivery, listDeliveries, replayDeliveries, replayDelivery, testWebhook } from './webhooks/deliveries.ts';
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
	/** The scope that the caller's key needs; `open` needs no key. */
	readonly scope: Scope | 'open';
	/** Shows or changes something that has an owner: callers with `upload` may use it for what is theirs. */
	readonly owned?: boolean;
	/** Accepts pictures: upload tokens are valid, and requests are refused while the queue or the disk is full. */
	readonly intake?: boolean;
	/** Resumes an upload: upload tokens are valid, even expired ones. */
	readonly resumable?: boolean;
	/** The handler refuses upload tokens, for the reference page. */
	readonly keysOnly?: boolean;
	/** Query parameters. This and the next three are for the reference page; the handler checks with the same schema. */
	readonly query?: z.ZodType;
	/** Fields of a `multipart/form-data` body, besides its files. */
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
		doc: 'Uploads one picture as the body, several as a form, or pictures by URL as JSON.',
		query: rawUploadFieldsSchema,
		form: uploadFieldsSchema,
		json: fetchBodySchema,
	},
	{
		method: 'GET',
		path: '/v1/pictures',
		scope: 'read',
		owned: true,
		handler: listPictures,
		doc: 'Lists pictures, newest first.',
		query: listQuerySchema,
	},
	{
		method: 'GET',
		path: '/v1/tags',
		scope: 'read',
		owned: true,
		handler: listTags,
		doc: 'Lists tags with the number of their pictures, the most frequent first.',
		query: tagsQuerySchema,
	},
	{
		method: 'GET',
		path: '/v1/pictures/:id',
		scope: 'read',
		owned: true,
		handler: getPicture,
		doc: 'Shows one picture.',
	},
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
		owned: true,
		handler: getOriginal,
		doc: 'Returns the original file, byte for byte.',
	},
	{
		method: 'GET',
		path: '/v1/pictures/:id/variants/:variant',
		scope: 'read',
		owned: true,
		handler: getVariant,
		doc: 'Returns a variant by name, or by name and format (`large.webp`).',
	},
	{
		method: 'GET',
		path: '/v1/pictures/:id/similar',
		scope: 'read',
		owned: true,
		handler: getSimilar,
		doc: 'Finds near-duplicates of a picture by its perceptual hash.',
		query: similarQuerySchema,
	},
	{
		method: 'POST',
		path: '/v1/pictures/:id/retry',
		scope: 'upload',
		owned: true,
		handler: retryPicture,
		doc: 'Queues a failed picture again.',
	},
	{
		method: 'POST',
		path: '/v1/pictures/:id/process',
		scope: 'upload',
		owned: true,
		handler: processAgain,
		doc: 'Processes a picture again, with a different recipe if you name one.',
		json: processBodySchema,
	},
	{
		method: 'OPTIONS',
		path: '/v1/uploads',
		scope: 'open',
		handler: tusOptions,
		doc: 'Reports the supported version and extensions of tus, the protocol of resumable uploads.',
	},
	{
		method: 'POST',
		path: '/v1/uploads',
		scope: 'upload',
		intake: true,
		handler: createUploadHandler,
		doc: 'Creates a resumable upload, with or without its first bytes, or joins partial uploads.',
		metadata: uploadMetadataSchema,
	},
	{
		method: 'HEAD',
		path: '/v1/uploads/:id',
		scope: 'read',
		owned: true,
		resumable: true,
		handler: headUpload,
		doc: 'Returns the offset of a resumable upload.',
	},
	{
		method: 'GET',
		path: '/v1/uploads/:id',
		scope: 'read',
		owned: true,
		resumable: true,
		handler: getUpload,
		doc: 'Returns the upload as JSON, with its picture or the reason for its refusal.',
	},
	{
		method: 'PATCH',
		path: '/v1/uploads/:id',
		scope: 'upload',
		owned: true,
		intake: true,
		resumable: true,
		handler: appendToUpload,
		doc: 'Appends bytes to a resumable upload. The last byte creates the picture.',
	},
	{
		method: 'DELETE',
		path: '/v1/uploads/:id',
		scope: 'upload',
		owned: true,
		resumable: true,
		handler: deleteUpload,
		doc: 'Ends a resumable upload and deletes its bytes. Its picture, if there is one, stays.',
	},
	{
		method: 'POST',
		path: '/v1/upload-tokens',
		scope: 'upload',
		handler: createUploadToken,
		doc: 'Creates a short-lived token for uploads from a browser.',
		json: uploadTokenBodySchema,
	},
	{ method: 'GET', path: '/v1/recipes', scope: 'read', handler: listRecipes, doc: 'Lists the recipes.' },
	{ method: 'GET', path: '/v1/recipes/:name', scope: 'read', handler: getRecipe, doc: 'Shows one recipe.' },
	{
		method: 'GET',
		path: '/v1/operations',
		scope: 'read',
		handler: listOperations,
		doc: 'Lists the operations, encoders and analyses that recipes can use.',
	},
	{
		method: 'POST',
		path: '/v1/batches',
		scope: 'upload',
		intake: true,
		keysOnly: true,
		handler: createBatchHandler,
		doc: 'Creates a batch: pictures that belong together, with one notification when all are finished.',
		json: createBatchSchema,
	},
	{
		method: 'GET',
		path: '/v1/batches/:id',
		scope: 'read',
		owned: true,
		handler: getBatch,
		doc: 'Shows a batch with the number of its pictures by state.',
	},
	{
		method: 'POST',
		path: '/v1/batches/:id/close',
		scope: 'upload',
		owned: true,
		handler: closeBatchHandler,
		doc: 'Closes a batch to further pictures, so that it can finish.',
	},
	{
		method: 'GET',
		path: '/v1/failures',
		scope: 'read',
		handler: listFailures,
		doc: 'Counts pictures that failed or lack variants, by class and by code.',
	},
	{
		method: 'GET',
		path: '/v1/failures/quarantine',
		scope: 'read',
		handler: listQuarantine,
		doc: 'Lists pictures whose processing ended a process, newest first.',
		query: pageQuerySchema,
	},
	{
		method: 'POST',
		path: '/v1/failures/retry',
		scope: 'admin',
		handler: retryAllFailures,
		doc: 'Queues pictures with failures again: all of them, or those with a class or code. Only what is missing is made.',
		json: retryFailuresSchema,
	},
	{
		method: 'POST',
		path: '/v1/webhooks',
		scope: 'admin',
		handler: createWebhook,
		doc: 'Creates a webhook endpoint.',
		json: createWebhookSchema,
	},
	{
		method: 'GET',
		path: '/v1/webhooks',
		scope: 'admin',
		handler: listWebhooks,
		doc: 'Lists the webhook endpoints.',
	},
	{ method: 'GET', path: '/v1/webhooks/:id', scope: 'admin', handler: getWebhook, doc: 'Shows one webhook endpoint.' },
	{
		method: 'DELETE',
		path: '/v1/webhooks/:id',
		scope: 'admin',
		handler: deleteWebhook,
		doc: 'Deletes an endpoint and its pending deliveries.',
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/rotate-secret',
		scope: 'admin',
		handler: rotateWebhookSecret,
		doc: 'Gives an endpoint a new secret. The old secrets keep signing for a while.',
		json: rotateSecretSchema,
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/enable',
		scope: 'admin',
		handler: enableWebhook,
		doc: 'Enables a disabled endpoint. It receives the events from now on.',
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/disable',
		scope: 'admin',
		handler: disableWebhook,
		doc: 'Disables an endpoint. Its pending deliveries are kept for a replay.',
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/test',
		scope: 'admin',
		handler: testWebhook,
		doc: 'Sends a test event to an endpoint, once. The response is its delivery.',
	},
	{
		method: 'POST',
		path: '/v1/webhooks/:id/replay',
		scope: 'admin',
		handler: replayDeliveries,
		doc: 'Retries all failed deliveries of an endpoint.',
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
		doc: 'Shows one delivery with its attempts and payload.',
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
		path: '/v1/index',
		scope: 'read',
		handler: getIndex,
		doc: 'Shows whether the index is complete, the number of pictures by state, and the progress of a rebuild.',
	},
	{
		method: 'GET',
		path: '/v1/queues',
		scope: 'admin',
		handler: listQueues,
		doc: 'Lists the queues with their job counts and workers.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/pause',
		scope: 'admin',
		handler: pauseQueue,
		doc: 'Pauses a queue. New jobs are still accepted.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/resume',
		scope: 'admin',
		handler: resumeQueue,
		doc: 'Resumes a paused queue.',
	},
	{
		method: 'POST',
		path: '/v1/queues/:name/drain',
		scope: 'admin',
		handler: drainQueue,
		doc: 'Removes every waiting job. The next sweep queues accepted pictures again; delete a picture to cancel its work.',
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
		doc: 'Removes finished jobs. Their pictures stay.',
		json: cleanBodySchema,
	},
	{
		method: 'POST',
		path: '/v1/sign',
		scope: 'admin',
		handler: sign,
		doc: 'Signs the URL of an image made on demand.',
		json: signBodySchema,
	},
	{
		method: 'GET',
		path: '/img/*path',
		handler: serveImgproxy,
		doc: 'Serves an image made on demand, by an imgproxy URL: `/img/<signature>/<options>/plain/<id>@<ext>`.',
		scope: 'open',
	},
	{
		method: 'GET',
		path: '/ipx/*path',
		handler: serveIpx,
		doc: 'Serves an image made on demand, by an IPX URL, if `PICPIPE_IPX` is set: `/ipx/<modifiers>/<id>`.',
		scope: 'open',
	},
	{
		method: 'GET',
		path: '/cld/*path',
		handler: serveCloudinary,
		doc: 'Serves an image made on demand, by a Cloudinary URL, if `PICPIPE_CLOUDINARY` is set: `/cld/<account>/image/upload/<transformations>/<id>`.',
		scope: 'open',
	},
	{ method: 'GET', path: '/healthz', handler: () => healthz, doc: 'Reports that the process is up.', scope: 'open' },
	{
		method: 'GET',
		path: '/readyz',
		handler: readyz,
		doc: 'Reports whether Redis and storage work. `?exclude=redis` skips Redis.',
		scope: 'open',
	},
	{
		method: 'GET',
		path: '/metrics',
		handler: getMetrics,
		doc: 'Returns metrics for Prometheus.',
		scope: 'admin',
	},
	{ method: 'GET', path: '/', handler: dashboard, doc: 'Serves the dashboard.', scope: 'open' },
	{
		method: 'GET',
		path: '/assets/:file',
		handler: dashboardAsset,
		doc: 'Serves the scripts and styles of the dashboard.',
		scope: 'open',
	},
	{
		method: 'GET',
		path: '/dashboard.json',
		handler: dashboardSettings,
		doc: 'Returns the settings that the dashboard needs before it has a key.',
		scope: 'open',
	},
];
