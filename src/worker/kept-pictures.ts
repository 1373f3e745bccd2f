import { LRUCache } from 'lru-cache';
import type { Inspected } from '../pipeline/inspect.ts';
import type { Pixels } from '../pipeline/pixels.ts';

/** What is known of a picture that was worked on a moment ago. */
export interface KeptPicture {
	/** The original, found to be what its SHA-256 says. */
	readonly file: Buffer;
	/** What its header says. */
	readonly picture: Inspected;
	/** Other sizes are made of it. */
	readonly copy?: Pixels | undefined;
}

/** Of all that are kept by one imaging process, bytes; a larger one is read and decoded each time. */
const maximumBytes = 64 * 1024 * 1024;
/** Sizes of one picture are asked for together, when a page with it is shown first; a deleted picture shall not stay for long, milliseconds. */
export const keptFor = 30_000;

/** Pictures by their SHA-256. */
export function openKeptPictures(): LRUCache<string, KeptPicture> {
	return new LRUCache<string, KeptPicture>({
		maxSize: maximumBytes,
		sizeCalculation: ({ file, copy }) => file.length + (copy?.data.length ?? 0),
		ttl: keptFor,
		// Otherwise what nobody asks for again would stay.
		ttlAutopurge: true,
	});
}
