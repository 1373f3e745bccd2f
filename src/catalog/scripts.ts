import type { Redis } from 'ioredis';
import type { Picture } from '../domain/picture.ts';
import { askRedis } from '../queue/redis.ts';

/** How long a deletion is remembered, seconds: far longer than any work on the picture can take. */
const deletionMemory = 24 * 60 * 60;

/** Takes a picture's id out of every set that the stored document names. */
const unlink = `
local function unlink(prefix, id, document)
	local old = cjson.decode(document)
	redis.call('ZREM', prefix .. 'all', id)
	redis.call('ZREM', prefix .. 'state:' .. old.state, id)
	redis.call('ZREM', prefix .. 'recipe:' .. old.recipe.name, id)
	for _, tag in ipairs(old.tags) do redis.call('ZREM', prefix .. 'tag:' .. tag, id) end
	return old
end
`;

/**
 * KEYS: picture, deletion. ARGV: prefix, id, document, revision, state, recipe name, tags.
 * Of two documents with the same revision the one further on in its life wins: queued, processing, finished.
 */
const put = `${unlink}
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local order = { queued = 0, processing = 1, ready = 2, failed = 2 }
local stored = redis.call('GET', KEYS[1])
if stored then
	local old = cjson.decode(stored)
	if old.revision > tonumber(ARGV[4]) then return 0 end
	if old.revision == tonumber(ARGV[4]) and order[old.state] > order[ARGV[5]] then return 0 end
	unlink(ARGV[1], ARGV[2], stored)
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('ZADD', ARGV[1] .. 'all', 0, ARGV[2])
redis.call('ZADD', ARGV[1] .. 'state:' .. ARGV[5], 0, ARGV[2])
redis.call('ZADD', ARGV[1] .. 'recipe:' .. ARGV[6], 0, ARGV[2])
for position = 7, #ARGV do redis.call('ZADD', ARGV[1] .. 'tag:' .. ARGV[position], 0, ARGV[2]) end
return 1
`;

/** KEYS: picture, deletion. ARGV: prefix, id, seconds to remember the deletion. */
const remove = `${unlink}
redis.call('SET', KEYS[2], '1', 'EX', ARGV[3])
local stored = redis.call('GET', KEYS[1])
if stored then unlink(ARGV[1], ARGV[2], stored) end
redis.call('DEL', KEYS[1])
`;

export interface CatalogScripts {
	put(picture: Picture): Promise<void>;
	remove(id: string): Promise<void>;
}

/** Each change of the index is one script, so that a picture never stands in two states at once. */
export function defineCatalogScripts(redis: Redis, prefix: string): CatalogScripts {
	redis.defineCommand('catalogPut', { numberOfKeys: 2, lua: put });
	redis.defineCommand('catalogRemove', { numberOfKeys: 2, lua: remove });
	const commands = redis as Redis & {
		catalogPut(...args: (string | number)[]): Promise<number>;
		catalogRemove(...args: (string | number)[]): Promise<null>;
	};
	const keys = (id: string) => [`${prefix}picture:${id}`, `${prefix}deleted:${id}`];

	return {
		async put(picture) {
			const { id, revision, state, recipe, tags } = picture;
			const document = JSON.stringify(picture);
			await askRedis(redis, () =>
				commands.catalogPut(...keys(id), prefix, id, document, revision, state, recipe.name, ...tags),
			);
		},
		async remove(id) {
			await askRedis(redis, () => commands.catalogRemove(...keys(id), prefix, id, deletionMemory));
		},
	};
}
