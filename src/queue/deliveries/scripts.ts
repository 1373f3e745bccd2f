import type { Redis } from 'ioredis';

/**
 * The scripts of the deliveries that wait in front of the queue `webhooks`. Each is one step that Redis takes at once, and its work is bounded
 * by its arguments, not by what waits.
 *
 * Keys, below their prefix:
 * - `jobs`: job id → entry of a waiting delivery: `<line> <due>`, and a line with its job
 * - `line:<line>`: waiting deliveries of a receiver, by the time when they were due
 * - `lines`: receivers with waiting deliveries, by the time when they were last checked
 * - `slots:<line>`: deliveries of a receiver that are under way: queued or active, by the time when they began to be
 * - `silent:<line>`: set while a receiver does not answer
 * - `moving:<job id>`: entry of a delivery that was moved, until its job is in the queue
 *
 * ARGV begins with the prefixes of these keys and of the queue, and the most deliveries of a receiver under way. Scripts that return moved
 * deliveries return the id and entry of each, and the caller adds them to the queue.
 */
const parts = `
local call = redis.call
local base, bull, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local jobs, lines = base .. 'jobs', base .. 'lines'
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = 86400000
local moved = {}
local function lineKey(line) return base .. 'line:' .. line end
local function slotsKey(line) return base .. 'slots:' .. line end
local function parse(entry) return string.match(entry, '^(%S+) (%S+)') end
local function roomOf(line)
	return (call('EXISTS', base .. 'silent:' .. line) == 1 and 1 or most) - call('ZCARD', slotsKey(line))
end
local function take(line, id)
	call('ZADD', slotsKey(line), now, id)
	call('PEXPIRE', slotsKey(line), day)
end
local function give(line, id, entry)
	take(line, id)
	-- If this process dies, the check of the line or the sweep finds out.
	call('SET', base .. 'moving:' .. id, entry, 'PX', 60000)
	table.insert(moved, id)
	table.insert(moved, entry)
end
local function enter(id, entry)
	local line, due = parse(entry)
	call('HSET', jobs, id, entry)
	call('ZADD', lineKey(line), due, id)
	call('ZADD', lines, 'NX', now, line)
	return line
end
local function dispatch(line)
	if call('EXISTS', lineKey(line)) == 0 then return end
	for _ = 1, roomOf(line) do
		local id = call('ZPOPMIN', lineKey(line))[1]
		if not id then break end
		local entry = call('HGET', jobs, id)
		if entry then
			call('HDEL', jobs, id)
			give(line, id, entry)
		end
	end
	if call('EXISTS', lineKey(line)) == 0 then call('ZREM', lines, line) end
end
`;

/** ARGV: job id, entry. Takes a delivery, unless it is known or its job exists. Returns moved deliveries. */
const offer = `${parts}
local id, entry = ARGV[4], ARGV[5]
if call('EXISTS', bull .. id, base .. 'moving:' .. id) > 0 or call('HEXISTS', jobs, id) == 1 then return moved end
local line = parse(entry)
-- Without others there is nothing to decide.
if call('EXISTS', lineKey(line)) == 0 and roomOf(line) > 0 then give(line, id, entry)
else dispatch(enter(id, entry)) end
return moved
`;

/** ARGV: line, job id. A worker begins a job. Returns 0 if its receiver has too many under way: a retry that is due has no place yet. */
const claim = `${parts}
local line, id = ARGV[4], ARGV[5]
if not call('ZSCORE', slotsKey(line), id) and roomOf(line) <= 0 then return 0 end
take(line, id)
return 1
`;

/**
 * ARGV: job id, entry. Moves a delayed job from the queue into the line of its receiver. Returns moved deliveries.
 */
const park = `${parts}
local id, entry = ARGV[4], ARGV[5]
if call('ZREM', bull .. 'delayed', id) == 1 then
	call('DEL', bull .. id, bull .. id .. ':logs')
	enter(id, entry)
end
dispatch((parse(entry)))
return moved
`;

/**
 * ARGV: line, job id, then `answered` or `silent` if the receiver was tried. An attempt has ended. A receiver that does not answer is tried one
 * at a time until it does. Returns moved deliveries.
 */
const release = `${parts}
local line, id, outcome = ARGV[4], ARGV[5], ARGV[6]
call('ZREM', slotsKey(line), id)
if outcome == 'silent' then call('SET', base .. 'silent:' .. line, 1, 'PX', day)
elseif outcome == 'answered' then call('DEL', base .. 'silent:' .. line) end
dispatch(line)
return moved
`;

