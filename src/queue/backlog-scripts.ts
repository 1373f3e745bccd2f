import type { Redis } from 'ioredis';
import { backlogParts, exchange } from './exchange-script.ts';

/**
 * Removes a picture's job from the backlog. ARGV: prefixes, picture, job id, `wait` to leave a job alone that is on its way into the queue.
 * Returns 1 if it was left alone.
 */
const forget = `${backlogParts}
local picture, job = ARGV[3], ARGV[4]
local entry = call('HGET', jobs, picture)
if entry then leave(picture, entry) end
local isMoving = call('ZSCORE', moving, picture) and call('EXISTS', bull .. job) == 0
if isMoving and ARGV[5] == 'wait' then return 1 end
call('HDEL', taken, picture)
call('ZREM', moving, picture)
return 0
`;

/**
 * Which pictures have a job? ARGV: prefixes, pictures. Returns for each: 1 if it waits in the backlog, its job's id if that is in the queue, 0
 * if it is unknown here. Mends what a partial loss of keys has broken.
 */
const find = `${backlogParts}
local found, seen = {}, {}
for at = 3, #ARGV do
	local picture = ARGV[at]
	local entry = call('HGET', jobs, picture)
	if entry then
		local level, owner = parse(entry)
		local line = lineOf(level, owner)
		if not call('ZSCORE', line, picture) then enter(picture, entry, call('HINCRBY', state, 'arrivals', 1)) end
		if not seen[line] then
			seen[line] = true
			join(level, owner)
			call('ZADD', base .. 'levels', 'NX', level, level)
		end
		table.insert(found, '1')
	else
		entry = call('HGET', taken, picture)
		table.insert(found, entry and select(4, parse(entry)) or '0')
	end
end
return found
`;

/**
 * Moves jobs out of the queue: those that lie in it from before there was a backlog, the last ones first, or failed ones. ARGV: prefixes,
 * `waiting` or `failed`, most to move, number to leave waiting, level of failed ones, megapixels of a byte. Waiting jobs that a worker has
 * begun before stay. Returns how many were moved.
 */
const takeOver = `${backlogParts}
local from, most, keep, bulk, perByte = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local moved = 0
local function move(id, level, remove)
	if moved >= most then return end
	local job = bull .. id
	local fields = call('HMGET', job, 'data', 'timestamp', 'ats')
	local ok, data = pcall(cjson.decode, fields[1] or '')
	if not ok or type(data) ~= 'table' or type(data.pictureId) ~= 'string' or (fields[3] and from == 'waiting') then return end
	-- From the backlog, and retried by nobody.
	if from == 'waiting' and call('HEXISTS', taken, data.pictureId) == 1 then return end
	remove()
	call('DEL', job, job .. ':logs')
	local owner = type(data.owner) == 'string' and data.owner or ''
	owner = string.gsub(owner, '[^%w_.~-]', function(c) return string.format('%%%02X', string.byte(c)) end)
	local bytes = type(data.source) == 'table' and tonumber(data.source.bytes) or 0
	local head = { level, owner, math.max(0.1, bytes * perByte), id, fields[2] or now }
	local place = from == 'waiting' and -call('HINCRBY', state, 'returns', 1) or call('HINCRBY', state, 'arrivals', 1)
	enter(data.pictureId, table.concat(head, ' ') .. '\\n' .. fields[1], place)
	moved = moved + 1
end
if from == 'failed' then
	local failed = bull .. 'failed'
	for _, id in ipairs(call('ZRANGE', failed, 0, most - 1)) do move(id, bulk, function() call('ZREM', failed, id) end) end
	return moved
end
local prioritized = call('ZREVRANGE', bull .. 'prioritized', 0, 2 * most, 'WITHSCORES')
for at = 1, #prioritized, 2 do
	local id = prioritized[at]
	local level = math.floor(tonumber(prioritized[at + 1]) / 0x100000000)
	move(id, level, function() call('ZREM', bull .. 'prioritized', id) end)
end
local wait = bull .. 'wait'
local last = math.min(2 * most, call('LLEN', wait) - keep)
if last > 0 then
	for _, id in ipairs(call('LRANGE', wait, 0, last - 1)) do move(id, 0, function() call('LREM', wait, 1, id) end) end
end
return moved
`;

/**
 * Empties a backlog by steps, an owner of a level each. ARGV: prefixes. Returns 0 when it is empty. Jobs that are in the queue are not put back
 * when they disappear from it.
 */
const clear = `${backlogParts}
local level = call('ZRANGE', base .. 'levels', 0, 0)[1]
if not level then
	call('UNLINK', jobs, moving)
	return 0
end
local owner = call('ZRANGE', key('owners', level), 0, 0)[1] or ''
call('UNLINK', lineOf(level, owner))
part(level, owner, 0)
return 1
`;

/** Removes some of what is known about jobs that have ended. ARGV: prefixes. Returns 0 when all were looked at. */
const tidy = `${backlogParts}
local page = call('HSCAN', taken, call('HGET', state, 'tidied') or '0', 'COUNT', 100)
call('HSET', state, 'tidied', page[1])
for at = 1, #page[2], 2 do
	local picture, job = page[2][at], select(4, parse(page[2][at + 1]))
	local isGone = call('EXISTS', bull .. job) == 0 or call('ZSCORE', bull .. 'completed', job) or call('ZSCORE', bull .. 'failed', job)
	if isGone and not call('ZSCORE', moving, picture) then call('HDEL', taken, picture) end
end
return tonumber(page[1])
`;

/** The scripts as commands. Their arguments begin with the prefixes of backlog and queue. */
export interface BacklogCommands {
	backlogExchange(base: string, bull: string, asked: string): Promise<[window: number, left: number, ...string[]]>;
	backlogForget(...args: string[]): Promise<0 | 1>;
	backlogFind(...args: string[]): Promise<string[]>;
	backlogTakeOver(...args: (string | number)[]): Promise<number>;
	backlogClear(base: string, bull: string): Promise<0 | 1>;
	backlogTidy(base: string, bull: string): Promise<number>;
}

export function defineBacklogScripts(redis: Redis): BacklogCommands {
	const scripts = { exchange, forget, find, takeOver, clear, tidy };
	for (const [name, lua] of Object.entries(scripts)) {
		redis.defineCommand(`backlog${name[0]?.toUpperCase()}${name.slice(1)}`, { numberOfKeys: 0, lua });
	}
	return redis as Redis & BacklogCommands;
}
