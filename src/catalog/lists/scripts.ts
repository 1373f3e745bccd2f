import type { Redis } from 'ioredis';
import type { Picture } from '../../domain/picture.ts';
import { askRedis } from '../../queue/redis.ts';
import { listLua } from './blocks.ts';
import { membershipLua } from './memberships.ts';
import { encodeSummary, shortBytes, shortDigest } from './summary.ts';

/** How long a deletion is remembered, seconds: far longer than any work on the picture takes. */
const deletionMemory = 24 * 60 * 60;

const begin = `local prefix = ARGV[1]\n${listLua}`;

/**
 * KEYS: the pictures, their deletions. ARGV: prefix, mark: '', 'processing', 'left' or 'repair', then for each picture its id, its summary, and
 * what is stored once for its recipe. The ids are sorted.
 * Between two summaries of the same revision, the later state wins: queued, processing, finished. A picture that its worker left is
 * queued again, whatever happened to the worker that had begun it. It stays marked as left until a worker begins it.
 */
const put = `${begin}${membershipLua}
local mark, texts = ARGV[2], {}
local stored, half = call('MGET', unpack(KEYS)), #KEYS / 2
local function isOutdated(old, new, id)
	if old.r > new.r then return true end
	if old.r < new.r or new.s ~= 'queued' then return false end
	if old.s ~= 'queued' then return true end
	if mark == 'processing' or mark == 'left' then return false end
	return old.x or call('ZSCORE', prefix .. 'processing', id)
end
for number = 1, half do
	local id, text, recipe = ARGV[number * 3], ARGV[number * 3 + 1], ARGV[number * 3 + 2]
	local was = stored[number]
	local new, old = cjson.decode(text), was and cjson.decode(was)
	local isDeleted = stored[half + number]
	if isDeleted and new.h then releaseClaim(string.sub(new.h, 1, 22), id) end
	if not isDeleted and not (old and isOutdated(old, new, id)) then
		if was ~= text then
			texts[#texts + 1] = KEYS[number]
			texts[#texts + 1] = text
		end
		if was ~= text or mark == 'repair' then change(id, old, new, recipe, mark == 'repair') end
		if mark == 'processing' then markProcessing(id, new)
		elseif old and old.s == 'queued' then endProcessing(id, old) end
		-- From here on the bytes are known by their picture.
		if new.h and not (old and old.h) and mark ~= 'repair' then releaseClaim(string.sub(new.h, 1, 22), id) end
	end
end
if #texts > 0 then call('MSET', unpack(texts)) end
saveLists()
saveCounts()
`;

/** KEYS: picture, deletion. ARGV: prefix, id, seconds to remember the deletion, channel of deletions, SHA-256 as in a summary or ''. */
const remove = `${begin}${membershipLua}
local id = ARGV[2]
call('SET', KEYS[2], '1', 'EX', ARGV[3])
local stored = call('GET', KEYS[1])
if stored then
	local old = cjson.decode(stored)
	change(id, old, nil)
	saveCounts()
	endProcessing(id, old)
	if old.h then releaseClaim(string.sub(old.h, 1, 22), id) end
	call('DEL', KEYS[1])
end
if ARGV[5] ~= '' then releaseClaim(string.sub(ARGV[5], 1, 22), id) end
call('PUBLISH', ARGV[4], id)
`;

/** Pictures with the same bytes to look at, when only those of one recipe or owner count. */
const mostSameBytes = 500;

/**
 * KEYS: claim. ARGV: prefix, id, lifetime of the claim in seconds, SHA-256 as in a summary, owner whose pictures count or '', recipe digest or ''.
 * An entry whose picture was lost is removed.
 */
const claim = `${begin}${membershipLua}
local start, owner, recipe = string.sub(ARGV[4], 1, 22), ARGV[5], ARGV[6]
if owner ~= '' then start = start .. ownerTag(owner) end
if owner ~= '' and recipe ~= '' then start = start .. string.sub(recipe, 1, 6) end
local members = {}
for _, member in ipairs(collect('bytes', '[' .. start, '(' .. start .. '~', ${mostSameBytes})) do
	if recipe == '' or string.sub(member, 29, 34) == string.sub(recipe, 1, 6) then members[#members + 1] = member end
end
-- The oldest one.
table.sort(members, function(one, other) return string.sub(one, 35) < string.sub(other, 35) end)
for _, member in ipairs(members) do
	local there = string.sub(member, 35)
	local stored = call('GET', prefix .. 'picture:' .. there)
	local d = stored and cjson.decode(stored)
	if not d then drop('bytes', member)
	elseif (owner == '' or d.o == owner) and (recipe == '' or d.d == recipe) then return { 'there', there } end
end
if call('SET', KEYS[1], ARGV[2], 'NX', 'EX', ARGV[3]) then return { 'claimed', ARGV[2] } end
local holder = call('GET', KEYS[1])
if holder == ARGV[2] then return { 'claimed', holder } end
return { 'held', holder }
`;

