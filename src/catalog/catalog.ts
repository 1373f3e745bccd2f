import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
	type Failure,
	failuresOf,
	NewerManifestError,
	type Picture,
	type PictureState,
	parsePicture,
	pictureStates,
	type Waiting,
} from '../domain/picture.ts';
import { type ErrorCode, type FailureClass, failureClasses, failureClassOf } from '../errors.ts';
import { askRedis } from '../queue/redis.ts';
import { wholenessKeys } from './epoch.ts';
import { type FailureGroup, failureSet, findFailures } from './failures.ts';
import { repeatAfterLoss } from './repeat.ts';
import { type Among, type CatalogScripts, type Claim, defineCatalogScripts } from './scripts.ts';
import { findSimilar, type SimilarQuery } from './similar.ts';

/**
 * The index in Redis: the latest manifest of every picture by id, and sorted sets for listing. It can be lost at any time; `picpipe
 * reindex` rebuilds it from the manifests.
 */
export interface Catalog {
	/** Indexes a picture, unless the index has a newer revision or the picture was deleted. */
	put(picture: Picture): Promise<void>;
	/** Indexes many pictures in one round trip, as `put` does. */
	putAll(pictures: readonly Picture[]): Promise<void>;
	/** Shows that processing has begun. Only the index has this state: in storage, a killed worker would leave it behind. */
	markProcessing(picture: Picture): Promise<void>;
	/** Shows that a worker left the picture to other workers. Only the index has this state, until the picture is put again. */
	markWaiting(picture: Picture, waiting: Waiting): Promise<void>;
	get(id: string): Promise<Picture | undefined>;
	/** Newest first. */
	list(query: ListQuery): Promise<ListPage>;
	/** Failed pictures by class and code, the largest group first. */
	failures(): Promise<FailureGroup[]>;
	/** How many pictures have failures, each counted once. */
	countFailures(): Promise<FailureCounts>;
	/** Number of pictures by state. */
	countStates(): Promise<StateCounts>;
	/** Number of pictures of a batch by state. */
	countBatch(id: string): Promise<StateCounts>;
	/**
	 * Removes a picture and remembers its deletion for a day, so that a late write cannot bring it back. Every process that listens is told.
	 *
	 * @param sha256 of its bytes, to end a claim on them that the index does not know
	 */
	remove(id: string, sha256?: string): Promise<void>;
	/** Pictures with a similar perceptual hash, the nearest first. */
	similar(query: SimilarQuery): Promise<SimilarPictures>;
	/**
	 * Claims bytes for an upload that is about to be admitted, unless a picture in the index or another upload has them. The claim ends when
	 * the picture is put, when it is released, or by itself after a few minutes.
	 *
	 * @param among the pictures that count; the claims of all uploads do
	 */
	claim(sha256: string, id: string, among?: Among): Promise<Claim>;
	/** Ends this upload's claim. */
	release(sha256: string, id: string): Promise<void>;
	/** Ids in the index after `after`, up to `last` or the end, oldest first. */
	idsBetween(after: string, last?: string): AsyncIterable<string>;
	/** True if `reindex` has run, and Redis has neither lost its result nor gone back to a state before it (`epoch.ts`). */
	isComplete(): Promise<boolean>;
	markComplete(): Promise<void>;
}

export interface ListQuery {
	readonly state?: PictureState | undefined;
	readonly tag?: string | undefined;
	readonly recipe?: string | undefined;
	/** Only pictures of this owner. */
	readonly owner?: string | undefined;
	/** Only pictures of this batch. */
	readonly batch?: string | undefined;
	/** Only pictures with failures: failed ones, and ready ones that lack variants. */
	readonly failures?: true | undefined;
	/** Only pictures with a failure of this class, and of this code. */
	readonly class?: FailureClass | undefined;
	readonly code?: ErrorCode | undefined;
	/** Only pictures older than this id. */
	readonly before?: string | undefined;
	readonly limit: number;
}

export interface StateCounts extends Readonly<Record<PictureState, number>> {
	/** Of those that are ready, the ones that lack variants. */
	readonly withFailures: number;
}

interface FailureCounts {
	readonly total: number;
	/** A picture whose variants failed for different reasons counts in several classes. */
	readonly classes: Readonly<Record<FailureClass, number>>;
}

interface ListPage {
	readonly pictures: readonly Picture[];
	/** Pass as `before` for the next page; undefined on the last one. */
	readonly next: string | undefined;
}

interface SimilarPictures {
	readonly pictures: readonly { readonly picture: Picture; readonly distance: number }[];
	/** False if there were too many similar pictures to compare all of them. */
	readonly isComplete: boolean;
}

/** Ids to read from a set at a time while filtering. */
const scanBatch = 200;
/** Reads per page before a short page is returned. Its cursor continues where the search stopped. */
const maximumScanBatches = 25;

