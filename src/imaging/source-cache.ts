import { LRUCache } from 'lru-cache';
import type { Inspected } from '../pipeline/inspect/inspect.ts';
import type { Pixels } from '../pipeline/pixels/pixels.ts';

/** What is known of a picture that was worked on a moment ago. */
export interface KeptPicture {
	/** The original, found to be what its SHA-256 says. */
	readonly file: Buffer;
	/** What its header says. */
	readonly picture: Inspected;
	/** Other sizes are made of it. */
	readonly copy?: Pixels | undefined;
}

/** Sizes of one picture are asked for together, when a page with it is shown first; a deleted picture shall not stay for long, milliseconds. */
export const keptFor = 30_000;

/** @param megabytes room for all of them; one that is larger is read and decoded each time. @returns pictures by their SHA-256; undefined when there is no room */
export function openKeptPictures(megabytes: number): LRUCache<string, KeptPicture> | undefined {
	if (megabytes === 0) return undefined;
	return new LRUCache<string, KeptPicture>({
		maxSize: megabytes * 1e6,
		sizeCalculation: ({ file, copy }) => file.length + (copy?.data.length ?? 0),
		ttl: keptFor,
		// Otherwise what nobody asks for again would stay.
		ttlAutopurge: true,
	});
}