/** ARGV: prefix, SHA-256 as in a summary, id. */
const releaseScript = `${begin}${membershipLua}
releaseClaim(string.sub(ARGV[2], 1, 22), ARGV[3])
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

/** Pictures that one script indexes: a few milliseconds of Redis. */
const picturesPerScript = 16;
/** How long Redis may take for a pipeline of a few hundred pictures, milliseconds. */
const pipelinePatience = 30_000;

/** What a change of the index says beside the manifest: a worker has begun the picture or left it, or lost entries shall be restored. */
type Mark = '' | 'processing' | 'left' | 'repair';

export interface CatalogScripts {
	put(picture: Picture, mark?: Mark): Promise<void>;
	/** Also restores lost entries of pictures whose summary is there. */
	putAll(pictures: readonly Picture[]): Promise<void>;
	remove(id: string, sha256?: string): Promise<void>;
	claim(sha256: string, id: string, among?: Among): Promise<Claim>;
	release(sha256: string, id: string): Promise<void>;
}

/**
 * Each change of the index is one script, so that a picture is never in two states at once.
 *
 * @param keys that do not depend on the version of the index: the mark of a deletion, and the channel that tells of deletions
 */
export function defineCatalogScripts(
	redis: Redis,
	prefix: string,
	keys: { readonly deleted: (id: string) => string; readonly deletions: string },
): CatalogScripts {
	redis.defineCommand('catalogPut', { lua: put });
	redis.defineCommand('catalogRemove', { numberOfKeys: 2, lua: remove });
	redis.defineCommand('catalogClaim', { numberOfKeys: 1, lua: claim });
	redis.defineCommand('catalogRelease', { numberOfKeys: 0, lua: releaseScript });
	const commands = redis as Redis & {
		catalogPut(...args: (string | number)[]): Promise<number>;
		catalogRemove(...args: (string | number)[]): Promise<null>;
		catalogClaim(...args: (string | number)[]): Promise<[Claim['outcome'], string]>;
		catalogRelease(...args: string[]): Promise<null>;
	};
	const { deleted: deletedKey } = keys;
	const pictureKey = (id: string) => `${prefix}picture:${id}`;
	const putArguments = (pictures: readonly Picture[], mark: Mark): (string | number)[] => {
		const described = pictures.flatMap((picture) => {
			const { text, recipe } = encodeSummary(picture);
			return [picture.id, text, recipe];
		});
		const ids = pictures.map(({ id }) => id);
		return [ids.length * 2, ...ids.map(pictureKey), ...ids.map(deletedKey), prefix, mark, ...described];
	};

	return {
		async put(picture, mark = picture.state === 'processing' ? 'processing' : '') {
			await askRedis(redis, () => commands.catalogPut(...putArguments([picture], mark)));
		},
		async putAll(pictures) {
			const sorted = [...pictures].sort((one, other) => (one.id < other.id ? -1 : 1));
			const pipeline = redis.pipeline() as ReturnType<Redis['pipeline']> & typeof commands;
			for (let at = 0; at < sorted.length; at += picturesPerScript)
				void pipeline.catalogPut(...putArguments(sorted.slice(at, at + picturesPerScript), 'repair'));
			for (const [error] of (await askRedis(redis, async () => pipeline.exec(), pipelinePatience)) ?? [])
				if (error) throw error;
		},
		async remove(id, sha256) {
			const described = [id, deletionMemory, keys.deletions, sha256 === undefined ? '' : shortBytes(sha256)];
			await askRedis(redis, () => commands.catalogRemove(pictureKey(id), deletedKey(id), prefix, ...described));
		},
		async claim(sha256, id, { recipeDigest, owner } = {}) {
			const bytes = shortBytes(sha256);
			const key = `${prefix}claim:${bytes.slice(0, 22)}`;
			const recipe = recipeDigest === undefined ? '' : shortDigest(recipeDigest);
			const [outcome, holder] = await askRedis(redis, () =>
				commands.catalogClaim(key, prefix, id, claimSeconds, bytes, owner ?? '', recipe),
			);
			return { outcome, id: holder };
		},
		async release(sha256, id) {
			await askRedis(redis, () => commands.catalogRelease(prefix, shortBytes(sha256), id));
		},
	};
}

/**
 * Changes of the last seconds before a connection was lost are sent once more when it is back. A Redis that was killed may have lost the
 * last second of its append-only file, although it acknowledged the changes. Repeating is safe: of two revisions the higher one wins.
 */

/** Age up to which a change is sent again, milliseconds: the second between two syncs of the file, and as much again for a slow disk. */
const repeatedAge = 3_000;
/** Most changes to remember. A busy worker makes some hundreds in that time. */
const mostRepeated = 2_000;

export function repeatAfterLoss(redis: Redis, scripts: CatalogScripts): CatalogScripts {
	let recent: { readonly at: number; readonly change: () => Promise<void> }[] = [];
	let lost: typeof recent = [];
	const remember = async (change: () => Promise<void>) => {
		const at = performance.now();
		const oldest = recent[0];
		if (oldest && (oldest.at < at - repeatedAge * 2 || recent.length > mostRepeated))
			recent = recent.filter((one) => one.at > at - repeatedAge).slice(-mostRepeated / 2);
		recent.push({ at, change });
		await change();
	};
	redis.on('close', () => {
		const now = performance.now();
		// The pause before a reconnect that fails ends with another `close`.
		lost = [...lost, ...recent.filter((one) => one.at > now - repeatedAge)].slice(-mostRepeated);
		recent = [];
	});
	redis.on('ready', () => {
		const changes = lost;
		lost = [];
		const repeat = async () => {
			for (const { change } of changes) await change();
		};
		// If the connection is lost again, the check of the index finds what is missing.
		repeat().catch(() => {});
	});
	return {
		...scripts,
		put: (picture, mark) => remember(() => scripts.put(picture, mark)),
		remove: (id, sha256) => remember(() => scripts.remove(id, sha256)),
	};
}
