import type { Redis } from 'ioredis';
import { failuresOf, type Picture } from '../domain/picture.ts';
import { askRedis } from '../queue/redis.ts';

/** How long a deletion is remembered, seconds: far longer than any work on the picture takes. */
const deletionMemory = 24 * 60 * 60;

/** The four buckets of a perceptual hash (see `similar.ts`), and the release of a claim on bytes, which only its holder can do. */
const parts = `
local function buckets(prefix, phash)
	local keys = {}
	for band = 0, 3 do
		keys[band + 1] = prefix .. 'phash:' .. band .. ':' .. string.sub(phash, band * 4 + 1, band * 4 + 4)
	end
	return keys
end
local function release(prefix, sha256, id)
	local claim = prefix .. 'claim:' .. sha256
	if redis.call('GET', claim) == id then redis.call('DEL', claim) end
end
`;

/**
 * The groups of a picture with failures, `<class>:<code>`: that of its own failure, or those of the variants that it lacks. A group disappears with its
 * last picture. Beside the groups there are sets of all pictures with failures, of those of a class, and of those that are ready all the same.
 */
const failures = `
local function failureGroups(document)
	local found = {}
	if document.state == 'failed' and document.failure then found = { document.failure } end
	if document.state == 'ready' and document.failures then found = document.failures end
	local groups, classes, seen = {}, {}, {}
	for _, failure in ipairs(found) do
		local group = failure.class .. ':' .. failure.code
		if not seen[group] then table.insert(groups, group) end
		if not seen[failure.class] then table.insert(classes, failure.class) end
		seen[group] = true
		seen[failure.class] = true
	end
	return groups, classes
end
local function failureSets(prefix, document, classes)
	if #classes == 0 then return {} end
	local sets = { prefix .. 'failing' }
	for _, class in ipairs(classes) do table.insert(sets, prefix .. 'failing:class:' .. class) end
	if document.state == 'ready' then
		table.insert(sets, prefix .. 'failing:ready')
		if document.batch then table.insert(sets, prefix .. 'batch:' .. document.batch .. ':failing') end
	end
	return sets
end
local function leaveGroups(prefix, document, id)
	local groups, classes = failureGroups(document)
	for _, group in ipairs(groups) do
		redis.call('ZREM', prefix .. 'failure:' .. group, id)
		redis.call('ZREM', prefix .. 'failure-time:' .. group, id)
		if redis.call('EXISTS', prefix .. 'failure:' .. group) == 0 then redis.call('SREM', prefix .. 'failures', group) end
	end
	for _, set in ipairs(failureSets(prefix, document, classes)) do redis.call('ZREM', set, id) end
end
local function joinGroups(prefix, document, id, time)
	local groups, classes = failureGroups(document)
	for _, group in ipairs(groups) do
		redis.call('SADD', prefix .. 'failures', group)
		redis.call('ZADD', prefix .. 'failure:' .. group, 0, id)
		redis.call('ZADD', prefix .. 'failure-time:' .. group, time, id)
	end
	for _, set in ipairs(failureSets(prefix, document, classes)) do redis.call('ZADD', set, 0, id) end
end
`;

/**
 * What lists and searches of one owner read: sets of ids, buckets of perceptual hashes, and in the sets of bytes a second member, which sorts
 * behind all ids. So a caller who may see nothing else neither reads nor waits for the pictures of others.
 */
const ofOwner = `
local function ownerSets(prefix, owner, state)
	local set = prefix .. 'owner:' .. owner
	return { set, set .. ':' .. state }
end
local function ownerBuckets(prefix, owner, phash)
	return buckets(prefix .. 'owner:' .. owner .. ':', phash)
end
local function ownerMember(owner, id)
	return '~' .. owner .. '/' .. id
end
`;

/** Removes a picture's id from every set that the stored document refers to. */
const unlink = `${parts}${failures}${ofOwner}
local function unlink(prefix, id, document)
	local old = cjson.decode(document)
	redis.call('ZREM', prefix .. 'all', id)
	redis.call('ZREM', prefix .. 'state:' .. old.state, id)
	redis.call('ZREM', prefix .. 'recipe:' .. old.recipe.name, id)
	for _, tag in ipairs(old.tags) do redis.call('ZREM', prefix .. 'tag:' .. tag, id) end
	leaveGroups(prefix, old, id)
	if old.batch then
		redis.call('ZREM', prefix .. 'batch:' .. old.batch, id)
		redis.call('ZREM', prefix .. 'batch:' .. old.batch .. ':' .. old.state, id)
	end
	if old.owner then
		for _, set in ipairs(ownerSets(prefix, old.owner, old.state)) do redis.call('ZREM', set, id) end
	end
	-- One that is still to be fetched has no bytes yet.
	if old.source.sha256 then
		local ofBytes = prefix .. 'sha256:' .. old.source.sha256
		for _, member in ipairs({ id, old.owner and ownerMember(old.owner, id) }) do
			redis.call('ZREM', ofBytes, member)
			redis.call('ZREM', ofBytes .. ':' .. old.recipe.digest, member)
		end
		release(prefix, old.source.sha256, id)
	end
	if old.analysis.phash then
		for _, bucket in ipairs(buckets(prefix, old.analysis.phash)) do redis.call('HDEL', bucket, id) end
		if old.owner then
			for _, bucket in ipairs(ownerBuckets(prefix, old.owner, old.analysis.phash)) do redis.call('HDEL', bucket, id) end
		end
	end
	return old
end
`;

