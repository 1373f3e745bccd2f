import { LRUCache } from 'lru-cache';
import type { Inspected } from '../pipeline/inspect/inspect.ts';
import type { Pixels } from '../pipeline/pixels/pixels.ts';

/** A picture that was processed recently. */
export interface CachedSource {
	/** The original, verified against its SHA-256. */
	readonly file: Buffer;
	/** The inspected header. */
	readonly picture: Inspected;
	/** Further sizes are made from it. */
	readonly intermediate?: Pixels | undefined;
}

/**
 * Time in the cache, milliseconds. When a page is first shown, its sizes of a picture are requested together. Deleted pictures must not
 * stay for long.
 */
export const cachedFor = 30_000;

/**
 * Opens a cache of originals and their intermediates, by SHA-256.
 *
 * @param megabytes size of the cache; a larger picture is read and decoded each time
 * @returns undefined for a size of 0
 */
export function openSourceCache(megabytes: number): LRUCache<string, CachedSource> | undefined {
	if (megabytes === 0) return undefined;
	return new LRUCache<string, CachedSource>({
		maxSize: megabytes * 1e6,
		sizeCalculation: ({ file, intermediate }) => file.length + (intermediate?.data.length ?? 0),
		ttl: cachedFor,
		// Otherwise pictures that are not requested again would stay.
		ttlAutopurge: true,
	});
}
