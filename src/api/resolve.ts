import type { Queue } from 'bullmq';
import type { Request, RequestHandler, Response } from 'express';
import { readManifest } from '../catalog/manifest.ts';
import { type Picture, parsePictureId } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { type QueueName, queueNames } from '../queue/jobs.ts';
import type { ApiContext } from './context.ts';

/** Resolves the thing that a URL names, or answers 404, so that handlers begin with the thing itself. */

type Handler<T> = (found: T, request: Request, response: Response) => Promise<void> | void;

/** The picture as far as anyone knows it. @throws PicpipeError `invalid-id`, `picture-not-found` */
export function withPicture(context: ApiContext, handler: Handler<Picture>): RequestHandler {
	return resolvePicture((id) => findPicture(context, id), handler);
}

/** The picture as storage has it, for changes: the index may lag behind. @throws as `withPicture` */
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

/** Index first, since only it knows who is being worked on; the manifest when the index doesn't know it or isn't there. */
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