/**
 * KEYS: picture, deletion. ARGV: prefix, id, document, revision, state, recipe name, SHA-256 or '', perceptual hash or '', recipe digest,
 * time of the failure (milliseconds since 1970) or '', batch or '', 'left' or '', owner or '', tags.
 * Between two documents of the same revision, the later state wins: queued, processing, finished. A picture that its worker left is
 * queued again, whatever happened to the worker that had begun it. It stays marked as left until a worker begins it.
 */
const put = `${unlink}
if redis.call('EXISTS', KEYS[2]) == 1 then
	release(ARGV[1], ARGV[7], ARGV[2])
	return 0
end
local order = { queued = 0, processing = 1, ready = 2, failed = 2 }
local stored = redis.call('GET', KEYS[1])
if stored then
	local old = cjson.decode(stored)
	if old.revision > tonumber(ARGV[4]) then return 0 end
	if old.revision == tonumber(ARGV[4]) then
		local isLeft = ARGV[12] == 'left' and old.state == 'processing'
		if order[old.state] > order[ARGV[5]] and not isLeft then return 0 end
		if old.waiting and ARGV[5] == 'queued' and ARGV[12] == '' then return 0 end
	end
	unlink(ARGV[1], ARGV[2], stored)
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('ZADD', ARGV[1] .. 'all', 0, ARGV[2])
redis.call('ZADD', ARGV[1] .. 'state:' .. ARGV[5], 0, ARGV[2])
redis.call('ZADD', ARGV[1] .. 'recipe:' .. ARGV[6], 0, ARGV[2])
if ARGV[7] ~= '' then
	local ofBytes = ARGV[1] .. 'sha256:' .. ARGV[7]
	for _, member in ipairs({ ARGV[2], ARGV[13] ~= '' and ownerMember(ARGV[13], ARGV[2]) or nil }) do
		redis.call('ZADD', ofBytes, 0, member)
		redis.call('ZADD', ofBytes .. ':' .. ARGV[9], 0, member)
	end
end
if ARGV[8] ~= '' then
	for _, bucket in ipairs(buckets(ARGV[1], ARGV[8])) do redis.call('HSET', bucket, ARGV[2], ARGV[8]) end
	if ARGV[13] ~= '' then
		for _, bucket in ipairs(ownerBuckets(ARGV[1], ARGV[13], ARGV[8])) do redis.call('HSET', bucket, ARGV[2], ARGV[8]) end
	end
end
if ARGV[13] ~= '' then
	for _, set in ipairs(ownerSets(ARGV[1], ARGV[13], ARGV[5])) do redis.call('ZADD', set, 0, ARGV[2]) end
end
if ARGV[10] ~= '' then joinGroups(ARGV[1], cjson.decode(ARGV[3]), ARGV[2], ARGV[10]) end
if ARGV[11] ~= '' then
	redis.call('ZADD', ARGV[1] .. 'batch:' .. ARGV[11], 0, ARGV[2])
	redis.call('ZADD', ARGV[1] .. 'batch:' .. ARGV[11] .. ':' .. ARGV[5], 0, ARGV[2])
end
for position = 14, #ARGV do redis.call('ZADD', ARGV[1] .. 'tag:' .. ARGV[position], 0, ARGV[2]) end
-- From here on the bytes are known by their picture.
release(ARGV[1], ARGV[7], ARGV[2])
return 1
`;

/** KEYS: picture, deletion. ARGV: prefix, id, seconds to remember the deletion, SHA-256 or ''. */
const remove = `${unlink}
redis.call('SET', KEYS[2], '1', 'EX', ARGV[3])
local stored = redis.call('GET', KEYS[1])
if stored then unlink(ARGV[1], ARGV[2], stored) end
redis.call('DEL', KEYS[1])
release(ARGV[1], ARGV[4], ARGV[2])
redis.call('PUBLISH', ARGV[1] .. 'deletions', ARGV[2])
`;

/**
 * KEYS: pictures with these bytes, or with these bytes and this recipe; claim. ARGV: id, lifetime of the claim in seconds, prefix, owner whose
 * pictures count or ''. A version that knew no owners may have removed a picture and left its second member.
 */
