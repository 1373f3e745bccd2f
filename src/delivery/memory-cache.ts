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

/** A result, and the address as it was read, which need not be checked again. */
export interface Remembered<Address> {
	readonly address: Address;
	readonly result: Result;
}

/** What addresses gave a moment ago, so that what is asked for often costs no look at the storage. */
export interface ResultMemory<Address> {
	/** @param question the address and what of the request has decided */
	recall(question: string): Remembered<Address> | undefined;
	remember(question: string, pictureId: string, remembered: Remembered<Address>): void;
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
export function openResultMemory<Address>({
	megabytes,
	seconds,
}: {
	readonly megabytes: number;
	readonly seconds: number;
}): ResultMemory<Address> {
	if (megabytes === 0 || seconds === 0) return { recall: () => undefined, remember() {}, forget() {} };
	const kept = new LRUCache<string, { readonly pictureId: string; readonly remembered: Remembered<Address> }>({
		maxSize: megabytes * 1e6,
		sizeCalculation: ({ remembered: { result } }) => (result.data?.length ?? 0) + entryBytes,
		ttl: seconds * 1_000,
	});
	return {
		recall: (question) => kept.get(question)?.remembered,
		remember(question, pictureId, remembered) {
			kept.set(question, { pictureId, remembered });
		},
		forget(pictureId) {
			for (const [question, entry] of kept.entries()) if (entry.pictureId === pictureId) kept.delete(question);
		},
	};
}
