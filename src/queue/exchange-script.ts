/**
 * The scripts of a backlog. Each is one step that Redis takes at once, and short: its work is bounded by its arguments, not by what waits.
 *
 * Keys of a backlog, below its prefix:
 * - `jobs`: picture → entry of a waiting job: `<level> <owner> <work> <job id> <time>`, and a line with the job's data
 * - `line:<level>:<owner>`: waiting pictures of an owner, in the order of their arrival
 * - `owners:<level>`: owners with waiting pictures, by the virtual time at which their next one starts
 * - `ends:<level>`: virtual times at which the last picture of other owners ended
 * - `levels`: levels with waiting pictures; `turns`: those that had a turn before their time, by its number
 * - `taken`: picture → entry of a job that is in the queue
 * - `moving`: pictures that were taken and whose job no worker has begun, by the time when they were taken
 * - `workers`, `windows`, `window`: workers by the end of their registration, how many jobs each wants to find waiting, and the sum
 * - `state`: counters
 */
export const backlogParts = `
local call = redis.call
local base, bull = ARGV[1], ARGV[2]
local state, jobs, taken, moving = base .. 'state', base .. 'jobs', base .. 'taken', base .. 'moving'
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function key(kind, level) return base .. kind .. ':' .. level end
local function lineOf(level, owner) return key('line', level) .. ':' .. owner end
local function parse(entry) return string.match(entry, '^(%S+) (%S*) (%S+) (%S+) (%S+)') end
-- The present of a level is the start of its next picture. An owner who comes back begins just before it: unused shares are not saved.
local function join(level, owner)
	local owners = key('owners', level)
	if call('ZSCORE', owners, owner) then return end
	local present = tonumber(call('ZRANGE', owners, 0, 0, 'WITHSCORES')[2] or 0) - 0.001
	local ended = tonumber(call('ZSCORE', key('ends', level), owner) or 0)
	if ended > 0 then call('ZREM', key('ends', level), owner) end
	call('ZADD', owners, math.max(present, ended), owner)
	call('ZADD', base .. 'levels', 'NX', level, level)
end
local function enter(picture, entry, place)
	local level, owner = parse(entry)
	call('HSET', jobs, picture, entry)
	call('ZADD', lineOf(level, owner), place, picture)
	join(level, owner)
end
-- The line of an owner has become empty.
local function part(level, owner, ended)
	call('ZREM', key('owners', level), owner)
	local present = call('ZRANGE', key('owners', level), 0, 0, 'WITHSCORES')[2]
	if present then
		if ended > tonumber(present) then call('ZADD', key('ends', level), ended, owner) end
		call('ZREMRANGEBYSCORE', key('ends', level), '-inf', present)
	else
		call('DEL', key('ends', level))
		call('ZREM', base .. 'levels', level)
		call('ZREM', base .. 'turns', level)
		call('HDEL', state, 'passed:' .. level)
	end
end
local function leave(picture, entry)
	local level, owner = parse(entry)
	local line = lineOf(level, owner)
	call('HDEL', jobs, picture)
	if call('ZREM', line, picture) == 1 and call('EXISTS', line) == 0 then
		part(level, owner, tonumber(call('ZSCORE', key('owners', level), owner) or 0))
	end
end
`;

/**
 * Takes jobs into the backlog, and moves as many into the queue as its window has room for.
 *
 * ARGV: prefixes of backlog and queue; a JSON object: `offers` (picture and entry in turn), `started` (pictures whose job a worker has begun),
 * `ended` (picture, job id and measured work in turn), `worker` (id and window; 0 ends its registration), `without` (window while no worker
 * is registered), `most` to move. Returns the window of the registered workers (-1: not asked), the number of jobs left in the backlog, then picture, place
 * (`front` or `back`) and entry of each moved job, which the caller adds to the queue.
 */
