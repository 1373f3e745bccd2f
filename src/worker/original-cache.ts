import { LRUCache } from 'lru-cache';

/** Of all that are kept by one imaging process, bytes; a larger one is read each time. */
const maximumBytes = 32 * 1024 * 1024;
/** Sizes of one picture are asked for together, when a page with it is shown first; a deleted picture shall not stay for long, milliseconds. */
const keptFor = 30_000;

/** Originals by their SHA-256, read a moment ago and found to be what it says. */
export function openOriginalCache(): LRUCache<string, Buffer> {
	return new LRUCache<string, Buffer>({
		maxSize: maximumBytes,
		sizeCalculation: ({ length }) => length,
		ttl: keptFor,
		// Otherwise what nobody asks for again would stay.
		ttlAutopurge: true,
	});
}
