import { LRUCache } from 'lru-cache';

/** A stored result, ready to go out. */
export interface Result {
	readonly key: string;
	/** Media type. */
	readonly type: string;
	/** Strong: the bytes behind it never change. */
	readonly etag: string;
	readonly modifiedAt: Date;
	readonly bytes: number;
	/** Kept where it is small and asked for often. */
	readonly data?: Buffer;
	/** What the one who asks can show has decided what it is. */
	readonly isNegotiated?: boolean;
	/** It stands in for a better one that is being made: caches should ask again soon. */
	readonly isStandIn?: boolean;
}

/** What addresses gave a moment ago, so that what is asked for often costs no look at the storage. */
export interface ResultMemory {
	/** @param question the address and what of the request has decided */
	recall(question: string): Result | undefined;
	remember(question: string, pictureId: string, result: Result): void;
	/** Forgets a picture that was deleted here. */
	forget(pictureId: string): void;
}

/** Larger results are streamed from storage each time, bytes. */
export const maximumKept = 1_000_000;
/** What an entry takes beside its bytes, roughly. */
const entryBytes = 1_000;

/**
 * @param options.megabytes bound of all that is kept
 * @param options.seconds how long an answer is given without looking again
 */
export function openResultMemory({
	megabytes,
	seconds,
}: {
	readonly megabytes: number;
	readonly seconds: number;
}): ResultMemory {
	if (megabytes === 0 || seconds === 0) return { recall: () => undefined, remember() {}, forget() {} };
	const kept = new LRUCache<string, { readonly pictureId: string; readonly result: Result }>({
		maxSize: megabytes * 1e6,
		sizeCalculation: ({ result }) => (result.data?.length ?? 0) + entryBytes,
		ttl: seconds * 1_000,
	});
	return {
		recall: (question) => kept.get(question)?.result,
		remember(question, pictureId, result) {
			kept.set(question, { pictureId, result });
		},
		forget(pictureId) {
			for (const [question, entry] of kept.entries()) if (entry.pictureId === pictureId) kept.delete(question);
		},
	};
}
