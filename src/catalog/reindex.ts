import { type Picture, parsePicture } from '../domain/picture.ts';
import { manifestId, picturesFolder } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import type { Catalog } from './catalog.ts';
import { readManifest } from './manifest.ts';

export interface ReindexResult {
	/** Manifests found and indexed. */
	readonly pictures: number;
	/** Index entries without a manifest. */
	readonly removed: number;
	/** Keys of unreadable manifests. Their pictures are left unchanged. */
	readonly unreadable: readonly string[];
}

/**
 * Rebuilds the index from the manifests. Safe while pictures are uploaded and processed: an entry is replaced only by a newer revision, and
 * the manifest of an entry is looked up once more before the entry is removed.
 */
export async function reindex(
	storage: Storage,
	catalog: Catalog,
	onProgress: (pictures: number) => void = () => {},
): Promise<ReindexResult> {
	let pictures = 0;
	const unreadable: string[] = [];
	for await (const key of storage.list(picturesFolder)) {
		if (manifestId(key) === undefined) continue;
		const bytes = await readObject(storage, key);
		if (!bytes) continue;
		let picture: Picture;
		try {
			picture = parsePicture(bytes.toString());
		} catch {
			unreadable.push(key);
			continue;
		}
		await catalog.put(picture);
		onProgress(++pictures);
	}
	let removed = 0;
	for await (const id of catalog.ids()) {
		if (unreadable.some((key) => manifestId(key) === id) || (await readManifest(storage, id))) continue;
		await catalog.remove(id);
		removed++;
	}
	await catalog.markComplete();
	return { pictures, removed, unreadable };
}
