import type { Redis } from 'ioredis';
import { phashPattern } from '../domain/analysis.ts';
import { askRedis } from '../queue/redis.ts';

/**
 * Near-duplicates by the Hamming distance of their perceptual hashes, without looking at every picture: multi-index hashing (Norouzi,
 * Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", 2012). A hash is cut into four bands of 16 bits, and each
 * band has a bucket for each value. Two hashes that differ in at most r bits have a band in which they differ in at most r / 4 bits,
 * so it is enough to look into the buckets near the bands of the hash asked for.
 */

const bands = 4;
const bandBits = 16;

/** Largest distance that can be asked for, bits: up to here a band differs in two bits, and at most 548 buckets are looked into. */
export const maximumDistance = 11;

/** Entries read of one bucket. Redis gives small ones whole, and of a large one about as many as asked for. */
const maximumPerBucket = 1_000;
/** Entries read for one question, all in all. */
const maximumCandidates = 20_000;
/** Buckets asked for in one round trip. */
const batch = 128;

export interface SimilarQuery {
	readonly phash: string;
	/** Bits that may differ, at most `maximumDistance`. */
	readonly distance: number;
	readonly limit: number;
	/** The id of the picture itself. */
	readonly except?: string | undefined;
}

interface Similar {
	readonly id: string;
	readonly distance: number;
}

export interface SimilarIds {
	/** The nearest first, of equally near ones the newest. */
	readonly found: readonly Similar[];
	/** False when so many pictures look alike that not all of them were looked at. */
	readonly isComplete: boolean;
}

/** @param bucketKey the key of a band's bucket; a hash of ids and their perceptual hashes */
export async function findSimilar(
	redis: Redis,
	bucketKey: (band: number, value: string) => string,
	query: SimilarQuery,
): Promise<SimilarIds> {
	const found = new Map<string, number>();
	const nearest = () =>
		[...found]
			.map(([id, distance]) => ({ id, distance }))
			.sort((a, b) => a.distance - b.distance || (a.id < b.id ? 1 : -1))
			.slice(0, query.limit);
	let candidates = 0;
	let isComplete = true;

	for (const { keys, certain } of rings(query, bucketKey)) {
		for (let start = 0; start < keys.length; start += batch) {
			if (candidates >= maximumCandidates) return { found: nearest(), isComplete: false };
			for (const bucket of await readBuckets(redis, keys.slice(start, start + batch))) {
				isComplete &&= bucket.isWhole;
				candidates += bucket.entries.length;
				for (const [id, phash] of bucket.entries) {
					const distance = hammingDistance(phash, query.phash);
					if (distance <= query.distance && id !== query.except) found.set(id, distance);
				}
			}
		}
		// Whatever is still to come is farther away than these.
		const last = nearest()[query.limit - 1];
		if (last && last.distance <= certain) break;
	}
	return { found: nearest(), isComplete };
}

/** Bits in which two hashes differ. */
export function hammingDistance(one: string, other: string): number {
	let bits = 0;
	for (const start of [0, 8]) {
		const part = (hash: string) => Number.parseInt(hash.slice(start, start + 8), 16);
		for (let differing = (part(one) ^ part(other)) >>> 0; differing !== 0; differing &= differing - 1) bits++;
	}
	return bits;
}

interface Ring {
	readonly keys: readonly string[];
	/** When these buckets were looked into, all pictures up to this distance are found. */
	readonly certain: number;
}

/** Buckets by how far they are from the hash's own: none, one, two bits. */
function rings({ phash, distance }: SimilarQuery, bucketKey: (band: number, value: string) => string): Ring[] {
	if (!phashPattern.test(phash)) throw new TypeError(`Expected a perceptual hash but received ${phash}.`);
	const values = Array.from({ length: bands }, (_, band) => Number.parseInt(phash.slice(band * 4, band * 4 + 4), 16));
	return Array.from({ length: Math.floor(distance / bands) + 1 }, (_, bits) => ({
		keys: values
			// With r = 4a + b, one of the first b + 1 bands differs in at most a bits, or else one of the others in at most a - 1.
			.flatMap((value, band) =>
				bits * bands + band <= distance ? neighbours(value, bits).map((near) => [band, near] as const) : [],
			)
			.map(([band, near]) => bucketKey(band, near.toString(16).padStart(4, '0'))),
		certain: Math.min(distance, bits * bands + bands - 1),
	}));
}

/** Values of 16 bits that differ from this one in exactly so many bits. */
function neighbours(value: number, bits: number, from = 0): number[] {
	if (bits === 0) return [value];
	const found: number[] = [];
	for (let bit = from; bit < bandBits; bit++) found.push(...neighbours(value ^ (1 << bit), bits - 1, bit + 1));
	return found;
}

interface Bucket {
	/** Ids and hashes. */
	readonly entries: readonly (readonly [id: string, phash: string])[];
	readonly isWhole: boolean;
}

async function readBuckets(redis: Redis, keys: readonly string[]): Promise<Bucket[]> {
	const answers = await askRedis(redis, async () => {
		const pipeline = redis.pipeline();
		for (const key of keys) pipeline.hscan(key, 0, 'COUNT', maximumPerBucket);
		const results = (await pipeline.exec()) ?? [];
		return results.map(([error, answer]) => {
			if (error) throw error;
			return answer as [cursor: string, flat: string[]];
		});
	});
	return answers.map(([cursor, flat]) => ({
		entries: flat.flatMap((id, at) => (at % 2 === 0 ? [[id, flat[at + 1] ?? ''] as const] : [])),
		isWhole: cursor === '0',
	}));
}
