/**
 * The lists that a stored summary belongs to, as pairs of list and member; see `summary.ts` for its fields. Lists of ids are separate for each
 * state, so that a state together with one other filter is one list. The members of `names`, `bytes` and `phash` begin with what is looked up and
 * end with the id; those of `bytes` and `phash` have a digest of the owner in between.
 */
export const membershipLua = `
local ownerTags = {}
local function ownerTag(owner)
	if not owner then return '------' end
	ownerTags[owner] = ownerTags[owner] or string.sub(redis.sha1hex(owner), 1, 6)
	return ownerTags[owner]
end
-- ASCII letters match in any case. Not cut within a character.
local function nameKey(filename)
	local text = string.lower(filename)
	if #text <= 31 then return text end
	local cut = 31
	while cut > 0 and string.byte(text, cut + 1) >= 128 and string.byte(text, cut + 1) < 192 do cut = cut - 1 end
	return string.sub(text, 1, cut)
end
local function groupsOf(d)
	local groups, classes, seen = {}, {}, {}
	for _, failure in ipairs(d.e or {}) do
		local group = failure.class .. ':' .. failure.code
		if not seen[group] then table.insert(groups, group) end
		if not seen[failure.class] then table.insert(classes, failure.class) end
		seen[group] = true
		seen[failure.class] = true
	end
	return groups, classes
end
local function membershipsOf(d, id)
	local pairs = {}
	local function on(list, member) pairs[#pairs + 1] = { list, member or id } end
	local state = ':' .. d.s
	on('state' .. state)
	on('recipe:' .. d.n .. state)
	if d.o then on('owner:' .. d.o .. state) end
	if d.b then on('batch:' .. d.b .. state) end
	for _, tag in ipairs(d.t or {}) do on('tag:' .. tag .. state) end
	local groups, classes = groupsOf(d)
	if #groups > 0 then
		on('failing' .. state)
		if d.b then on('batch-failing:' .. d.b .. state) end
	end
	for _, class in ipairs(classes) do on('class:' .. class .. state) end
	for _, group in ipairs(groups) do on('failure:' .. group .. state) end
	if d.f then
		local member = nameKey(d.f) .. '\\0' .. id
		on('names', member)
		if d.o then on('names:' .. d.o, member) end
	end
	local owner = ownerTag(d.o)
	if d.h then on('bytes', string.sub(d.h, 1, 22) .. owner .. string.sub(d.d, 1, 6) .. id) end
	if d.g then
		for band = 0, 3 do
			local from = band * 4
			local rest = string.sub(d.g, 1, from) .. string.sub(d.g, from + 5)
			on('phash', band .. string.sub(d.g, from + 1, from + 4) .. owner .. rest .. id)
		end
	end
	return pairs
end
-- A group of failures disappears with its last picture.
local function changeGroups(old, new, id)
	local before = old and groupsOf(old) or {}
	local after = new and groupsOf(new) or {}
	local stays = {}
	for _, group in ipairs(after) do
		stays[group] = true
		call('SADD', prefix .. 'failures', group)
		call('ZADD', prefix .. 'failure-time:' .. group, new.i, id)
	end
	for _, group in ipairs(before) do
		if not stays[group] then
			call('ZREM', prefix .. 'failure-time:' .. group, id)
			if call('EXISTS', prefix .. 'failure-time:' .. group) == 0 then call('SREM', prefix .. 'failures', group) end
		end
	end
end
local function countTag(set, tag, by)
	if tonumber(call('ZINCRBY', prefix .. set, by, tag)) > 0 then return end
	call('ZREM', prefix .. set, tag)
end
-- Counts are added up over the pictures of a script.
local tagChanges, recipeChanges, recipeTexts = {}, {}, {}
local function changeTags(old, new)
	local function count(d, by)
		for _, tag in ipairs(d and d.t or {}) do
			for _, set in ipairs({ 'tags', d.o and 'tags:' .. d.o }) do
				local name = set .. '\\0' .. tag
				tagChanges[name] = tagChanges[name] or { set, tag, 0 }
				tagChanges[name][3] = tagChanges[name][3] + by
			end
		end
	end
	count(old, -1)
	count(new, 1)
end
local function useRecipe(digest, by, text)
	recipeChanges[digest] = (recipeChanges[digest] or 0) + by
	recipeTexts[digest] = text or recipeTexts[digest]
end
local function saveCounts()
	for _, change in pairs(tagChanges) do
		if change[3] ~= 0 then countTag(change[1], change[2], change[3]) end
	end
	-- A recipe is stored once, while a picture uses it.
	for digest, by in pairs(recipeChanges) do
		local uses = by == 0 and 1 or call('HINCRBY', prefix .. 'recipe-uses', digest, by)
		if uses <= 0 then
			call('HDEL', prefix .. 'recipe-uses', digest)
			call('HDEL', prefix .. 'recipes', digest)
		elseif uses == by and recipeTexts[digest] then call('HSET', prefix .. 'recipes', digest, recipeTexts[digest]) end
	end
end
-- Additions to lists of ids, in the order of the pictures.
local waiting, order = {}, {}
local function addLater(list, id)
	if not waiting[list] then
		waiting[list] = {}
		order[#order + 1] = list
	end
	table.insert(waiting[list], id)
end
local function saveLists()
	for _, list in ipairs(order) do addSorted(list, waiting[list]) end
end
-- Moves a picture from the lists of its old summary to those of its new one; either may be absent. With 'all', also adds what should be there.
local function change(id, old, new, recipe, all)
	local function join(pair)
		if pair[2] == id then addLater(pair[1], id) else add(pair[1], pair[2]) end
	end
	local after = new and membershipsOf(new, id) or {}
	if not old then
		for _, pair in ipairs(after) do join(pair) end
	else
		local before = {}
		for _, pair in ipairs(membershipsOf(old, id)) do before[pair[1] .. '\\1' .. pair[2]] = pair end
		for _, pair in ipairs(after) do
			local name = pair[1] .. '\\1' .. pair[2]
			if all or not before[name] then join(pair) end
			before[name] = nil
		end
		for _, pair in pairs(before) do drop(pair[1], pair[2]) end
	end
	if (old and old.e) or (new and new.e) then changeGroups(old, new, id) end
	changeTags(old, new)
	if not old or not new or old.d ~= new.d then
		if new then useRecipe(new.d, 1, recipe) end
		if old then useRecipe(old.d, -1) end
	end
end
local function markProcessing(id, d)
	call('ZADD', prefix .. 'processing', 0, id)
	if d.b then call('ZADD', prefix .. 'batch-processing:' .. d.b, 0, id) end
end
local function endProcessing(id, d)
	if call('ZREM', prefix .. 'processing', id) == 1 and d.b then call('ZREM', prefix .. 'batch-processing:' .. d.b, id) end
end
local function releaseClaim(bytes, id)
	local claim = prefix .. 'claim:' .. bytes
	if call('GET', claim) == id then call('DEL', claim) end
end
`;
