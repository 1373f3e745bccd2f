import type { Redis } from 'ioredis';
import { firstPictureIdAt, type PictureState } from '../../domain/picture.ts';
import { type ErrorCode, errorTable, type FailureClass, failureClasses, failureClassOf } from '../../errors.ts';
import { askRedis } from '../../queue/redis.ts';
import { countedTotal, type ListPages } from './pages.ts';
import type { PictureSummary, Summaries } from './summary.ts';

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
	/** Only pictures that were created at this time or later, and before that time; milliseconds since 1970. */
	readonly since?: number | undefined;
	readonly until?: number | undefined;
	/** Only pictures whose file name begins so. They are ordered by name. */
	readonly filename?: string | undefined;
	/** The cursor of the previous page. */
	readonly before?: string | undefined;
	readonly limit: number;
	/** Also count the matches. */
	readonly isCounted?: boolean | undefined;
}

export interface ListPage {
	readonly pictures: readonly PictureSummary[];
	/** Pass as `before` for the next page; undefined on the last one. */
	readonly next: string | undefined;
	/** The number of matches; if it is not exact, there may be more. Present if it was asked for. */
	readonly total?: { readonly count: number; readonly isExact: boolean };
}

export async function readListPage(pages: ListPages, summaries: Summaries, query: ListQuery): Promise<ListPage> {
	if (query.filename !== undefined) return listByName(pages, summaries, { ...query, filename: query.filename });
	const { state, since, until, before, limit } = query;
	const bounds = [before, until === undefined ? undefined : firstPictureIdAt(until)].filter((id) => id !== undefined);
	const found = await pages.page({
		filters: filtersOf(query),
		before: bounds.sort()[0],
		from: since === undefined ? undefined : firstPictureIdAt(since),
		isQueuedOnly: state === 'queued',
		limit,
		counted: query.isCounted ? countedTotal : 0,
	});
	const pictures = await summaries.decode(found);
	return {
		pictures: pictures.filter((one) => one !== undefined),
		next: found.next,
		...(query.isCounted && { total: { count: found.total, isExact: found.isExact && until === undefined } }),
	};
}

/**
 * The lists of each filter. The owner comes first: cursors are ids of the first list, and must not be those of pictures of others.
 */
function filtersOf(query: ListQuery): string[][] {
	const { state, owner, batch, tag, code, recipe } = query;
	const states = state === undefined ? ['queued', 'ready', 'failed'] : [state === 'processing' ? 'queued' : state];
	const lists = (name: string) => states.map((one) => `${name}:${one}`);
	const filters: string[][] = [];
	if (owner !== undefined) filters.push(lists(`owner:${owner}`));
	if (state === 'processing') filters.push(['processing']);
	if (batch !== undefined) filters.push(lists(`batch:${batch}`));
	if (code !== undefined && (query.class === undefined || query.class === failureClassOf(code)))
		filters.push(lists(failureSet(failureClassOf(code), code)));
	else if (code !== undefined) filters.push([]);
	else if (query.class !== undefined) filters.push(lists(`class:${query.class}`));
	else if (query.failures) filters.push(lists('failing'));
	if (tag !== undefined) filters.push(lists(`tag:${tag}`));
	if (recipe !== undefined) filters.push(lists(`recipe:${recipe}`));
	return filters.length > 0 ? filters : [lists('state')];
}

/** Summaries to read for one page, as a multiple of its length. */
const mostReads = 3;

/** Other filters are checked with the summaries. So a page may be short, or even empty, and still have a next one. */
async function listByName(
	pages: ListPages,
	summaries: Summaries,
	query: ListQuery & { readonly filename: string },
): Promise<ListPage> {
	const { limit, owner } = query;
	const list = owner === undefined ? 'names' : `names:${owner}`;
	const start = nameKey(query.filename);
	const pictures: PictureSummary[] = [];
	let from = query.before === undefined ? `[${start}` : `(${Buffer.from(query.before, 'base64url').toString()}`;
	const cursorOf = (member: string | undefined) => member && Buffer.from(member).toString('base64url');
	for (let reads = 0; reads < mostReads; reads++) {
		const found = await pages.named(list, from, `(${start}\u{10ffff}`, limit);
		const read = await summaries.decode(found);
		for (const [at, picture] of read.entries()) {
			if (!picture || !matches(picture, query)) continue;
			pictures.push(picture);
			if (pictures.length < limit) continue;
			const isLast = at === read.length - 1 && read.length < limit;
			return { pictures, next: isLast ? undefined : cursorOf(found.members[at]) };
		}
		const last = found.members.at(-1);
		if (last === undefined || found.members.length < limit) return { pictures, next: undefined };
		from = `(${last}`;
	}
	return { pictures, next: cursorOf(from.slice(1)) };
}

/** Bytes of a name that the index orders by, as in `memberships.ts`. */
const keyBytes = 31;

/** The beginning of a name as the index has it: ASCII letters match in any case, and what exceeds the key is compared with the summary. */
function nameKey(name: string): string {
	const lower = lowerAscii(name);
	let key = '';
	for (const character of lower) {
		if (Buffer.byteLength(key + character) > keyBytes) break;
		key += character;
	}
	return key;
}

