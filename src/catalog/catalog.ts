import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Picture, PictureState, Waiting } from '../domain/picture.ts';
import { type FailureClass, failureClasses } from '../errors.ts';
import { askRedis } from '../queue/redis.ts';
import { wholenessKeys } from './epoch.ts';
import {
	type FailureGroup,
	findFailures,
	type ListPage,
	type ListQuery,
	readListPage,
	readTagCounts,
	type TagPage,
	type TagQuery,
} from './lists/list.ts';
import { openListPages } from './lists/pages.ts';
import { type Among, type Claim, defineCatalogScripts, repeatAfterLoss } from './lists/scripts.ts';
import { findSimilar, type SimilarQuery } from './lists/similar.ts';
import { openSummaries, type PictureSummary } from './lists/summary.ts';

/**
 * The index in Redis: a summary of every picture by id, and lists of ids (`lists/`). It can be lost at any time; `picpipe reindex` rebuilds it
 * from the manifests.
 */
export interface Catalog {
	/** Indexes a picture, unless the index has a newer revision or the picture was deleted. */
	put(picture: Picture): Promise<void>;
	/** Indexes many pictures in one round trip, as `put` does, and restores lost entries of those that are indexed already. */
	putAll(pictures: readonly Picture[]): Promise<void>;
	/** Shows that processing has begun. Only the index has this state: in storage, a killed worker would leave it behind. */
	markProcessing(picture: Picture): Promise<void>;
	/** Shows that a worker left the picture to other workers. Only the index has this state, until the picture is put again. */
	markWaiting(picture: Picture, waiting: Waiting): Promise<void>;
	/** What the index knows of a picture. Only the index knows that one is being processed. */
	get(id: string): Promise<PictureSummary | undefined>;
	/** Newest first; by name if the query has a file name. */
	list(query: ListQuery): Promise<ListPage>;
	/** Tags with the number of their pictures. */
	tags(query: TagQuery): Promise<TagPage>;
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
	/** Also removes what an earlier version of picpipe left in Redis. */
	markComplete(): Promise<void>;
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

interface SimilarPictures {
	readonly pictures: readonly { readonly picture: PictureSummary; readonly distance: number }[];
	/** False if there were too many similar pictures to compare all of them. */
	readonly isComplete: boolean;
}

/** Raise this when the index gets a new field, so that existing pictures are indexed again under other keys, beside those of older processes. */
const indexVersion = 8;

/** Ids to read at a time. */
const idsAtOnce = 200;

/** The states whose pictures are in lists of their own. Those that are being processed are among the queued ones. */
const listedStates = ['queued', 'ready', 'failed'] as const;

/** @param prefix of every key, so that installations can share a Redis */
export function openCatalog(redis: Redis, prefix: string): Catalog {
	const own = `${prefix}:catalog:v${indexVersion}:`;
	const key = (name: string) => own + name;
	const deletedKey = (id: string) => `${prefix}:catalog:deleted:${id}`;
	const scripts = repeatAfterLoss(
		redis,
		defineCatalogScripts(redis, own, { deleted: deletedKey, deletions: deletionsOf(prefix) }),
	);
	const pages = openListPages(redis, own);
	const summaries = openSummaries(redis, own);

	/** The rebuilds and the latest epoch that this process has seen. A lower one means that Redis was set back, before the next raise finds out. */
	const seenMarks = new Set<string>();
	let latestEpoch = -1;

	/** @param lists prefix of the lists for each state @param failing list of ready ones that lack variants @param processing set of those being processed */
	const count = async (lists: string, failing: string, processing: string): Promise<StateCounts> => {
		const names = [...listedStates.map((state) => `${lists}:${state}`), failing, processing];
		const [queued = 0, ready = 0, failed = 0, withFailures = 0, working = 0] = await pages.lengths(names);
		return { queued: Math.max(0, queued - working), processing: working, ready, failed, withFailures };
	};

	return {
		put: (picture) => scripts.put(picture),

		putAll: (pictures) => scripts.putAll(pictures),

		markProcessing: (picture) => scripts.put(picture, 'processing'),

		markWaiting: (picture, waiting) => scripts.put({ ...picture, state: 'queued', waiting }, 'left'),

		async get(id) {
			return (await summaries.read([id]))[0];
		},

		list: (query) => readListPage(pages, summaries, query),

		tags: (query) => readTagCounts(redis, key, query),

		failures: () => findFailures(redis, key),

		async countFailures() {
			const lists = (name: string) => [`${name}:ready`, `${name}:failed`];
			const names = ['failing', ...failureClasses.map((one) => `class:${one}`)];
			const lengths = await pages.lengths(names.flatMap(lists));
			const [total = 0, ...counts] = names.map((_, at) => (lengths[at * 2] ?? 0) + (lengths[at * 2 + 1] ?? 0));
			const classes = Object.fromEntries(failureClasses.map((one, at) => [one, counts[at] ?? 0]));
			return { total, classes: classes as FailureCounts['classes'] };
		},

		countStates: () => count('state', 'failing:ready', 'processing'),

		countBatch: (id) => count(`batch:${id}`, `batch-failing:${id}:ready`, `batch-processing:${id}`),

		remove: (id, sha256) => scripts.remove(id, sha256),

		async similar(query) {
			const { found, isComplete } = await findSimilar(pages, query);
			const pictures = await summaries.read(found.map(({ id }) => id));
			return {
				pictures: found.flatMap(({ distance }, at) => {
					const picture = pictures[at];
					const isOwn = query.owner === undefined || picture?.owner === query.owner;
					return picture && isOwn ? { picture, distance } : [];
				}),
				isComplete,
			};
		},

		claim: (sha256, id, among) => scripts.claim(sha256, id, among),

		release: (sha256, id) => scripts.release(sha256, id),

		async *idsBetween(after, last) {
			const to = last === undefined ? '+' : `[${last}`;
			for (let from = after; ; ) {
				const found = await Promise.all(
					listedStates.map((state) => pages.members(`state:${state}`, `(${from}`, to, idsAtOnce)),
				);
				// A list that has more says nothing about ids behind its last one.
				const ends = found.flatMap((ids) => (ids.length === idsAtOnce ? (ids.at(-1) ?? []) : []));
				const end = ends.sort()[0];
				yield* [...new Set(found.flat())].filter((id) => end === undefined || id <= end).sort();
				if (end === undefined) return;
				from = end;
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
			await dropEarlierVersions(redis, `${prefix}:catalog:`);
			await askRedis(redis, () => redis.set(wholenessKeys(prefix).complete, `${indexVersion} ${randomUUID()}`));
		},
	};
}

/** The channel that tells of deletions. */
const deletionsOf = (prefix: string) => `${prefix}:catalog:deletions`;

/**
 * Listens for deletions by any process.
 *
 * @param redis a connection for this alone: Redis takes no other commands on it
 * @param onDeletion called with the id of each deleted picture
 */
export function listenToDeletions(redis: Redis, prefix: string, onDeletion: (id: string) => void): void {
	redis.on('message', (_channel, id) => onDeletion(id));
	// A connection that is lost subscribes again by itself.
	redis.subscribe(deletionsOf(prefix)).catch(() => {});
}

/** Names of the index before version 8, which had a set for each filter and a whole manifest for each picture. */
const earlierNames =
	/^(picture|all|state|recipe|tag|owner|batch|failure|failure-time|failures|failing|sha256|phash|claim|complete)(:|$)/;
/** Keys that Redis looks at in one step. */
const keysAtOnce = 1_000;

/** Removes the index of an earlier version, step by step. @param prefix of its keys */
async function dropEarlierVersions(redis: Redis, prefix: string): Promise<void> {
	if ((await askRedis(redis, () => redis.exists(`${prefix}all`))) === 0) return;
	for (let cursor = '0'; ; ) {
		const [next, keys] = await askRedis(redis, () => redis.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', keysAtOnce));
		const old = keys.filter((key) => earlierNames.test(key.slice(prefix.length)));
		if (old.length > 0) await askRedis(redis, () => redis.unlink(old));
		if (next === '0') return;
		cursor = next;
	}
}
