import { joinBatch, leaveBatch } from '../catalog/batch.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { isDeleted } from '../catalog/deletion.ts';
import { closeIfExpected } from '../catalog/finish-batch.ts';
import {
	createManifest,
	folderOf,
	markPending,
	purgePicture,
	readManifest,
	revise,
	writeManifest,
} from '../catalog/manifest.ts';
import { cleanFilename } from '../domain/filename.ts';
import type { Meta } from '../domain/labels.ts';
import {
	type AwaitedPicture,
	type AwaitedSource,
	awaitedSchema,
	isReceived,
	manifestVersion,
	newPictureId,
	type Picture,
	pictureIdTime,
	sourceSchema,
	storedPriority,
} from '../domain/picture.ts';
import type { NamedRecipe } from '../domain/recipe.ts';
import { unknownPart } from '../domain/stored.ts';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { ProcessReason } from '../queue/jobs.ts';
import type { Queues } from '../queue/queues.ts';
import { originalKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import type { AssetFinder } from './assets.ts';
import { filenameOfUrl } from './fetch.ts';
import { pictureDeleted } from './idempotency.ts';
import { discardUnlessShared, type Received } from './receive.ts';

export interface Admission {
	readonly storage: Storage;
	readonly catalog: Catalog;
	readonly queues: Queues;
	/** Finds the pictures that recipes use. Without it, the worker finds them. */
	readonly assets?: AssetFinder;
}

export interface AdmitFields {
	readonly recipe: NamedRecipe;
	readonly tags: readonly string[];
	/** Metadata of the uploader's own. */
	readonly meta?: Meta | undefined;
	/** 0 to 1000, or -1 for urgent. */
	readonly priority: number;
	/** Who brings the picture in; undefined if nobody does. */
	readonly owner: string | undefined;
	/** The batch that the picture joins. */
	readonly batch?: string | undefined;
	/** Webhook URL for this picture, as `checkUrl` returned it. */
	readonly webhook?: string | undefined;
	readonly requestId?: string | undefined;
	/** Storage keys of the records that repeat facts about the picture, for its deletion. */
	readonly records?: readonly string[] | undefined;
}

/**
 * Creates a picture from a received original. When this returns, original, manifest and marker are durable: the picture ends `ready` or
 * `failed`, whatever crashes. Updates of the index and the queue are best effort; the sweep repeats those that Redis missed.
 *
 * @throws PicpipeError `unknown-batch`, `batch-closed`
 */
export async function admit(deps: Admission, received: Received, fields: AdmitFields, log: Logger): Promise<Picture> {
	return begin(deps, received, fields, log);
}

/**
 * Creates a picture whose original is still to be fetched, with the same guarantee. A placeholder object with the URL stands in for the
 * original, so that a concurrent deletion is visible to every writer of the manifest (see `purgePicture`).
 *
 * @param url as `checkUrl` returned it
 * @param reserved the picture's id if it was chosen before, and the hosts that the original may come from
 */
export async function admitUrl(
	deps: Admission,
	url: URL,
	fields: AdmitFields,
	log: Logger,
	reserved: Omit<Received, 'source'> & Pick<AwaitedSource, 'hosts'> = { id: newPictureId() },
): Promise<Picture> {
	const { id, hosts } = reserved;
	const key = originalKey(folderOf(id), 'url');
	const filename = cleanFilename(filenameOfUrl(url));
	try {
		await markPending(deps.storage, id);
		await deps.storage.put(key, Buffer.from(`${url.href}\n`));
		const source = { key, url: url.href, ...(filename && { filename }), ...(hosts && { hosts }) };
		return await begin(deps, { ...reserved, source }, fields, log);
	} catch (error) {
		await discardUnlessShared(deps.storage, reserved);
		throw error;
	}
}

async function begin(
	deps: Admission,
	{ id, source, isShared }: Pick<Received, 'id' | 'isShared'> & Pick<Picture, 'source'>,
	fields: AdmitFields,
	log: Logger,
): Promise<Picture> {
	const createdAt = new Date(pictureIdTime(id)).toISOString();
	const picture: Picture = {
		version: manifestVersion,
		id,
		state: 'queued',
		revision: 1,
		createdAt,
		updatedAt: createdAt,
		source,
		recipe: { name: fields.recipe.name, digest: fields.recipe.digest, definition: fields.recipe.definition },
		...storedPriority(fields.priority),
		tags: [...fields.tags],
		...(fields.meta && { meta: fields.meta }),
		...(fields.owner !== undefined && { owner: fields.owner }),
		...(fields.batch !== undefined && { batch: fields.batch }),
		...(fields.webhook !== undefined && { webhook: fields.webhook }),
		...(fields.requestId && { requestId: fields.requestId }),
		...(fields.records && { records: [...fields.records] }),
		variants: [],
		analysis: {},
	};
	const { batch } = fields;
	if (batch !== undefined) await joinBatch(deps.storage, batch, id);
	if (!isShared) {
		await writeManifest(deps.storage, picture).catch(async (error) => {
			if (batch !== undefined) await leaveBatch(deps.storage, batch, id);
			throw error;
		});
	}
	// One of the attempts that share the id creates the picture; the others return it. If it was already deleted, they return what they would
	// have created.
	else if (!(await createManifest(deps.storage, picture))) return (await readManifest(deps.storage, id)) ?? picture;
	else if (await isDeleted(deps.storage, id)) {
		// Another attempt was faster, and its picture is already deleted. A deletion that begins now finds the manifest.
		await purgePicture(deps.storage, id);
		throw pictureDeleted(id);
	}
	await handOver(deps, picture, 'upload', log);
	if (batch !== undefined) {
		// The picture is accepted. If closing the batch fails here, the sweep closes it.
		await closeIfExpected({ ...deps, log }, batch).catch((err) =>
			log.warn({ err, batchId: batch }, 'batch not closed'),
		);
	}
	return picture;
}

/** Changes when a picture is processed again. */
export interface Again {
	/** A different recipe, or a newer definition of the same one. */
	readonly recipe?: NamedRecipe | undefined;
	/** Make every variant again, including the stored ones. */
	readonly force?: boolean | undefined;
	/** Priority of the job. The picture keeps its own. */
	readonly priority?: number | undefined;
}

/**
 * Queues a picture again, whether it has ended or still waits. Its current variants are served in the meantime.
 *
 * @throws PicpipeError `picture-busy` while a worker processes it, `queue-unavailable` without Redis (only Redis knows which pictures are
 * busy)
 */
export async function admitAgain(
	deps: Admission,
	picture: Picture,
	reason: ProcessReason,
	log: Logger,
	{ recipe, force, priority }: Again = {},
): Promise<Picture> {
	if (!(await deps.queues.forgetPicture(picture))) throw new PicpipeError('picture-busy');
	const { failure: _failure, failures: _failures, force: forced, ...rest } = picture;
	// A retry repeats the last request, and a picture that still waits has not had its last request served.
	const isForced = force || (forced && (reason === 'retry' || picture.state !== 'failed'));
	const again = revise(rest, {
		state: 'queued',
		...(recipe && { recipe: { name: recipe.name, digest: recipe.digest, definition: recipe.definition } }),
		...(isForced && { force: true }),
	});
	await markPending(deps.storage, again.id);
	await writeManifest(deps.storage, again);
	if (!(await deps.storage.stat(again.source.key))) {
		// Deleted since it was read: undo the manifest that was just written.
		await purgePicture(deps.storage, again.id);
		throw new PicpipeError('picture-not-found');
	}
	await handOver(deps, again, reason, log, priority);
	return again;
}

async function handOver(
	deps: Admission,
	picture: Picture,
	reason: ProcessReason,
	log: Logger,
	priority?: number,
): Promise<void> {
	try {
		await deps.catalog.put(picture);
		await deps.queues.enqueuePicture(picture, reason, priority);
	} catch (error) {
		log.warn({ err: error, pictureId: picture.id }, 'picture accepted but not queued; the sweep will queue it');
	}
}

/**
 * Queues a failed picture of a remote URL from the beginning. The fetched original may have caused the failure, so it is fetched again.
 *
 * @param picture as stored; no other caller may queue it at the same time
 * @param from the URL to fetch, and the allowed hosts
 * @throws PicpipeError `picture-busy`, `queue-unavailable`, `picture-not-found` when it was deleted meanwhile
 */
export async function fetchAgain(
	deps: Admission,
	picture: Picture,
	from: Pick<AwaitedSource, 'url' | 'hosts'>,
	log: Logger,
): Promise<Picture> {
	const { storage } = deps;
	// Forget the job that processed the fetched original; `admitAgain` forgets the job that fetched it.
	if (isReceived(picture) && !(await deps.queues.forgetPicture(picture))) throw new PicpipeError('picture-busy');
	const { filename } = picture.source;
	const key = originalKey(folderOf(picture.id), 'url');
	await storage.put(key, Buffer.from(`${from.url}\n`));
	// A deletion from here on sees this object, and the check below sees the deletion. An earlier deletion has already removed the manifest.
	if (!(await readManifest(storage, picture.id))) {
		await storage.delete(key);
		throw new PicpipeError('picture-not-found');
	}
	const kept = unknownPart({ shape: { ...sourceSchema.shape, ...awaitedSchema.shape } }, picture.source);
	const source = { ...kept, key, ...from, ...(filename !== undefined && { filename }) };
	const awaited: AwaitedPicture = { ...picture, source };
	return admitAgain(deps, awaited, 'retry', log);
}
