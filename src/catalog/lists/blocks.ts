/**
 * Lists of the index, as Lua that every script begins with. A list is a sorted set cut into blocks, because Redis stores a sorted set of
 * up to 128 short members as a listpack, with 4 bytes of overhead for each, and a larger one as a skip list, with 80.
 *
 * The first block has the name of the list. Once there are more, `<list>#` holds the member at which each block begins, the first one
 * as an empty string, and block `<list>#<begin>` the members from there on. A begin is only as long as it has to be, and a prefix of the first
 * member of its block, so nothing of a removed member stays. Lists with several blocks have their length in the hash `counts`.
 */

/** Members of a block above which it is split, below the 128 of Redis's default. Only one addition in 16 looks, so some blocks grow further. */
const blockLength = 48;

/** Members of Redis's largest listpack, by default. */
const longestBlock = 128;

/** `prefix` has to be a local variable of the script. `cost` counts the commands that were called. */
export const listLua = `
local cost = 0
local function call(...)
	cost = cost + 1
	return redis.call(...)
end
local function blockOf(list, member)
	local begin = call('ZREVRANGEBYLEX', list .. '#', '[' .. member, '-', 'LIMIT', 0, 1)[1]
	if not begin or begin == '' then return list, begin end
	return list .. '#' .. begin, begin
end
-- The shortest text that is greater than one member and not greater than the next.
local function between(last, first)
	local at = 1
	while string.byte(last, at) == string.byte(first, at) do at = at + 1 end
	return string.sub(first, 1, at)
end
-- Lists that are searched by the beginning of their members are never counted.
local function isCounted(list)
	local kind = string.sub(list, #prefix + 1, #prefix + 5)
	return kind ~= 'names' and kind ~= 'phash' and kind ~= 'bytes'
end
local function split(list, block, begin)
	local length = call('ZCARD', block)
	local at = math.floor(length / 2)
	-- New pictures come last, and a block that they have filled stays full.
	local isLast = not call('ZRANGEBYLEX', list .. '#', '(' .. (begin or ''), '+', 'LIMIT', 0, 1)[1]
	if isLast and length < ${longestBlock} then at = length - 1 end
	local edge = call('ZRANGE', block, at - 1, at)
	local cut = between(edge[1], edge[2])
	if not begin then
		if isCounted(list) then call('HSET', prefix .. 'counts', list, length) end
		call('ZADD', list .. '#', 0, '')
	end
	call('ZADD', list .. '#', 0, cut)
	call('ZRANGESTORE', list .. '#' .. cut, block, at, -1)
	if length <= ${longestBlock} then call('ZREMRANGEBYRANK', block, at, -1)
	-- Stored anew, because Redis never turns a skip list back into a listpack.
	else call('ZRANGESTORE', block, block, 0, at - 1) end
end
local function add(list, member)
	list = prefix .. list
	local block, begin = blockOf(list, member)
	if call('ZADD', block, 0, member) == 0 then return end
	if begin and isCounted(list) then call('HINCRBY', prefix .. 'counts', list, 1) end
	-- Members end with an id, whose end is random.
	if string.byte(member, -1) % 16 == 0 and call('ZCARD', block) > ${blockLength} then split(list, block, begin) end
end
-- Sorted ids; those that follow the last one of the list are added at once.
local function addSorted(list, ids)
	if #ids == 1 then return add(list, ids[1]) end
	local full = prefix .. list
	local block, begin = blockOf(full, ids[1])
	if begin and call('ZRANGEBYLEX', full .. '#', '(' .. begin, '+', 'LIMIT', 0, 1)[1] then
		for _, id in ipairs(ids) do add(list, id) end
		return
	end
	local pairs = {}
	for number, id in ipairs(ids) do pairs[number * 2 - 1], pairs[number * 2] = 0, id end
	local added = call('ZADD', block, unpack(pairs))
	if begin and added > 0 then call('HINCRBY', prefix .. 'counts', full, added) end
	if added > 0 and call('ZCARD', block) > ${blockLength} then split(full, block, begin) end
end
local function drop(list, member)
	list = prefix .. list
	local block, begin = blockOf(list, member)
	if call('ZREM', block, member) == 0 or not begin then return end
	if isCounted(list) then call('HINCRBY', prefix .. 'counts', list, -1) end
	local first = call('ZRANGE', block, 0, 0)[1]
	if begin ~= '' and not (first and string.sub(first, 1, #begin) == begin) then
		call('ZREM', list .. '#', begin)
		if first then
			local moved = between(member, first)
			call('ZADD', list .. '#', 0, moved)
			call('RENAME', block, list .. '#' .. moved)
		end
	end
	if not first and call('ZCARD', list .. '#') == 1 and call('EXISTS', list) == 0 then
		call('DEL', list .. '#')
		call('HDEL', prefix .. 'counts', list)
	end
end
local function has(list, member)
	return call('ZSCORE', (blockOf(prefix .. list, member)), member) ~= false
end
local function lengthOf(list)
	return tonumber(call('HGET', prefix .. 'counts', prefix .. list) or call('ZCARD', prefix .. list))
end
local function blockName(list, begin)
	if begin == '' then return list end
	return list .. '#' .. begin
end
-- Members from one bound of ZRANGEBYLEX to the other, at most n, upwards or downwards.
local function collect(name, from, to, n, down)
	local list = prefix .. name
	local found = {}
	local range = down and 'ZREVRANGEBYLEX' or 'ZRANGEBYLEX'
	local function read(begin)
		for _, member in ipairs(call(range, blockName(list, begin), from, to, 'LIMIT', 0, n - #found)) do
			found[#found + 1] = member
		end
		return #found >= n
	end
	local low = down and to or from
	local first = '-'
	if low ~= '-' then
		first = call('ZREVRANGEBYLEX', list .. '#', '[' .. string.sub(low, 2), '-', 'LIMIT', 0, 1)[1]
		if not first then
			read('')
			return found
		end
	end
	-- The block of the lower bound is the first or the last one to read; those above it begin within the bounds.
	if not down then
		local begin = first
		if first == '-' then begin = '' end
		if read(begin) then return found end
		while true do
			local begins = call('ZRANGEBYLEX', list .. '#', '(' .. begin, to, 'LIMIT', 0, 8)
			for _, next in ipairs(begins) do
				if read(next) then return found end
				begin = next
			end
			if #begins < 8 then return found end
		end
	end
	local upper = from == '+' and '+' or '[' .. string.sub(from, 2)
	local lower = first == '-' and '-' or '(' .. first
	while true do
		local begins = call('ZREVRANGEBYLEX', list .. '#', upper, lower, 'LIMIT', 0, 8)
		for _, begin in ipairs(begins) do
			if read(begin) then return found end
			upper = '(' .. begin
		end
		if #begins < 8 then break end
	end
	if first ~= '-' then read(first)
	elseif upper == '+' or string.sub(upper, 1, 1) == '[' then read('') end
	return found
end
`;
