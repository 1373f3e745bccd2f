import { createHash } from 'node:crypto';
import { phashPattern } from '../../domain/analysis.ts';
import { idLength, type ListPages } from './pages.ts';

/**
 * Near-duplicates by the Hamming distance of their perceptual hashes, without looking at every picture: multi-index hashing (Norouzi,
 * Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", 2012). A hash is cut into four bands of 16 bits, and each
 * band has a range of a list for each value. Two hashes that differ in at most r bits have a band in which they differ in at most r / 4 bits,
 * so it suffices to read the buckets near the bands of the given hash.
 */

const bands = 4;
const bandBits = 16;

/** Largest allowed distance in bits. Up to here a band differs in at most two bits, so at most 548 buckets are read. */
export const maximumDistance = 11;

/** Entries to read from one bucket. Redis returns small buckets whole, and about this many entries of large ones. */
const maximumPerBucket = 1_000;
/** Entries to read for one query in total. */
const maximumCandidates = 20_000;
/** Buckets to read in one round trip. */
const batch = 128;

export interface SimilarQuery {
	readonly phash: string;
	/** Largest number of differing bits, at most `maximumDistance`. */
	readonly distance: number;
	readonly limit: number;
	/** Only pictures of this owner. */
	readonly owner?: string | undefined;
	/** The id of the picture itself, to be left out. */
	readonly except?: string | undefined;
}

interface Similar {
	readonly id: string;
	readonly distance: number;
}

export interface SimilarIds {
	/** The nearest first; equally near pictures newest first. */
	readonly found: readonly Similar[];
	/** False if there were too many similar pictures to compare all of them. */
	readonly isComplete: boolean;
}

export async function findSimilar(pages: Pick<ListPages, 'ranges'>, query: SimilarQuery): Promise<SimilarIds> {
	const found = new Map<string, number>();
	const nearest = () =>
		[...found]
			.map(([id, distance]) => ({ id, distance }))
			.sort((a, b) => a.distance - b.distance || (a.id < b.id ? 1 : -1))
			.slice(0, query.limit);
	let candidates = 0;
	let isComplete = true;

	for (const { buckets, certain } of rings(query)) {
		for (let start = 0; start < buckets.length; start += batch) {
			if (candidates >= maximumCandidates) return { found: nearest(), isComplete: false };
			for (const bucket of await readBuckets(pages, buckets.slice(start, start + batch), query.owner)) {
				isComplete &&= bucket.isWhole;
				candidates += bucket.entries.length;
				for (const [id, phash] of bucket.entries) {
					const distance = hammingDistance(phash, query.phash);
					if (distance <= query.distance && id !== query.except) found.set(id, distance);
				}
			}
		}
		// All pictures in the remaining rings are farther away than these.
		const last = nearest()[query.limit - 1];
		if (last && last.distance <= certain) break;
	}
	return { found: nearest(), isComplete };
}

/** Number of differing bits of two hashes. */
export function hammingDistance(one: string, other: string): number {
	let bits = 0;
	for (const start of [0, 8]) {
		const part = (hash: string) => Number.parseInt(hash.slice(start, start + 8), 16);
		for (let differing = (part(one) ^ part(other)) >>> 0; differing !== 0; differing &= differing - 1) bits++;
	}
	return bits;
}

/** Pictures with this value of this band. */
type BucketName = readonly [band: number, value: string];

interface Ring {
	readonly buckets: readonly BucketName[];
	/** Once these buckets are read, all pictures up to this distance have been found. */
	readonly certain: number;
}

/** Buckets by their distance from the hash's own buckets: no, one, two bits. */
function rings({ phash, distance }: SimilarQuery): Ring[] {
	if (!phashPattern.test(phash)) throw new TypeError(`Expected a perceptual hash but received ${phash}.`);
	const values = Array.from({ length: bands }, (_, band) => Number.parseInt(phash.slice(band * 4, band * 4 + 4), 16));
	return Array.from({ length: Math.floor(distance / bands) + 1 }, (_, bits) => ({
		buckets: values
			// With r = 4a + b, either one of the first b + 1 bands differs in at most a bits, or one of the others in at most a - 1.
			.flatMap((value, band) =>
				bits * bands + band <= distance ? neighbours(value, bits).map((near) => [band, near] as const) : [],
			)
			.map(([band, near]) => [band, near.toString(16).padStart(4, '0')] as const),
		certain: Math.min(distance, bits * bands + bands - 1),
	}));
}

/** All 16-bit values that differ from this one in exactly `bits` bits. */
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

/** The members of the list are `<band><value><digest of the owner><other values><id>`, as `memberships.ts` makes them. */
async function readBuckets(
	pages: Pick<ListPages, 'ranges'>,
	buckets: readonly BucketName[],
	owner: string | undefined,
): Promise<Bucket[]> {
	const ofOwner = owner === undefined ? '' : createHash('sha1').update(owner).digest('hex').slice(0, 6);
	const bounds = buckets.map(([band, value]) => {
		const start = `${band}${value}${ofOwner}`;
		return [`[${start}`, `(${start}~`] as const;
	});
	const found = await pages.ranges('phash', bounds, maximumPerBucket + 1);
	return found.map((members) => ({
		entries: members.slice(0, maximumPerBucket).map((member) => {
			const from = Number(member[0]) * 4;
			const rest = member.slice(11, -idLength);
			return [member.slice(-idLength), rest.slice(0, from) + member.slice(1, 5) + rest.slice(from)] as const;
		}),
		isWhole: members.length <= maximumPerBucket,
	}));
}
