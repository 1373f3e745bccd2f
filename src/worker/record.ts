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
	/** Tells of what was recorded; nobody is told when it is absent. */
	readonly publisher?: Publisher | undefined;
	/** Told of pictures that are gone; their renders are counted until they are trimmed when it is absent. */
	readonly renderUse?: RenderUse | undefined;
	readonly log?: Logger | undefined;
}

/** What became of an attempt to record an end. */
export type Recorded = 'recorded' | 'deleted' | 'superseded';

/**
 * Writes how the work on a picture ended: manifest, then index, then the marker goes. Killed at any point it can be done again.
 *
 * @param worked the picture as it was when the work began; a newer revision in storage means others went on meanwhile
 */
export async function record(deps: Records, worked: Picture, end: Partial<Picture>): Promise<Recorded> {
	const { failure: _failure, failures: _failures, force, ...rest } = worked;
	// What was asked for and failed is still asked for when it is tried again.
	const ended = revise(rest, { ...(force && end.state !== 'ready' && { force }), ...end });
	const outcome = await replaceManifest(deps, worked, ended);
	// Announced whatever the marker says: doing the same at the same time, another one may have recorded another end.
	if (outcome === 'recorded') await settle(deps, ended, { isNew: true });
	return outcome;
}

/** Records that nothing more is tried. @param found what is known of the picture all the same, such as its facts */
export async function recordFailure(
	deps: Records,
	picture: Picture,
	error: PicpipeError,
	attempt: number,
	found: Partial<Picture> = {},
): Promise<void> {
	await record(deps, picture, { ...found, state: 'failed', failure: failureOf(error, attempt) });
}

/**
 * Keeps what an attempt has made before it failed, so that the next one makes only what is missing. Variants that it will replace are served until then.
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

/** Why a variant is missing, as the manifest keeps it. */
export function failedVariant({ variant, format, error }: VariantFailure, attempt: number): FailedVariant {
	return { variant, ...(format !== undefined && { format }), ...failureOf(error, attempt) };
}

/** The failure as the manifest keeps it. */
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
 * Writes that the original of a picture is there now, under the same rules against deletion; the picture goes on as one that was uploaded.
 *
 * @returns the picture as it is now, or what became of it
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

/** A failed picture whose job runs once more (Arena's retry button) is open again, durably; any other is left as it is. */
export async function reopen<T extends Picture>(deps: Records, picture: T): Promise<T> {
	if (picture.state !== 'failed') return picture;
	const { failure: _failure, failures: _failures, ...rest } = picture;
	const again = revise(rest as Picture, { state: 'queued' });
	await markPending(deps.storage, again.id);
	await writeManifest(deps.storage, again);
	return again as T;
}

/**
 * Writes the next revision of a manifest unless others went on meanwhile.
 *
 * Against a deletion at the same moment: `purgePicture` takes the manifest first and the original next. If the manifest is gone
 * before we write, or the original after, everything of the picture is purged again. The marker tells nothing here: the same work
 * may have been done twice at the same time (after a loss of Redis), and the other one takes the marker away when it has finished.
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
 * Brings index, marker and folder in line with a finished manifest, and tells whoever wants to know. While the marker is there nobody can
 * say that they were told, so they are told, perhaps once more; it goes last.
 *
 * @param options.isNew told whether the marker is there or not
 */
export async function settle(deps: Records, picture: Picture, { isNew = false } = {}): Promise<void> {
	await removeStrays(deps.storage, picture);
	await deps.catalog.put(picture);
	const isUntold = isNew || (await deps.storage.stat(pendingKey(picture.id))) !== undefined;
	if (isUntold) await deps.publisher?.publish(pictureEvent(picture));
	await unmarkPending(deps.storage, picture.id);
	if (isUntold && picture.batch !== undefined) await endBatch(deps, picture.batch);
}

/** Looks whether it was the last of its batch, if the index has no other under way. What is missed here the sweep sees. */
async function endBatch(deps: Records, id: string): Promise<void> {
	try {
		const { queued, processing } = await deps.catalog.countBatch(id);
		if (queued + processing === 0) await finishBatch(deps, id);
	} catch (err) {
		deps.log?.warn({ err, batchId: id }, 'batch not checked; the sweep checks it');
	}
}

/** Deletes whatever there is of a picture that was deleted. */
export async function forget(deps: Records, id: string): Promise<'deleted'> {
	await purgePicture(deps.storage, id);
	await deps.catalog.remove(id);
	await deps.renderUse?.forget(id);
	return 'deleted';
}

/** Deletes what no manifest names: variants of an earlier recipe, leftovers of attempts that were killed. */
async function removeStrays(storage: Storage, picture: Picture): Promise<void> {
	const folder = folderOf(picture.id);
	// Whatever the manifest names, also in fields of a newer version that this one cannot read.
	const manifest = JSON.stringify(picture);
	const isNamed = (key: string) => key === manifestKey(folder) || manifest.includes(JSON.stringify(key));
	for await (const key of storage.list(folder, { temporary: true })) {
		// What was made on demand stays true as long as the original is there.
		if (!isNamed(key) && !isRenderKey(key)) await storage.delete(key);
	}
}
