import type { Redis } from 'ioredis';
import {
	NewerManifestError,
	type Picture,
	type PictureState,
	parsePicture,
	pictureStates,
	type Waiting,
} from '../domain/picture.ts';
import { type ErrorCode, errorTable, type FailureClass, failureClasses, failureClassOf } from '../errors.ts';
import { askRedis } from '../queue/redis.ts';
import { type CatalogScripts, type Claim, defineCatalogScripts } from './scripts.ts';
import { findSimilar, type SimilarQuery } from './similar.ts';

/**
 * The index in Redis: every picture's latest manifest by id, and sorted sets to list by. It can be lost at any time;
 * `picpipe reindex` makes it anew from the manifests.
 */
export interface Catalog {
	/** Puts a picture in its place, unless the index has a newer revision or the picture was deleted. */
	put(picture: Picture): Promise<void>;
	/** Shows that work has begun. Only the index knows this state: were it stored, a killed worker would leave it behind. */
	markProcessing(picture: Picture): Promise<void>;
	/** Shows that the work was left to other workers. Likewise known to the index alone, until the picture is put again. */
	markWaiting(picture: Picture, waiting: Waiting): Promise<void>;
	get(id: string): Promise<Picture | undefined>;
	/** Newest first. */
	list(query: ListQuery): Promise<ListPage>;
	/** Failed pictures by class and code, the largest group first. */
	failures(): Promise<FailureGroup[]>;
	/** How many pictures there are, by their states. */
	countStates(): Promise<StateCounts>;
	/** The same of a batch. */
	countBatch(id: string): Promise<StateCounts>;
	/** Takes a picture out and remembers for a day that it was deleted, so that a late write can't bring it back. */
	remove(id: string): Promise<void>;
	/** Pictures whose perceptual hash is near, the nearest first. */
	similar(query: SimilarQuery): Promise<SimilarPictures>;
	/**
	 * Claims bytes for an upload that is about to be admitted, unless they are in the index or claimed by another. The claim ends when
	 * the picture is put, when it is released, or by itself after a few minutes.
	 *
	 * @param recipeDigest only pictures that were made with this recipe count as being there
	 */
	claim(sha256: string, id: string, recipeDigest?: string): Promise<Claim>;
	/** Ends the claim of this upload. */
	release(sha256: string, id: string): Promise<void>;
	/** Ids in the index that are not among these, oldest first, for `reindex`. */
	ids(): AsyncIterable<string>;
	/**
	 * True when `reindex` has run since this Redis started. A Redis that was restarted may have lost its last second, or
	 * everything, and the index with it.
	 */
	isComplete(): Promise<boolean>;
	markComplete(): Promise<void>;
}

export interface ListQuery {
	readonly state?: PictureState | undefined;
	readonly tag?: string | undefined;
	readonly recipe?: string | undefined;
	/** Only pictures of this batch. */
	readonly batch?: string | undefined;
	/** Only failed pictures whose failure has this class, this code. */
	readonly class?: FailureClass | undefined;
	readonly code?: ErrorCode | undefined;
	/** Only pictures older than this id. */
	readonly before?: string | undefined;
	readonly limit: number;
}

export type StateCounts = Readonly<Record<PictureState, number>>;

interface ListPage {
	readonly pictures: readonly Picture[];
	/** Pass as `before` for the next page; undefined on the last one. */
	readonly next: string | undefined;
}

interface SimilarPictures {
	readonly pictures: readonly { readonly picture: Picture; readonly distance: number }[];
	/** False when so many pictures look alike that not all of them were looked at. */
	readonly isComplete: boolean;
}

/** Ids read from a set at a time while filtering. */
const scanBatch = 200;
/** Batches looked through for one page before a short page is returned; its cursor goes on where it stopped. */
const maximumScanBatches = 25;

/** @param prefix first part of every key, so that installations can share a Redis */
export function openCatalog(redis: Redis, prefix: string): Catalog {
	const scripts: CatalogScripts = defineCatalogScripts(redis, `${prefix}:catalog:`);
	const key = (name: string) => `${prefix}:catalog:${name}`;

	const read = async (ids: readonly string[]): Promise<(Picture | undefined)[]> => {
		if (ids.length === 0) return [];
		const documents = await askRedis(redis, () => redis.mget(ids.map((id) => key(`picture:${id}`))));
		return documents.map((document) => (document === null ? undefined : readDocument(document)));
	};

	const count = async (what: string): Promise<StateCounts> => {
		const sets = pictureStates.map((state) => key(`${what}:${state}`));
		const counts = await askRedis(redis, () => Promise.all(sets.map((set) => redis.zcard(set))));
		return Object.fromEntries(pictureStates.map((state, at) => [state, counts[at] ?? 0])) as StateCounts;
	};

	return {
		put: (picture) => scripts.put(picture),

		markProcessing: (picture) => scripts.put({ ...picture, state: 'processing' }),

		markWaiting: (picture, waiting) => scripts.put({ ...picture, state: 'queued', waiting }),

		async get(id) {
			return (await read([id]))[0];
		},

		async list(query) {
			const set = key(narrowestSet(query));
			const pictures: Picture[] = [];
			let before = query.before;
			for (let batch = 0; batch < maximumScanBatches; batch++) {
				// All scores are 0, so the set is ordered by id, that is by time.
				const start = before ? (`(${before}` as const) : '+';
				const ids = await askRedis(redis, () => redis.zrange(set, start, '-', 'BYLEX', 'REV', 'LIMIT', 0, scanBatch));
				for (const [position, picture] of (await read(ids)).entries()) {
					before = ids[position];
					if (picture && matches(picture, query)) pictures.push(picture);
					if (pictures.length === query.limit) return { pictures, next: before };
				}
				if (ids.length < scanBatch) return { pictures, next: undefined };
			}
			return { pictures, next: before };
		},

		failures: () => findFailures(redis, key),

		countStates: () => count('state'),

		countBatch: (id) => count(`batch:${id}`),

		remove: (id) => scripts.remove(id),

		async similar(query) {
			const { found, isComplete } = await findSimilar(redis, (band, value) => key(`phash:${band}:${value}`), query);
			const pictures = await read(found.map(({ id }) => id));
			return {
				pictures: found.flatMap(({ distance }, at) => {
					const picture = pictures[at];
					return picture ? { picture, distance } : [];
				}),
				isComplete,
			};
		},

		claim: (sha256, id, recipeDigest) => scripts.claim(sha256, id, recipeDigest),

		release: (sha256, id) => scripts.release(sha256, id),

		async *ids() {
			for (let after = '-'; ; ) {
				const ids = await askRedis(redis, () => redis.zrange(key('all'), after, '+', 'BYLEX', 'LIMIT', 0, scanBatch));
				yield* ids;
				const last = ids.at(-1);
				if (last === undefined || ids.length < scanBatch) return;
				after = `(${last}`;
			}
		},

		async isComplete() {
			const [mark, completed] = await askRedis(redis, () => Promise.all([markOf(redis), redis.get(key('complete'))]));
			return mark === completed;
		},

		async markComplete() {
			await askRedis(redis, async () => redis.set(key('complete'), await markOf(redis)));
		},
	};
}

