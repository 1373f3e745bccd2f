import { LRUCache } from 'lru-cache';
import { PicpipeError, toPicpipeError } from '../errors.ts';
import { decodeAsset } from '../pipeline/decode/decode.ts';
import { type Inspected, inspect } from '../pipeline/inspect/inspect.ts';
import type { PictureLimits } from '../pipeline/inspect/limits.ts';
import type { KnownAsset } from '../pipeline/render/run.ts';
import type { AssetFile } from './protocol.ts';

/** The assets of recipes in an imaging process: read, inspected, and decoded once they are admitted. */
export interface AssetCache {
	/** An asset that cannot be used does not keep the others from being used. */
	open(files: ReadonlyMap<string, AssetFile>): Promise<OpenedAssets>;
}

interface OpenedAssets {
	/** Pixels that still have to be decoded, in millions. */
	readonly megapixels: number;
	decode(): Promise<DecodedAssets>;
}

interface DecodedAssets {
	readonly assets: ReadonlyMap<string, KnownAsset>;
	/** Those that cannot be used, and why; each error names the asset. */
	readonly failed: ReadonlyMap<string, PicpipeError>;
}

/** Decoded pixels to keep between pictures, bytes: a dozen logos of a megapixel. */
const defaultBytes = 64 * 1024 * 1024;

/** @param read returns the bytes of a file, verified against its digest */
export function openAssetCache(
	read: (file: AssetFile) => Promise<Buffer>,
	limits: PictureLimits,
	maximumBytes = defaultBytes,
): AssetCache {
	const kept = new LRUCache<string, KnownAsset>({
		maxSize: maximumBytes,
		sizeCalculation: ({ data }) => data.length,
	});
	const openOne = async (name: string, place: AssetFile) => {
		const { sha256 } = place;
		const known = kept.get(sha256);
		if (known) return { name, sha256, known };
		const file = await blaming(name, () => read(place));
		return { name, sha256, file, picture: await blaming(name, () => inspect(file, limits)) };
	};
	return {
		async open(files) {
			const failed = new Map<string, PicpipeError>();
			const noted = (name: string) => (error: PicpipeError) => void failed.set(name, error);
			const all = await Promise.all([...files].map(([name, place]) => openOne(name, place).catch(noted(name))));
			const opened = all.flatMap((one) => one ?? []);
			return {
				megapixels: opened.reduce((sum, { picture }) => sum + (picture?.megapixels ?? 0), 0),
				async decode() {
					const assets = new Map<string, KnownAsset>();
					for (const { name, sha256, known, file, picture } of opened) {
						const decode = () => blaming(name, () => decodeAsset(file as Buffer, picture as Inspected));
						const decoded = known ?? (await decode().catch(noted(name)));
						if (!decoded) continue;
						const asset = { ...decoded, sha256 };
						kept.set(sha256, asset);
						assets.set(name, asset);
					}
					return { assets, failed };
				},
			};
		},
	};
}

/** Names the asset in the error, so that users do not blame their photograph for a damaged logo. */
async function blaming<T>(name: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (thrown) {
		const error = toPicpipeError(thrown);
		throw new PicpipeError(error.code, `${name}, which the recipe uses: ${error.message}`, {
			cause: error.cause,
			step: `open ${name}`,
		});
	}
}