const claim = `
local first, last = '-', '(~'
if ARGV[4] ~= '' then first, last = '[~' .. ARGV[4] .. '/', '(~' .. ARGV[4] .. '0' end
local member = redis.call('ZRANGE', KEYS[1], first, last, 'BYLEX', 'LIMIT', 0, 1)[1]
while member do
	local there = ARGV[4] == '' and member or string.sub(member, #ARGV[4] + 3)
	if redis.call('EXISTS', ARGV[3] .. 'picture:' .. there) == 1 then return { 'there', there } end
	redis.call('ZREM', KEYS[1], member)
	member = redis.call('ZRANGE', KEYS[1], first, last, 'BYLEX', 'LIMIT', 0, 1)[1]
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'EX', ARGV[2]) then return { 'claimed', ARGV[1] } end
local holder = redis.call('GET', KEYS[2])
if holder == ARGV[1] then return { 'claimed', holder } end
return { 'held', holder }
`;

/** ARGV: prefix, SHA-256, id. */
const releaseClaim = `${parts}
release(ARGV[1], ARGV[2], ARGV[3])
`;

/**
 * Lifetime of a claim on bytes, seconds: longer than writing a manifest takes, and longer than the sweep takes to index a picture whose
 * update Redis missed.
 */
const claimSeconds = 180;

/** The holder of the bytes: a picture in the index, an upload that is being admitted, or the caller. */
export interface Claim {
	readonly outcome: 'there' | 'held' | 'claimed';
	/** Id of the picture, of the other upload, or of the caller. */
	readonly id: string;
}

/** The pictures that count as holders of the same bytes; all of them by default. */
export interface Among {
	/** Only pictures made with this recipe. */
	readonly recipeDigest?: string | undefined;
	/** Only pictures of this owner. */
	readonly owner?: string | undefined;
}
/** How long Redis may take for a pipeline of a few hundred pictures, milliseconds. */
const pipelinePatience = 30_000;

export interface CatalogScripts {
	put(picture: Picture): Promise<void>;
	putAll(pictures: readonly Picture[]): Promise<void>;
	remove(id: string, sha256?: string): Promise<void>;
	claim(sha256: string, id: string, among?: Among): Promise<Claim>;
	release(sha256: string, id: string): Promise<void>;
}

/** Each change of the index is one script, so that a picture is never in two states at once. */
export function defineCatalogScripts(redis: Redis, prefix: string): CatalogScripts {
	redis.defineCommand('catalogPut', { numberOfKeys: 2, lua: put });
	redis.defineCommand('catalogRemove', { numberOfKeys: 2, lua: remove });
	redis.defineCommand('catalogClaim', { numberOfKeys: 2, lua: claim });
	redis.defineCommand('catalogRelease', { numberOfKeys: 0, lua: releaseClaim });
	const commands = redis as Redis & {
		catalogPut(...args: (string | number)[]): Promise<number>;
		catalogRemove(...args: (string | number)[]): Promise<null>;
		catalogClaim(...args: (string | number)[]): Promise<[Claim['outcome'], string]>;
		catalogRelease(...args: string[]): Promise<null>;
	};
	const keys = (id: string) => [`${prefix}picture:${id}`, `${prefix}deleted:${id}`];
	const putArguments = (picture: Picture): (string | number)[] => {
		const { id, revision, state, recipe, source, tags } = picture;
		const document = JSON.stringify(picture);
		const phash = picture.analysis.phash ?? '';
		const sha256 = 'sha256' in source ? source.sha256 : '';
		const [failure] = failuresOf(picture);
		const failedAt = failure ? Date.parse(failure.at) : '';
		const described = [document, revision, state, recipe.name, sha256, phash, recipe.digest];
		return [
			...keys(id),
			prefix,
			id,
			...described,
			failedAt,
			picture.batch ?? '',
			picture.waiting ? 'left' : '',
			picture.owner ?? '',
			...tags,
		];
	};

	return {
		async put(picture) {
			await askRedis(redis, () => commands.catalogPut(...putArguments(picture)));
		},
		async putAll(pictures) {
			const pipeline = redis.pipeline() as ReturnType<Redis['pipeline']> & typeof commands;
			for (const picture of pictures) void pipeline.catalogPut(...putArguments(picture));
			for (const [error] of (await askRedis(redis, async () => pipeline.exec(), pipelinePatience)) ?? [])
				if (error) throw error;
		},
		async remove(id, sha256 = '') {
			await askRedis(redis, () => commands.catalogRemove(...keys(id), prefix, id, deletionMemory, sha256));
		},
		async claim(sha256, id, { recipeDigest, owner = '' } = {}) {
			const pictures = `${prefix}sha256:${sha256}${recipeDigest === undefined ? '' : `:${recipeDigest}`}`;
			const ofBytes = [pictures, `${prefix}claim:${sha256}`];
			const [outcome, holder] = await askRedis(redis, () =>
				commands.catalogClaim(...ofBytes, id, claimSeconds, prefix, owner),
			);
			return { outcome, id: holder };
		},
		async release(sha256, id) {
			await askRedis(redis, () => commands.catalogRelease(prefix, sha256, id));
		},
	};
}
