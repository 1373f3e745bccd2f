import { firstPictureIdAt } from '../domain/picture.ts';
import { manifestKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import type { Catalog } from './catalog.ts';
import { folderOf } from './manifest.ts';
import { daysOf, endOf, indexStretch, readStretch, removeGone, stretchesOf } from './walk.ts';

/** How far a rebuild has come. */
export interface RebuildProgress {
	/** Manifests found and indexed. */
	readonly pictures: number;
	/** Index entries without a manifest. */
	readonly removed: number;
	readonly unreadable: number;
	/** Days that have pictures, and how many of them are done. */
	readonly days: number;
	readonly daysDone: number;
	/** The last day that is done, such as `2026/01/31`; empty before the first. A rebuild that was interrupted continues after it. */
	readonly day: string;
}

export interface ReindexResult extends Pick<RebuildProgress, 'pictures' | 'removed'> {
	/** Keys of the unreadable manifests that this process met. Their pictures are left unchanged. */
	readonly unreadable: readonly string[];
}

export interface ReindexOptions {
	/** Where an earlier rebuild was interrupted. */
	readonly from?: RebuildProgress | undefined;
	/** Called after each stretch. The rebuild goes on when it returns, and ends with its error. */
	onProgress?(progress: RebuildProgress): Promise<void> | void;
}

/** Manifests between two reports of progress: read together, and written to Redis in one pipeline. */
const stretchLength = 256;

/**
 * Rebuilds the index from the manifests, each of which is read once. While one stretch is written to Redis, the next one is read. Memory
 * and the length of each step do not depend on the number of pictures.
 */
export async function reindex(
	storage: Storage,
	catalog: Catalog,
	{ from, onProgress }: ReindexOptions = {},
): Promise<ReindexResult> {
	const unreadable: string[] = [];
	const days = await daysOf(storage, from?.day);
	const todo = from?.day ? days.filter((day) => day > from.day) : days;
	let progress: RebuildProgress = {
		pictures: 0,
		removed: 0,
		unreadable: 0,
		daysDone: 0,
		day: '',
		...from,
		days: todo.length + (from?.daysDone ?? 0),
	};
	let after = progress.day ? endOf(progress.day) : firstPictureIdAt(0);
	let writing = Promise.resolve();
	try {
		for (const day of todo) {
			for await (const stretch of stretchesOf(storage, day, after, () => stretchLength)) {
				const read = await readStretch(storage, stretch);
				await writing;
				unreadable.push(...read.unreadable.map((id) => manifestKey(folderOf(id))));
				writing = indexStretch(storage, catalog, read).then(async (removed) => {
					progress = {
						...progress,
						pictures: progress.pictures + read.pictures.length,
						removed: progress.removed + removed,
						unreadable: progress.unreadable + read.unreadable.length,
						...(stretch.endsDay && { daysDone: progress.daysDone + 1, day }),
					};
					await onProgress?.(progress);
				});
				// Awaited above, or after the loop. An error meanwhile must not count as unhandled.
				writing.catch(() => {});
			}
			after = endOf(day);
		}
	} finally {
		// The caller gives up its lease afterwards.
		await writing.catch(() => {});
	}
	await writing;
	const rest: string[] = [];
	for await (const id of catalog.idsBetween(after)) rest.push(id);
	const removed = progress.removed + (await removeGone(storage, catalog, rest));
	await catalog.markComplete();
	return { pictures: progress.pictures, removed, unreadable };
}
