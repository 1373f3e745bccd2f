import type { Redis } from 'ioredis';
import { askRedis } from '../../queue/redis.ts';
import { listLua } from './blocks.ts';

/**
 * Pages of the index. A filter is one list, or the union of its lists of several states. Filters together are a leapfrog join: each list in
 * turn jumps to the candidate of the others, so what does not match costs a jump and not a picture. A script stops after a fixed number of
 * commands, and its cursor continues from there.
 */

/** Commands of one script, some microseconds each: it never holds Redis for more than a few milliseconds. */
const mostCommands = 1_000;
/** Members that a jump reads. Where two lists agree, the next ones are there already. */
const readAhead = 24;
/** Matches to count for the total of several filters. */
export const countedTotal = 1_000;

/** ARGV: prefix, limit, id before which the page begins or '', lowest id or '', state or '', matches to count, then for each filter the number of lists and lists. */
const page = `
local prefix = ARGV[1]
${listLua}
local limit, state, counted = tonumber(ARGV[2]), ARGV[5], tonumber(ARGV[6])
local bound = ARGV[3] == '' and '+' or '(' .. ARGV[3]
local floor = ARGV[4] == '' and '-' or '[' .. ARGV[4]
local filters, at = {}, 7
while at <= #ARGV do
	local lists = {}
	for offset = 1, tonumber(ARGV[at]) do lists[offset] = { name = ARGV[at + offset], members = {}, at = 1 } end
	filters[#filters + 1] = lists
	at = at + #lists + 1
end
-- Compares bytes: Lua compares by the locale of the server.
local function isBefore(a, b)
	for at = 1, #a do
		local x, y = string.byte(a, at), string.byte(b, at)
		if not y then return false end
		if x ~= y then return x < y end
	end
	return #a < #b
end
-- Is this member, downwards, already beyond the bound?
local function isWithin(member, bound)
	if bound == '+' then return true end
	local id = string.sub(bound, 2)
	if member == id then return string.sub(bound, 1, 1) == '[' end
	return isBefore(member, id)
end
local ahead = #filters == 1 and math.min(limit, 100) or ${readAhead}
local function headOf(list, bound)
	while true do
		local member = list.members[list.at]
		if member then
			if isWithin(member, bound) then return member end
			list.at = list.at + 1
		elseif list.ended then return nil
		else
			list.members, list.at = collect(list.name, bound, floor, ahead, true), 1
			if #list.members < ahead then list.ended = true end
			if #list.members == 0 then return nil end
		end
	end
end
local function highest(lists, bound)
	local found
	for _, list in ipairs(lists) do
		local member = headOf(list, bound)
		if member and (not found or isBefore(found, member)) then found = member end
	end
	return found
end
local ids, matches, last, isAtEnd = {}, 0, nil, false
local isOne = #filters == 1 and floor == '-'
local wanted = isOne and limit + 1 or math.max(limit + 1, counted)
-- Only a few are being processed. They are in the lists of those that are queued.
local skips = state == 'queued' and call('ZCARD', prefix .. 'processing') > 0
while matches < wanted and cost < ${mostCommands} do
	local candidate = highest(filters[1], bound)
	local isMatch = candidate ~= nil
	for number = 2, #filters do
		if not isMatch then break end
		local other = highest(filters[number], '[' .. candidate)
		if other ~= candidate then
			isMatch = false
			if other then bound = '[' .. other else candidate = nil end
		end
	end
	if not candidate then
		isAtEnd = true
		break
	end
	if isMatch then
		if not (skips and call('ZSCORE', prefix .. 'processing', candidate)) then
			matches = matches + 1
			if #ids < limit then ids[#ids + 1] = candidate end
		end
		bound = '(' .. candidate
	end
	-- Everything down to here was looked at.
	if matches <= limit then last = candidate end
end
local next = ''
if matches > limit then next = ids[limit]
elseif not isAtEnd then next = last or '' end
local documents, processing = {}, {}
if #ids > 0 then
	local keys = {}
	for number, id in ipairs(ids) do keys[number] = prefix .. 'picture:' .. id end
	documents = call('MGET', unpack(keys))
	processing = call('ZMSCORE', prefix .. 'processing', unpack(ids))
	for number = 1, #ids do
		if not documents[number] then documents[number] = '' end
		processing[number] = processing[number] and 1 or 0
	end
end
local total, isExact = matches, isAtEnd and 1 or 0
if isOne and counted > 0 then
	total, isExact = 0, 1
	for _, list in ipairs(filters[1]) do total = total + lengthOf(list.name) end
	if skips then
		local working = call('ZRANGE', prefix .. 'processing', 0, 499)
		if #working == 500 then isExact = 0 end
		for _, id in ipairs(working) do
			if has(filters[1][1].name, id) then total = total - 1 end
		end
	end
end
return { ids, documents, processing, next, total, isExact }
`;