function lowerAscii(text: string): string {
	return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The time in an id is that of its creation. */
function matches(picture: PictureSummary, query: ListQuery & { readonly filename: string }): boolean {
	const { state, tag, recipe, owner, batch, since, until } = query;
	const failures = picture.failure ? [picture.failure] : picture.state === 'ready' ? (picture.failures ?? []) : [];
	const asksForFailures = query.failures === true || query.class !== undefined || query.code !== undefined;
	return (
		lowerAscii(picture.source.filename ?? '').startsWith(lowerAscii(query.filename)) &&
		(state === undefined || picture.state === state) &&
		(tag === undefined || picture.tags.includes(tag)) &&
		(recipe === undefined || picture.recipe.name === recipe) &&
		(owner === undefined || picture.owner === owner) &&
		(batch === undefined || picture.batch === batch) &&
		(since === undefined || picture.id >= firstPictureIdAt(since)) &&
		(until === undefined || picture.id < firstPictureIdAt(until)) &&
		(!asksForFailures ||
			failures.some(
				(failure) =>
					(query.class === undefined || failure.class === query.class) &&
					(query.code === undefined || failure.code === query.code),
			))
	);
}

export interface TagQuery {
	/** Only tags of this owner's pictures; the counts are of these too. */
	readonly owner?: string | undefined;
	/** Only the most frequent tags that begin so. */
	readonly prefix?: string | undefined;
	/** Where the page begins. */
	readonly offset: number;
	readonly limit: number;
}

export interface TagPage {
	readonly tags: readonly { readonly tag: string; readonly count: number }[];
	/** Pass as `offset` for the next page; undefined on the last one. */
	readonly next: number | undefined;
}

/** Tags to look at for one page. */
const mostLooks = 5_000;
const tagsAtOnce = 500;

/** The most frequent tags first. @param key returns the full name of an index key */
export async function readTagCounts(redis: Redis, key: (name: string) => string, query: TagQuery): Promise<TagPage> {
	const { owner, prefix = '', offset, limit } = query;
	const set = key(owner === undefined ? 'tags' : `tags:${owner}`);
	const tags: { tag: string; count: number }[] = [];
	for (let at = offset; ; ) {
		const wanted = prefix === '' ? limit + 1 : tagsAtOnce;
		const flat = await askRedis(redis, () => redis.zrange(set, at, at + wanted - 1, 'REV', 'WITHSCORES'));
		for (let place = 0; place < flat.length; place += 2) {
			const tag = flat[place] as string;
			if (!tag.startsWith(prefix)) continue;
			if (tags.length === limit) return { tags, next: at + place / 2 };
			tags.push({ tag, count: Number(flat[place + 1]) });
		}
		at += flat.length / 2;
		if (flat.length / 2 < wanted) return { tags, next: undefined };
		if (at - offset >= mostLooks) return { tags, next: at };
	}
}

/** Pictures that failed, or lack a variant, for the same reason. */
export interface FailureGroup {
	readonly class: FailureClass;
	readonly code: ErrorCode;
	readonly count: number;
	/** First and last failure time among the pictures that are still failed, milliseconds since 1970. */
	readonly firstAt: number;
	readonly lastAt: number;
	/** Ids of the latest failures, newest first. */
	readonly latest: readonly string[];
}

/** Ids to show for each group. */
const idsPerGroup = 5;

/** The set of ids of a group; all scores are 0. */
function failureSet(failureClass: FailureClass, code: ErrorCode): string {
	return `failure:${failureClass}:${code}`;
}

/** The largest group first. @param key returns the full name of an index key */
export async function findFailures(redis: Redis, key: (name: string) => string): Promise<FailureGroup[]> {
	const names = await askRedis(redis, () => redis.smembers(key('failures')));
	const groups = await Promise.all(names.map((name) => findGroup(redis, key, name)));
	return groups
		.flatMap((group) => group ?? [])
		.sort((one, other) => other.count - one.count || other.lastAt - one.lastAt);
}

async function findGroup(redis: Redis, key: (name: string) => string, name: string): Promise<FailureGroup | undefined> {
	const [failureClass, code] = name.split(':') as [FailureClass, ErrorCode];
	// Possibly of a newer version.
	if (!failureClasses.includes(failureClass) || !Object.hasOwn(errorTable, code)) return undefined;
	const times = key(`failure-time:${name}`);
	const [count, [, firstAt] = [], newest] = await askRedis(redis, () =>
		Promise.all([
			redis.zcard(times),
			redis.zrange(times, 0, 0, 'WITHSCORES'),
			redis.zrange(times, 0, idsPerGroup - 1, 'REV', 'WITHSCORES'),
		]),
	);
	const latest = newest.filter((_, at) => at % 2 === 0);
	// Emptied in the meantime.
	if (firstAt === undefined || newest[1] === undefined) return undefined;
	return { class: failureClass, code, count, firstAt: Number(firstAt), lastAt: Number(newest[1]), latest };
}