/** Undefined for a picture that only a newer version can read: it must not take a whole list with it. */
function readDocument(document: string): Picture | undefined {
	try {
		return parsePicture(document);
	} catch (error) {
		if (error instanceof NewerManifestError) return undefined;
		throw error;
	}
}

/** Raised when pictures are indexed by something new, so that those of before are indexed by it too. */
const indexVersion = 5;

/** Another one after every start of the Redis server, and after an update that indexes more. */
async function markOf(redis: Redis): Promise<string> {
	return `${/^run_id:(\w+)/m.exec(await redis.info('server'))?.[1] ?? ''} ${indexVersion}`;
}

/** Batches and tags select best, then failures, then states; every listed picture is still checked against the whole query. */
function narrowestSet(query: ListQuery): string {
	if (query.batch !== undefined) {
		return query.state === undefined ? `batch:${query.batch}` : `batch:${query.batch}:${query.state}`;
	}
	if (query.tag !== undefined) return `tag:${query.tag}`;
	if (query.code !== undefined) return failureSet(failureClassOf(query.code), query.code);
	if (query.class !== undefined) return 'state:failed';
	if (query.state !== undefined) return `state:${query.state}`;
	if (query.recipe !== undefined) return `recipe:${query.recipe}`;
	return 'all';
}

function matches(picture: Picture, query: ListQuery): boolean {
	return (
		(query.state === undefined || picture.state === query.state) &&
		(query.tag === undefined || picture.tags.includes(query.tag)) &&
		(query.recipe === undefined || picture.recipe.name === query.recipe) &&
		(query.batch === undefined || picture.batch === query.batch) &&
		(query.class === undefined || picture.failure?.class === query.class) &&
		(query.code === undefined || picture.failure?.code === query.code)
	);
}

/** Pictures that failed for the same reason. */
interface FailureGroup {
	readonly class: FailureClass;
	readonly code: ErrorCode;
	readonly count: number;
	/** When the first and the last of those that are still failed did so, milliseconds since 1970. */
	readonly firstAt: number;
	readonly lastAt: number;
	/** Ids of those that failed last, the last first. */
	readonly latest: readonly string[];
}

/** Ids shown of each group. */
const idsPerGroup = 5;

/** The set of a group's ids, of which all scores are 0. */
function failureSet(failureClass: FailureClass, code: ErrorCode): string {
	return `failure:${failureClass}:${code}`;
}

/** @param key names a key of the index */
async function findFailures(redis: Redis, key: (name: string) => string): Promise<FailureGroup[]> {
	const names = await askRedis(redis, () => redis.smembers(key('failures')));
	const groups = await Promise.all(names.map((name) => findGroup(redis, key, name)));
	return groups
		.flatMap((group) => group ?? [])
		.sort((one, other) => other.count - one.count || other.lastAt - one.lastAt);
}

async function findGroup(redis: Redis, key: (name: string) => string, name: string): Promise<FailureGroup | undefined> {
	const [failureClass, code] = name.split(':') as [FailureClass, ErrorCode];
	// Of a later version, perhaps.
	if (!failureClasses.includes(failureClass) || !Object.hasOwn(errorTable, code)) return undefined;
	const times = key(`failure-time:${name}`);
	const [count, [, firstAt] = [], newest] = await askRedis(redis, () =>
		Promise.all([
			redis.zcard(key(`failure:${name}`)),
			redis.zrange(times, 0, 0, 'WITHSCORES'),
			redis.zrange(times, 0, idsPerGroup - 1, 'REV', 'WITHSCORES'),
		]),
	);
	const latest = newest.filter((_, at) => at % 2 === 0);
	// It was emptied meanwhile.
	if (firstAt === undefined || newest[1] === undefined) return undefined;
	return { class: failureClass, code, count, firstAt: Number(firstAt), lastAt: Number(newest[1]), latest };
}