/** ARGV: prefix, list, first bound, last bound, members, length of the id. Upwards, with the summaries. */
const named = `
local prefix = ARGV[1]
${listLua}
local members = collect(ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]))
if #members == 0 then return { {}, {}, {} } end
local keys, ids = {}, {}
for number, member in ipairs(members) do
	ids[number] = string.sub(member, -30)
	keys[number] = prefix .. 'picture:' .. ids[number]
end
local documents, processing = call('MGET', unpack(keys)), call('ZMSCORE', prefix .. 'processing', unpack(ids))
for number = 1, #ids do
	if not documents[number] then documents[number] = '' end
	processing[number] = processing[number] and 1 or 0
end
return { members, documents, processing }
`;

/** ARGV: prefix, list, first bound, last bound, members. */
const membersScript = `
local prefix = ARGV[1]
${listLua}
return collect(ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]))
`;

/** ARGV: prefix, lists. */
const lengths = `
local prefix = ARGV[1]
${listLua}
local found = {}
for at = 2, #ARGV do found[at - 1] = lengthOf(ARGV[at]) end
return found
`;

/** Length of a picture's id, characters; the members of all lists end with it. */
export const idLength = 30;

/** Summaries as stored. */
interface StoredPage {
	readonly ids: readonly string[];
	/** Empty for a picture whose summary was lost. */
	readonly documents: readonly string[];
	readonly processing: readonly number[];
}

interface IdPage extends StoredPage {
	readonly next: string | undefined;
	readonly total: number;
	/** False if there may be more than `total`. */
	readonly isExact: boolean;
}

interface PageQuery {
	/** Each filter as the lists of the states that count; a picture has to be in one list of each. */
	readonly filters: readonly (readonly string[])[];
	readonly before?: string | undefined;
	/** The lowest id. */
	readonly from?: string | undefined;
	/** Leaves out pictures that are being processed. */
	readonly isQueuedOnly: boolean;
	readonly limit: number;
	readonly counted: number;
}

export interface ListPages {
	page(query: PageQuery): Promise<IdPage>;
	/** Members of a list whose order is not that of the ids, and the summaries. */
	named(
		list: string,
		from: string,
		to: string,
		count: number,
	): Promise<StoredPage & { readonly members: readonly string[] }>;
	members(list: string, from: string, to: string, count: number): Promise<string[]>;
	/** The same for many ranges, in one round trip. */
	ranges(list: string, bounds: readonly (readonly [from: string, to: string])[], count: number): Promise<string[][]>;
	lengths(lists: readonly string[]): Promise<number[]>;
}

/** @param prefix of the lists */
export function openListPages(redis: Redis, prefix: string): ListPages {
	redis.defineCommand('catalogPage', { numberOfKeys: 0, lua: page });
	redis.defineCommand('catalogNamed', { numberOfKeys: 0, lua: named });
	redis.defineCommand('catalogMembers', { numberOfKeys: 0, lua: membersScript });
	redis.defineCommand('catalogLengths', { numberOfKeys: 0, lua: lengths });
	type Argument = string | number;
	const commands = redis as Redis & {
		catalogPage(...args: Argument[]): Promise<[string[], string[], number[], string, number, number]>;
		catalogNamed(...args: Argument[]): Promise<[string[], string[], number[]]>;
		catalogMembers(...args: Argument[]): Promise<string[]>;
		catalogLengths(...args: Argument[]): Promise<number[]>;
	};

	return {
		async page({ filters, before = '', from = '', isQueuedOnly, limit, counted }) {
			const lists = filters.flatMap((one) => [one.length, ...one]);
			const asked = [prefix, limit, before, from, isQueuedOnly ? 'queued' : '', counted, ...lists];
			const [ids, documents, processing, next, total, isExact] = await askRedis(redis, () =>
				commands.catalogPage(...asked),
			);
			return { ids, documents, processing, next: next || undefined, total, isExact: isExact === 1 };
		},
		async named(list, from, to, count) {
			const [members, documents, processing] = await askRedis(redis, () =>
				commands.catalogNamed(prefix, list, from, to, count),
			);
			return { members, ids: members.map((one) => one.slice(-idLength)), documents, processing };
		},
		members: (list, from, to, count) => askRedis(redis, () => commands.catalogMembers(prefix, list, from, to, count)),
		async ranges(list, bounds, count) {
			const pipeline = redis.pipeline() as ReturnType<Redis['pipeline']> & typeof commands;
			for (const [from, to] of bounds) void pipeline.catalogMembers(prefix, list, from, to, count);
			const answers = (await askRedis(redis, async () => pipeline.exec())) ?? [];
			return answers.map(([error, members]) => {
				if (error) throw error;
				return members as string[];
			});
		},
		lengths: (lists) => askRedis(redis, () => commands.catalogLengths(prefix, ...lists)),
	};
}