/** ARGV: line, job ids. Removes deliveries. Returns moved ones, which have their places. */
const forget = `${parts}
for at = 5, #ARGV do
	local id = ARGV[at]
	local entry = call('HGET', jobs, id) or call('GET', base .. 'moving:' .. id)
	local line = entry and parse(entry) or ARGV[4]
	call('HDEL', jobs, id)
	call('DEL', base .. 'moving:' .. id)
	call('ZREM', lineKey(line), id)
	call('ZREM', slotsKey(line), id)
end
dispatch(ARGV[4])
return moved
`;

/** ARGV: line, most to remove. Removes some of the waiting deliveries of a receiver. Returns how many are left. */
const clear = `${parts}
local ids = call('ZRANGE', lineKey(ARGV[4]), 0, ARGV[5] - 1)
if #ids > 0 then
	call('HDEL', jobs, unpack(ids))
	call('ZREM', lineKey(ARGV[4]), unpack(ids))
end
local left = call('ZCARD', lineKey(ARGV[4]))
if left == 0 then call('ZREM', lines, ARGV[4]) end
return left
`;

/** ARGV: job ids. Returns for each: 1 if its delivery waits here or was just moved, otherwise 0. Mends what a partial loss of keys broke. */
const find = `${parts}
local ids = { unpack(ARGV, 4) }
local entries = call('HMGET', jobs, unpack(ids))
local byLine, found = {}, {}
for at, id in ipairs(ids) do
	if entries[at] then
		found[at] = 1
		local line = parse(entries[at])
		byLine[line] = byLine[line] or {}
		table.insert(byLine[line], at)
	else found[at] = call('EXISTS', base .. 'moving:' .. id) end
end
for line, places in pairs(byLine) do
	call('ZADD', lines, 'NX', 0, line)
	local members = {}
	for _, at in ipairs(places) do table.insert(members, ids[at]) end
	for number, score in ipairs(call('ZMSCORE', lineKey(line), unpack(members))) do
		if not score then enter(ids[places[number]], entries[places[number]]) end
	end
end
return found
`;

/**
 * ARGV: most lines to check. Frees the places of deliveries that are no longer under way, because a process has died. Returns the number of
 * lines that it checked, then moved deliveries. A line is checked every ten seconds, by whichever worker comes first.
 */
const check = `${parts}
local every, patience = 9500, 3000
local due = call('ZRANGEBYSCORE', lines, '-inf', now - every, 'LIMIT', 0, ARGV[4])
for _, line in ipairs(due) do
	call('ZADD', lines, now, line)
	local slots = call('ZRANGE', slotsKey(line), 0, -1, 'WITHSCORES')
	for at = 1, #slots, 2 do
		local id = slots[at]
		local job = tonumber(slots[at + 1]) < now - patience and call('HMGET', bull .. id, 'name', 'finishedOn')
		if job and not job[1] then
			-- Its process died before it had added the job.
			call('ZREM', slotsKey(line), id)
			local entry = call('GET', base .. 'moving:' .. id)
			if entry then
				call('DEL', base .. 'moving:' .. id)
				enter(id, entry)
			end
		elseif job and (job[2] or call('ZSCORE', bull .. 'delayed', id)) then call('ZREM', slotsKey(line), id) end
	end
	dispatch(line)
	if call('EXISTS', lineKey(line)) == 0 then call('ZREM', lines, line) end
end
table.insert(moved, 1, #due)
return moved
`;

/** The scripts as commands. */
export interface DeliveryCommands {
	deliveryOffer(...args: (string | number)[]): Promise<string[]>;
	deliveryClaim(...args: (string | number)[]): Promise<0 | 1>;
	deliveryPark(...args: (string | number)[]): Promise<string[]>;
	deliveryRelease(...args: (string | number)[]): Promise<string[]>;
	deliveryForget(...args: (string | number)[]): Promise<string[]>;
	deliveryClear(...args: (string | number)[]): Promise<number>;
	deliveryFind(...args: (string | number)[]): Promise<(0 | 1)[]>;
	deliveryCheck(...args: (string | number)[]): Promise<[lines: number, ...string[]]>;
}

export function defineDeliveryScripts(redis: Redis): DeliveryCommands {
	for (const [name, lua] of Object.entries({ offer, claim, park, release, forget, clear, find, check })) {
		redis.defineCommand(`delivery${name[0]?.toUpperCase()}${name.slice(1)}`, { numberOfKeys: 0, lua });
	}
	return redis as Redis & DeliveryCommands;
}
