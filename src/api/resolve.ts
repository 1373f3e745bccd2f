import type { Queue } from 'bullmq';
import type { Request, RequestHandler, Response } from 'express';
import { readManifest } from '../catalog/manifest.ts';
import { type Picture, parsePictureId } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { type QueueName, queueNames } from '../queue/jobs.ts';
import type { ApiContext } from './context.ts';

/** Resolves the resource of a URL or responds with 404, so that handlers start from the resource itself. */

type Handler<T> = (found: T, request: Request, response: Response) => Promise<void> | void;

/** The latest known state of a picture. @throws PicpipeError `invalid-id`, `picture-not-found` */
export function withPicture(context: ApiContext, handler: Handler<Picture>): RequestHandler {
	return resolvePicture((id) => findPicture(context, id), handler);
}

/** The stored picture, for changes: the index may lag behind. @throws as `withPicture` */
export function withManifest(context: ApiContext, handler: Handler<Picture>): RequestHandler {
	return resolvePicture((id) => readManifest(context.storage, id), handler);
}

function resolvePicture(find: (id: string) => Promise<Picture | undefined>, handler: Handler<Picture>): RequestHandler {
	return async (request, response) => {
		const picture = await find(parsePictureId(String(request.params.id)));
		if (!picture) throw new PicpipeError('picture-not-found');
		await handler(picture, request, response);
	};
}

/**
 * The index comes first, because only it knows that a picture is being processed. The manifest is read if the index is unavailable or does
 * not have it.
 */
async function findPicture(context: ApiContext, id: string): Promise<Picture | undefined> {
	const indexed = await context.catalog.get(id).catch((err) => {
		context.log.debug({ err }, 'answering from the manifest');
		return undefined;
	});
	return indexed ?? (await readManifest(context.storage, id));
}

export function withQueue(context: ApiContext, handler: Handler<Queue>): RequestHandler {
	return async (request, response) => {
		const name = String(request.params.name);
		const known: readonly string[] = queueNames;
		if (!known.includes(name)) {
			throw new PicpipeError('queue-not-found', `Expected one of ${queueNames.join(', ')} but received "${name}".`);
		}
		await handler(context.queues.byName[name as QueueName], request, response);
	};
}
