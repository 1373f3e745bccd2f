import { folderOf, readManifest } from '../catalog/manifest.ts';
import {
	type AwaitedPicture,
	type AwaitedSource,
	awaitedSchema,
	isReceived,
	type Picture,
	sourceSchema,
} from '../domain/picture.ts';
import { unknownPart } from '../domain/stored.ts';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { originalKey } from '../storage/keys.ts';
import { type Admission, admitAgain } from './admit.ts';

/**
 * Queues a failed picture of an address again, from the beginning: what came from there may be what was wrong with it, so that is fetched anew too.
 *
 * @param picture as storage has it; nobody else may queue it at the same time
 * @param from where it is fetched from
 * @throws PicpipeError `picture-busy`, `queue-unavailable`, `picture-not-found` when it was deleted meanwhile
 */
export async function fetchAgain(
	to: Admission,
	picture: Picture,
	from: Pick<AwaitedSource, 'url' | 'hosts'>,
	log: Logger,
): Promise<Picture> {
	const { storage } = to;
	// The job that has worked on what came from there; `admitAgain` forgets the one that has fetched it.
	if (isReceived(picture) && !(await to.queues.forgetPicture(picture))) throw new PicpipeError('picture-busy');
	const { filename } = picture.source;
	const key = originalKey(folderOf(picture.id), 'url');
	await storage.put(key, Buffer.from(`${from.url}\n`));
	// A deletion from here on sees this object, and whoever looks for it sees the deletion; one that was before it has taken the manifest.
	if (!(await readManifest(storage, picture.id))) {
		await storage.delete(key);
		throw new PicpipeError('picture-not-found');
	}
	const kept = unknownPart({ shape: { ...sourceSchema.shape, ...awaitedSchema.shape } }, picture.source);
	const source = { ...kept, key, ...from, ...(filename !== undefined && { filename }) };
	const awaited: AwaitedPicture = { ...picture, source };
	return admitAgain(to, awaited, 'retry', log);
}
