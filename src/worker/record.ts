import type { Catalog } from '../catalog/catalog.ts';
import { finishBatch } from '../catalog/finish-batch.ts';
import {
	folderOf,
	markPending,
	purgePicture,
	readRevision,
	revise,
	unmarkPending,
	writeManifest,
} from '../catalog/manifest.ts';
import type { RenderUse } from '../catalog/render-use.ts';
import {
	type AwaitedPicture,
	awaitedSchema,
	type FailedVariant,
	type Failure,
	type Picture,
	type Source,
	type Variant,
} from '../domain/picture.ts';
import { unknownPart } from '../domain/stored.ts';
import { failureClassOf, type PicpipeError } from '../errors.ts';
import type { VariantFailure } from '../imaging/scheduler.ts';
import type { Logger } from '../observe/log.ts';
import { isRenderKey, manifestKey, pendingKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import { pictureEvent } from '../webhooks/event.ts';
import type { Publisher } from '../webhooks/publish.ts';

export interface Records {
	readonly storage: Storage;
	readonly catalog: Catalog;
	/** Publishes recorded events; none are published if absent. */
	readonly publisher?: Publisher | undefined;
	/** Forgets the renders of deleted pictures; if absent, they count until they are trimmed. */
	readonly renderUse?: RenderUse | undefined;
	readonly log?: Logger | undefined;
}

/** The outcome of recording an end. */
export type Recorded = 'recorded' | 'deleted' | 'superseded';

/**
 * Records how the work on a picture ended: manifest, then index, then the marker is deleted. After a crash at any point it can be repeated.
 *
 * @param worked the picture as it was when the work began; a newer revision in storage means that another process has changed it since
 */
export async function record(deps: Records, worked: Picture, end: Partial<Picture>): Promise<Recorded> {
	const { failure: _failure, failures: _failures, force, ...rest } = worked;
	// A forced run that failed is still forced when it is retried.
	const ended = revise(rest, { ...(force && end.state !== 'ready' && { force }), ...end });
	const outcome = await replaceManifest(deps, worked, ended);
	// Published whatever the marker says: another process that did the same work at the same time may have recorded another end.
	if (outcome === 'recorded') await settle(deps, ended, { isNew: true });
	return outcome;
}

/** Records a final failure. @param found known facts of the picture */
export async function recordFailure(
	deps: Records,
	picture: Picture,
	error: PicpipeError,
	attempt: number,
	found: Partial<Picture> = {},
): Promise<Recorded> {
	return record(deps, picture, { ...found, state: 'failed', failure: failureOf(error, attempt) });
}

/**
 * Stores the variants that an attempt made before it failed, so that the next attempt makes only the missing ones. Variants that will be
 * replaced are served until then.
 */
export async function keepMade(
	deps: Records,
	worked: Picture,
	found: Partial<Picture> & Pick<Picture, 'variants'>,
): Promise<void> {
	const isNews = found.variants.some(({ key }) => !worked.variants.some((one) => one.key === key));
	if (!isNews && worked.facts) return;
	const isReplaced = ({ name, format }: Variant) =>
		found.variants.some((one) => one.name === name && one.format === format);
	const variants = [...found.variants, ...worked.variants.filter((one) => !isReplaced(one))];
	const next = revise(worked, { ...found, variants });
	if ((await replaceManifest(deps, worked, next)) === 'recorded') await deps.catalog.put(next);
}

/** The reason for a missing variant, as stored in the manifest. */
export function failedVariant({ variant, format, error }: VariantFailure, attempt: number): FailedVariant {
	return { variant, ...(format !== undefined && { format }), ...failureOf(error, attempt) };
}

/** The failure, as stored in the manifest. */
export function failureOf(error: PicpipeError, attempt: number): Failure {
	return {
		class: failureClassOf(error.code),
		code: error.code,
		message: error.code === 'internal' ? error.title : error.message,
		...(error.step && { step: error.step }),
		attempt,
		at: new Date().toISOString(),
		...(error.seen && { seen: error.seen }),
	};
}

/**
 * Records that the original of a picture was fetched, with the same protection against deletion. From here on the picture is like an
 * uploaded one.
 *
 * @returns the current picture, or why it was not recorded
 */
export async function recordFetched(
	deps: Records,
	worked: AwaitedPicture,
	source: Source,
): Promise<Picture | Exclude<Recorded, 'recorded'>> {
	const fetched = revise(worked, {
		source: { ...unknownPart(awaitedSchema, worked.source), ...source, url: worked.source.url },
	});
	const outcome = await replaceManifest(deps, worked, fetched);
	if (outcome === 'superseded') await deps.storage.delete(source.key);
	return outcome === 'recorded' ? fetched : outcome;
}

/** Reopens a failed picture whose job runs once more (Arena's retry button), durably. Any other picture is returned unchanged. */
export async function reopen<T extends Picture>(deps: Records, picture: T): Promise<T> {
	if (picture.state !== 'failed') return picture;
	const { failure: _failure, failures: _failures, ...rest } = picture;
	const again = revise(rest as Picture, { state: 'queued' });
	await markPending(deps.storage, again.id);
	await writeManifest(deps.storage, again);
	return again as T;
}

/**
 * Writes the next revision of a manifest unless another process has changed it.
 *
 * Against a deletion at the same moment: `purgePicture` deletes the manifest first and the original next. If the manifest is gone before
 * this write, or the original after it, everything of the picture is purged again. The marker proves nothing here: after a loss of Redis
 * the same work may be done twice at the same time, and the other process deletes the marker when it has finished.
 */
async function replaceManifest(deps: Records, worked: Picture, next: Picture): Promise<Recorded> {
	const revision = await readRevision(deps.storage, worked.id);
	if (revision === undefined) return forget(deps, worked.id);
	if (revision !== worked.revision) return 'superseded';
	await writeManifest(deps.storage, next);
	if (!(await deps.storage.stat(next.source.key))) return forget(deps, worked.id);
	return 'recorded';
}

/**
 * Updates index, marker and folder after a picture has ended, and notifies subscribers. While the marker exists, nobody can tell whether
 * they were notified, so they are notified, possibly twice. The marker is deleted last.
 *
 * @param options.isNew notify whether or not the marker exists
 */
export async function settle(deps: Records, picture: Picture, { isNew = false } = {}): Promise<void> {
	await removeStrays(deps.storage, picture);
	await deps.catalog.put(picture);
	const isUntold = isNew || (await deps.storage.stat(pendingKey(picture.id))) !== undefined;
	if (isUntold) await deps.publisher?.publish(pictureEvent(picture));
	await unmarkPending(deps.storage, picture.id);
	if (isUntold && picture.batch !== undefined) await endBatch(deps, picture.batch);
}

/** Finishes the picture's batch if this was its last picture. The sweep finishes those that are missed here. */
async function endBatch(deps: Records, id: string): Promise<void> {
	try {
		await finishBatch(deps, id);
	} catch (err) {
		deps.log?.warn({ err, batchId: id }, 'batch not checked; the sweep checks it');
	}
}

/** Deletes every object of a deleted picture. */
export async function forget(deps: Records, id: string): Promise<'deleted'> {
	await purgePicture(deps.storage, id);
	await deps.catalog.remove(id);
	await deps.renderUse?.forget(id);
	return 'deleted';
}

/** Deletes objects that no manifest names: variants of an earlier recipe, leftovers of killed attempts. */
async function removeStrays(storage: Storage, picture: Picture): Promise<void> {
	const folder = folderOf(picture.id);
	// Every key in the manifest counts, even in fields of a newer version that this one does not know.
	const manifest = JSON.stringify(picture);
	const isNamed = (key: string) => key === manifestKey(folder) || manifest.includes(JSON.stringify(key));
	for await (const key of storage.list(folder, { temporary: true })) {
		// Renders stay valid as long as the original exists.
		if (!isNamed(key) && !isRenderKey(key)) await storage.delete(key);
	}
}