/** @param prefix of every key, so that installations can share a Redis */
export function openCatalog(redis: Redis, prefix: string): Catalog {
	const scripts: CatalogScripts = repeatAfterLoss(redis, defineCatalogScripts(redis, `${prefix}:catalog:`));
	const key = (name: string) => `${prefix}:catalog:${name}`;

	/** The rebuilds and the latest epoch that this process has seen. A lower one means that Redis was set back, before the next raise finds out. */
	const seenMarks = new Set<string>();
	let latestEpoch = -1;

	const read = async (ids: readonly string[]): Promise<(Picture | undefined)[]> => {
		if (ids.length === 0) return [];
		const documents = await askRedis(redis, () => redis.mget(ids.map((id) => key(`picture:${id}`))));
		return documents.map((document) => (document === null ? undefined : readDocument(document)));
	};

	const sizesOf = (names: readonly string[]): Promise<number[]> =>
		askRedis(redis, () => Promise.all(names.map((name) => redis.zcard(key(name)))));

	const count = async (what: string): Promise<StateCounts> => {
		const failing = what === 'state' ? 'failing:ready' : `${what}:failing`;
		const sets = [...pictureStates.map((state) => `${what}:${state}`), failing];
		const counts = await sizesOf(sets);
		const names = [...pictureStates, 'withFailures'];
		return Object.fromEntries(names.map((name, at) => [name, counts[at] ?? 0])) as unknown as StateCounts;
	};

	return {
		put: (picture) => scripts.put(picture),

		putAll: (pictures) => scripts.putAll(pictures),

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
				// All scores are 0, so the set is ordered by id, and therefore by time.
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

		async countFailures() {
			const [total = 0, ...counts] = await sizesOf(['failing', ...failureClasses.map((one) => `failing:class:${one}`)]);
			const classes = Object.fromEntries(failureClasses.map((one, at) => [one, counts[at] ?? 0]));
			return { total, classes: classes as FailureCounts['classes'] };
		},

		countStates: () => count('state'),

		countBatch: (id) => count(`batch:${id}`),

		remove: (id, sha256) => scripts.remove(id, sha256),

		async similar(query) {
			const of = query.owner === undefined ? '' : `owner:${query.owner}:`;
			const bucketKey = (band: number, value: string) => key(`${of}phash:${band}:${value}`);
			const { found, isComplete } = await findSimilar(redis, bucketKey, query);
			const pictures = await read(found.map(({ id }) => id));
			return {
				pictures: found.flatMap(({ distance }, at) => {
					const picture = pictures[at];
					return picture ? { picture, distance } : [];
				}),
				isComplete,
			};
		},

		claim: (sha256, id, among) => scripts.claim(sha256, id, among),

		release: (sha256, id) => scripts.release(sha256, id),

		async *idsBetween(after, last) {
			for (let from = after; ; ) {
				const start = `(${from}` as const;
				const end = last === undefined ? '+' : (`[${last}` as const);
				const ids = await askRedis(redis, () => redis.zrange(key('all'), start, end, 'BYLEX', 'LIMIT', 0, scanBatch));
				yield* ids;
				const lastId = ids.at(-1);
				if (lastId === undefined || ids.length < scanBatch) return;
				from = lastId;
			}
		},

		async isComplete() {
			const { complete, epoch } = wholenessKeys(prefix);
			const [mark, now] = await askRedis(redis, () => redis.mget(complete, epoch));
			if (mark?.split(' ')[0] !== String(indexVersion)) return false;
			// A rebuild that this process has not seen yet counts, whatever the number is.
			if (seenMarks.has(mark) && Number(now ?? -1) < latestEpoch) return false;
			seenMarks.add(mark);
			latestEpoch = Number(now ?? -1);
			return true;
		},

		async markComplete() {
			await askRedis(redis, () => redis.set(wholenessKeys(prefix).complete, `${indexVersion} ${randomUUID()}`));
		},
	};
}

/**
 * Listens for deletions by any process.
 *
 * @param redis a connection for this alone: Redis takes no other commands on it
 * @param onDeletion called with the id of each deleted picture
 */
export function listenToDeletions(redis: Redis, prefix: string, onDeletion: (id: string) => void): void {
	redis.on('message', (_channel, id) => onDeletion(id));
	// A connection that is lost subscribes again by itself.
	redis.subscribe(`${prefix}:catalog:deletions`).catch(() => {});
}

/** Undefined for a picture that only a newer version can read: it must not make a whole list fail. */
function readDocument(document: string): Picture | undefined {
	try {
		return parsePicture(document);
	} catch (error) {
		if (error instanceof NewerManifestError) return undefined;
		throw error;
	}
}

/** Raise this when the index gets a new field, so that existing pictures are indexed again. */
const indexVersion = 7;

/** Batches are the most selective sets, then owners, tags, failures and states. Each picture is still checked against the whole query. */
function narrowestSet(query: ListQuery): string {
	if (query.batch !== undefined) {
		return query.state === undefined ? `batch:${query.batch}` : `batch:${query.batch}:${query.state}`;
	}
	// Before tags: the cursor of a page is the last id that was read, and must not be that of another owner.
	if (query.owner !== undefined) {
		return query.state === undefined ? `owner:${query.owner}` : `owner:${query.owner}:${query.state}`;
	}
	if (query.tag !== undefined) return `tag:${query.tag}`;
	if (query.code !== undefined) return failureSet(failureClassOf(query.code), query.code);
	if (query.class !== undefined) return `failing:class:${query.class}`;
	if (query.failures) return query.state === 'ready' ? 'failing:ready' : 'failing';
	if (query.state !== undefined) return `state:${query.state}`;
	if (query.recipe !== undefined) return `recipe:${query.recipe}`;
	return 'all';
}

function matches(picture: Picture, query: ListQuery): boolean {
	return (
		(query.state === undefined || picture.state === query.state) &&
		(query.tag === undefined || picture.tags.includes(query.tag)) &&
		(query.recipe === undefined || picture.recipe.name === query.recipe) &&
		(query.owner === undefined || picture.owner === query.owner) &&
		(query.batch === undefined || picture.batch === query.batch) &&
		(!asksForFailures(query) || failuresOf(picture).some((failure) => isAskedFor(failure, query)))
	);
}

function asksForFailures({ class: failureClass, code, failures }: ListQuery): boolean {
	return failures === true || failureClass !== undefined || code !== undefined;
}

function isAskedFor(failure: Failure, query: ListQuery): boolean {
	return (
		(query.class === undefined || failure.class === query.class) &&
		(query.code === undefined || failure.code === query.code)
	);
}
