import { LRUCache } from 'lru-cache';

/** A stored image, ready to be sent. */
export interface ImageResult {
	readonly key: string;
	/** Media type. */
	readonly type: string;
	/** Strong: the bytes behind it never change. */
	readonly etag: string;
	readonly modifiedAt: Date;
	readonly bytes: number;
	/** The bytes, where they fit into memory. */
	readonly data?: Buffer;
	/** The `Accept` field of the request has decided the format. */
	readonly isNegotiated?: boolean;
	/** A stand-in for a better image that is being made: caches should ask again soon. */
	readonly isStandIn?: boolean;
}

/** A result, and its URL as it was read, which need not be checked again. */
interface CachedResult<Url> {
	readonly url: Url;
	readonly result: ImageResult;
}

/** Results of recent requests, so that frequent requests need no look at the storage. */
export interface MemoryCache<Url> {
	/** @param key the URL, and what else of the request decides the result */
	get(key: string): CachedResult<Url> | undefined;
	set(key: string, pictureId: string, cached: CachedResult<Url>): void;
	/** Removes all results of a picture that was deleted here. */
	forget(pictureId: string): void;
}

/** Largest result in memory, bytes; larger ones are streamed from storage each time. */
export const maximumCached = 1_000_000;
/** Size of an entry beside its image, roughly, bytes. */
const entryBytes = 1_000;

/**
 * @param options.megabytes limit of all results together
 * @param options.seconds how long a result is served without looking at the storage again
 */
export function openMemoryCache<Url>({
	megabytes,
	seconds,
}: {
	readonly megabytes: number;
	readonly seconds: number;
}): MemoryCache<Url> {
	if (megabytes === 0 || seconds === 0) return { get: () => undefined, set() {}, forget() {} };
	const entries = new LRUCache<string, { readonly pictureId: string; readonly cached: CachedResult<Url> }>({
		maxSize: megabytes * 1e6,
		sizeCalculation: ({ cached: { result } }) => (result.data?.length ?? 0) + entryBytes,
		ttl: seconds * 1_000,
	});
	return {
		get: (key) => entries.get(key)?.cached,
		set(key, pictureId, cached) {
			entries.set(key, { pictureId, cached });
		},
		forget(pictureId) {
			for (const [key, entry] of entries.entries()) if (entry.pictureId === pictureId) entries.delete(key);
		},
	};
}
