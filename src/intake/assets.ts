import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { readManifest } from '../catalog/manifest.ts';
import { isPictureId, isReceived } from '../domain/picture.ts';
import type { Recipe } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { assetsOf } from '../pipeline/recipe/variant-digest.ts';
import type { Storage } from '../storage/storage.ts';

/** Where to read an asset of a recipe, and the digest that its bytes must have. */
export type AssetPlace = ({ readonly key: string } | { readonly path: string }) & {
	readonly bytes: number;
	readonly sha256: string;
};

/** Places by the names that the steps use. */
export type AssetPlaces = ReadonlyMap<string, AssetPlace>;

/** Finds the assets of recipes in their current state: a replaced logo has a different digest. */
export interface AssetFinder {
	/** @throws PicpipeError `asset-missing`; `file-too-large` */
	find(recipe: Recipe): Promise<AssetPlaces>;
}

export interface AssetSources {
	/** Folder with the files that recipes can name. */
	readonly folder: string | undefined;
	/** Storage of the pictures that recipes can name by id; without it, they cannot name any. */
	readonly storage?: Storage;
	/** Largest file, bytes. */
	readonly maxBytes: number;
}

export function openAssets(sources: AssetSources): AssetFinder {
	const digestOf = rememberedDigests();
	const place = (name: string) =>
		isPictureId(name) ? placeOfPicture(name, sources.storage) : placeOfFile(name, sources, digestOf);
	return {
		async find(recipe) {
			const places = assetsOf(recipe).map(async (name) => [name, await place(name)] as const);
			return new Map(await Promise.all(places));
		},
	};
}

function missing(asset: string, detail: string): PicpipeError {
	return new PicpipeError('asset-missing', detail, { asset, step: 'find pictures that the recipe uses' });
}

/** The original of a stored picture, which never changes. */
async function placeOfPicture(id: string, storage: Storage | undefined): Promise<AssetPlace> {
	const picture = storage && (await readManifest(storage, id));
	if (!picture) throw missing(id, `The recipe uses the picture ${id}, and there is no such picture.`);
	if (!isReceived(picture)) throw missing(id, `The recipe uses the picture ${id}, which has not been fetched yet.`);
	const { key, bytes, sha256 } = picture.source;
	return { key, bytes, sha256 };
}

async function placeOfFile(
	name: string,
	{ folder, maxBytes }: AssetSources,
	digestOf: (path: string, stats: Stats) => Promise<string>,
): Promise<AssetPlace> {
	if (folder === undefined)
		throw missing(name, `The recipe uses the file ${name}, and PICPIPE_ASSETS names no folder for it.`);
	const path = join(folder, name);
	const stats = await stat(path).catch(() => undefined);
	if (!stats?.isFile())
		throw missing(name, `The recipe uses the file ${name}, and there is none in PICPIPE_ASSETS (${folder}).`);
	if (stats.size > maxBytes) {
		throw new PicpipeError(
			'file-too-large',
			`Expected at most ${maxBytes} bytes for ${name} but it has ${stats.size}.`,
		);
	}
	return { path, bytes: stats.size, sha256: await digestOf(path, stats) };
}

/** Caches the digests of files. A file is read again only when it has changed. */
function rememberedDigests() {
	const known = new Map<string, { readonly state: string; readonly sha256: string }>();
	return async (path: string, { ino, size, mtimeMs, ctimeMs }: Stats): Promise<string> => {
		const state = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
		const remembered = known.get(path);
		if (remembered?.state === state) return remembered.sha256;
		const hash = createHash('sha256');
		await pipeline(createReadStream(path), hash);
		const sha256 = hash.digest('hex');
		known.set(path, { state, sha256 });
		return sha256;
	};
}