export const exchange = `${backlogParts}
local asked = cjson.decode(ARGV[3])
local lease, patience, turn, longList, mostFronts = 30000, 3000, 10, 64, 8

if #asked.started > 0 then call('ZREM', moving, unpack(asked.started)) end
local left = call('HLEN', jobs)

-- What was measured replaces what was estimated.
for at = 1, #asked.ended, 3 do
	local picture, job, work = asked.ended[at], asked.ended[at + 1], asked.ended[at + 2]
	local entry = call('HGET', taken, picture)
	if entry then
		local level, owner, estimate, known = parse(entry)
		if known == job then
			call('HDEL', taken, picture)
			local more = work - tonumber(estimate)
			if left > 0 and work >= 0 and more ~= 0 and not call('ZADD', key('owners', level), 'XX', 'INCR', more, owner) then
				call('ZADD', key('ends', level), 'XX', 'INCR', more, owner)
			end
		end
	end
end

if asked.worker then
	local id, size = asked.worker[1], asked.worker[2]
	for _, gone in ipairs(call('ZRANGEBYSCORE', base .. 'workers', '-inf', now)) do call('HDEL', base .. 'windows', gone) end
	call('ZREMRANGEBYSCORE', base .. 'workers', '-inf', now)
	if size > 0 then
		call('ZADD', base .. 'workers', now + lease, id)
		call('HSET', base .. 'windows', id, size)
	else
		call('ZREM', base .. 'workers', id)
		call('HDEL', base .. 'windows', id)
	end
	local sum = 0
	for _, one in ipairs(call('HVALS', base .. 'windows')) do sum = sum + one end
	if sum > 0 then call('SET', base .. 'window', sum, 'PX', lease) else call('DEL', base .. 'window') end
end

if left == 0 and #asked.offers == 0 and not asked.worker then return { -1, 0 } end
local workers = tonumber(call('GET', base .. 'window') or 0)
local window = math.max(workers > 0 and workers or asked.without, asked.old)
local way = call('ZCARD', moving)

-- A process may have died between taking a job and adding it to the queue. Then the job goes back to the front of its line.
if way > 0 then
	-- Old workers do not report what they have begun.
	for _ = 1, asked.old > 0 and 200 or 10 do
		local picture, since = unpack(call('ZRANGE', moving, 0, 0, 'WITHSCORES'))
		if not picture or tonumber(since) > now - patience then break end
		local entry = call('HGET', taken, picture)
		local job = entry and call('HMGET', bull .. select(4, parse(entry)), 'name', 'processedOn') or {}
		if job[1] and not job[2] then call('ZADD', moving, now, picture)
		else
			call('ZREM', moving, picture)
			way = way - 1
		end
		if entry and not job[1] then
			call('HDEL', taken, picture)
			enter(picture, entry, -call('HINCRBY', state, 'returns', 1))
			left = left + 1
		end
	end
end

local waits = call('LLEN', bull .. 'wait')
local room = window - math.max(waits + call('ZCARD', bull .. 'prioritized'), way)

local moved = {}
local function move(picture, place, entry)
	call('HSET', taken, picture, entry)
	call('ZADD', moving, now, picture)
	room = room - 1
	for _, value in ipairs({ picture, place, entry }) do table.insert(moved, value) end
end

for at = 1, #asked.offers, 2 do
	local picture, entry = asked.offers[at], asked.offers[at + 1]
	local level, _, _, job = parse(entry)
	local before = left > 0 and call('HGET', jobs, picture)
	local isSame = before and select(4, parse(before)) == job
	if not isSame and call('EXISTS', bull .. job) == 0 then
		if before then leave(picture, before) end
		-- Without others there is nothing to decide.
		if left == 0 and room > 0 and level ~= '-1' then move(picture, 'back', entry)
		else
			enter(picture, entry, call('HINCRBY', state, 'arrivals', 1))
			left = left + (before and 0 or 1)
		end
	end
end

-- Urgent jobs go to the front of the queue's own list, some at once and without room, but never before others that went there earlier.
local fronts, atFront = 0, nil
local function placeOfUrgent()
	if atFront then return fronts < mostFronts and 'front' or nil end
	local urgents = 0
	local list = call('LRANGE', bull .. 'wait', -longList, -1)
	for at = #list, 1, -1 do
		local entry = call('HGET', taken, string.match(list[at], '^[^-]+'))
		if entry and string.sub(entry, 1, 3) == '-1 ' then urgents = urgents + 1
		elseif at == #list then return 'front'
		else return nil end
	end
	if urgents == waits and room > 0 then return 'back' end
	return nil
end

-- The first level, unless it has let others pass for long: then the one whose last turn is longest ago, so that nothing waits for ever.
local function nextLevel(isUrgentHeld)
	local found = call('ZRANGEBYSCORE', base .. 'levels', isUrgentHeld and '(-1' or '-inf', '+inf', 'LIMIT', 0, 2)
	local first = found[1]
	if #found < 2 then return first end
	local passed = call('HINCRBY', state, 'passed:' .. first, 1)
	if passed < turn then return first end
	call('HSET', state, 'passed:' .. first, 0)
	local lower = call('ZRANGEBYSCORE', base .. 'levels', '(' .. first, '+inf')
	local best, bestTurn
	for at, score in ipairs(call('ZMSCORE', base .. 'turns', unpack(lower))) do
		local last = tonumber(score or 0)
		if not bestTurn or last < bestTurn then best, bestTurn = lower[at], last end
	end
	call('ZADD', base .. 'turns', call('HINCRBY', state, 'turns', 1), best)
	return best
end

local function takeOf(level, place)
	local owner, start = unpack(call('ZRANGE', key('owners', level), 0, 0, 'WITHSCORES'))
	-- Only after a loss of keys.
	if not owner then
		call('ZREM', base .. 'levels', level)
		return false
	end
	local line = lineOf(level, owner)
	local picture = call('ZPOPMIN', line)[1]
	local entry = picture and call('HGET', jobs, picture)
	local ended = tonumber(start)
	if entry then
		ended = ended + tonumber((select(3, parse(entry))))
		call('HDEL', jobs, picture)
		move(picture, place, entry)
	end
	if call('EXISTS', line) == 1 then call('ZADD', key('owners', level), ended, owner) else part(level, owner, ended) end
	return entry ~= nil and entry ~= false
end

local isUrgentHeld = left == 0 or not call('ZSCORE', base .. 'levels', -1)
for _ = 1, left > 0 and asked.most or 0 do
	local place
	if not isUrgentHeld then
		place = placeOfUrgent()
		isUrgentHeld = place == nil
	end
	if not place and room > 0 then place = 'back' end
	local level = place and nextLevel(isUrgentHeld)
	if not level then break end
	if level ~= '-1' then place = 'back' end
	if takeOf(level, place) then
		left = left - 1
		if place == 'front' then
			atFront = true
			fronts = fronts + 1
		end
		if level == '-1' then isUrgentHeld = not call('ZSCORE', base .. 'levels', -1) end
	end
end
local reply = { workers, left }
for _, value in ipairs(moved) do table.insert(reply, value) end
return reply
`;
