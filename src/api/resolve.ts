import type { Queue } from 'bullmq';
import type { Request, RequestHandler, Response } from 'express';
import type { Caller } from '../access/caller.ts';
import { type Owned, requireReach } from '../access/ownership.ts';
import { readBatch, requireOpenBatch, unknownBatch } from '../catalog/batch.ts';
import { readOpenDeletion } from '../catalog/deletion.ts';
import { readManifest } from '../catalog/manifest.ts';
import type { Batch } from '../domain/batch.ts';
import { isFinished, type Picture, parsePictureId } from '../domain/picture.ts';
import { type ErrorCode, PicpipeError } from '../errors.ts';
import { type QueueName, queueNames } from '../queue/jobs.ts';
import { type ApiContext, callerOf, deedOf } from './context.ts';

/**
 * Resolves the resource of a URL or responds with 404, so that handlers start from the resource itself. What the caller may not see does not
 * exist for it.
 */

type Handler<T> = (found: T, request: Request, response: Response) => Promise<void> | void;

/** The latest known state of a picture. @throws PicpipeError `invalid-id`, and as `reachable` */
export function withPicture(context: ApiContext, handler: Handler<Picture>): RequestHandler {
	return resolvePicture((id) => findPicture(context, id), handler);
}

/** The stored picture, for changes: the index may lag behind. @throws as `withPicture` */
export function withManifest(context: ApiContext, handler: Handler<Picture>): RequestHandler {
	return resolvePicture((id) => readManifest(context.storage, id), handler);
}

/** As `withPicture`, or a picture whose deletion was begun and not finished. */
export function withDeletable(context: ApiContext, handler: Handler<Picture>): RequestHandler {
	const find = async (id: string) =>
		(await findPicture(context, id)) ?? (await readOpenDeletion(context.storage, id))?.picture;
	return resolvePicture(find, handler);
}

function resolvePicture(find: (id: string) => Promise<Picture | undefined>, handler: Handler<Picture>): RequestHandler {
	return async (request, response) => {
		const found = await find(parsePictureId(String(request.params.id)));
		await handler(reachable(response, found, 'picture-not-found'), request, response);
	};
}

/** @throws PicpipeError `batch-not-found`, `insufficient-scope` */
export function withBatch({ storage }: ApiContext, handler: Handler<Batch>): RequestHandler {
	return async (request, response) => {
		const found = await readBatch(storage, String(request.params.id));
		await handler(reachable(response, found, 'batch-not-found'), request, response);
	};
}

/**
 * A resource that the caller may see or change, whichever the route does. Every resource with an owner passes through here on its way to a
 * handler.
 *
 * @throws PicpipeError the given code if the resource does not exist or the caller may not see it; `insufficient-scope`
 */
function reachable<T extends Owned>(response: Response, found: T | undefined, missing: ErrorCode): T {
	if (!found) throw new PicpipeError(missing);
	requireReach(callerOf(response), deedOf(response), found, () => new PicpipeError(missing));
	return found;
}

/**
 * The batch that uploads of a request join. A token's batch was checked when the token was made.
 *
 * @throws PicpipeError `unknown-batch`, also for a batch that the caller may not see; `batch-closed`, `insufficient-scope`
 */
export async function requireJoinableBatch({ storage }: ApiContext, caller: Caller, id: string): Promise<void> {
	const batch = await readBatch(storage, id);
	if (!batch) throw unknownBatch(id);
	if (!caller.grant) requireReach(caller, 'change', batch, () => unknownBatch(id));
	await requireOpenBatch(storage, id);
}

/** The manifest, with what only the index knows of a picture that has not ended: whether a worker has begun it or left it. */
export async function findPicture(context: ApiContext, id: string): Promise<Picture | undefined> {
	const picture = await readManifest(context.storage, id);
	if (!picture || isFinished(picture.state)) return picture;
	const live = await context.catalog.get(id).catch((err) => {
		context.log.debug({ err }, 'answering without the index');
		return undefined;
	});
	// The index may lag behind.
	if (live?.revision !== picture.revision || isFinished(live.state)) return picture;
	return { ...picture, state: live.state, ...(live.waiting && { waiting: live.waiting }) };
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
