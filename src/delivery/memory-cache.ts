import { LRUCache } from 'lru-cache';

/** A stored image, ready to be sent. */
export interface ImageResult {
	readonly key: string;
	/** Media type. */
	readonly type: string;
	/** A strong ETag: the bytes behind it never change. */
	readonly etag: string;
	readonly modifiedAt: Date;
	readonly bytes: number;
	/** The bytes, if they are small enough for memory. */
	readonly data?: Buffer;
	/** The `Accept` field of the request decided the format. */
	readonly isNegotiated?: boolean;
	/** A stand-in for a better image that is being made. Caches should revalidate soon. */
	readonly isStandIn?: boolean;
}

/** A result with its parsed URL, which needs no further checks. */
export interface CachedResult<Url> {
	readonly url: Url;
	readonly result: ImageResult;
}

/** Results of recent requests, so that frequent requests need no storage access. */
export interface MemoryCache<Url> {
	/** @param key the URL, and everything else in the request that affects the result */
	get(key: string): CachedResult<Url> | undefined;
	set(key: string, pictureId: string, cached: CachedResult<Url>): void;
	/** Removes all results of a deleted picture, and takes no new ones of it: a request in progress may still have read its files. */
	forget(pictureId: string): void;
}

/** Largest result in memory, bytes. Larger ones are streamed from storage each time. */
export const maximumCached = 1_000_000;
/** Approximate size of an entry besides its image, bytes. */
const entryBytes = 1_000;
/** Deleted pictures to remember. */
const mostForgotten = 10_000;

/**
 * @param options.megabytes limit of all results together
 * @param options.seconds how long a result is served without checking the storage again
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
	const forgotten = new LRUCache<string, true>({ max: mostForgotten, ttl: seconds * 1_000 });
	return {
		get: (key) => entries.get(key)?.cached,
		set(key, pictureId, cached) {
			if (!forgotten.has(pictureId)) entries.set(key, { pictureId, cached });
		},
		forget(pictureId) {
			forgotten.set(pictureId, true);
			for (const [key, entry] of entries.entries()) if (entry.pictureId === pictureId) entries.delete(key);
		},
	};
}
