import type { Redis } from 'ioredis';
import { pictureOfRender, picturesFolder } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';

/** Tracks stored renders, their sizes and their last use. The record is in Redis and is rebuilt from storage after a loss. */
export interface RenderUse {
	/** Records a new render. If Redis is away, the next full scan of the storage finds it. */
	add(key: string, bytes: number): Promise<void>;
	/** Records a use of a render. Sent to Redis a little later, together with others. */
	touch(key: string): void;
	/** Forgets the renders of a deleted picture, whose files are already gone. */
	forget(pictureId: string): Promise<void>;
	/** Deletes the least recently used renders until the rest fit. @returns how many */
	trim(): Promise<number>;
}

export interface RenderUseOptions {
	readonly redis: Redis;
	readonly prefix: string;
	readonly storage: Storage;
	/** Space for all renders together. */
	readonly megabytes: number;
}

/** Most renders to delete in one sweep, so that it ends. The next sweep continues. */
const mostPerTrim = 10_000;
/** Delay before uses are sent to Redis, milliseconds, and the most keys to send (`mostTouched`). */
const tellAfter = 5_000;
const mostTouched = 10_000;
/** Keys to read from Redis at a time. */
const perLook = 100;

/*
 * The total size is updated by the same scripts that add and forget renders, so it always matches the recorded renders. KEYS of each:
 * renders by last use; sizes of a picture's renders; total size.
 */

/**
 * KEYS: as above; marker of the picture's deletion. ARGV: key, bytes, time. A render that ended after its picture was deleted is not
 * recorded.
 */
const note = `
if redis.call('EXISTS', KEYS[4]) == 1 then return end
local before = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
redis.call('ZADD', KEYS[1], 'GT', ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('INCRBY', KEYS[3], ARGV[2] - before)
`;

/** ARGV: render key; all renders of the picture if absent. @returns their size in bytes */
const forgetRenders = `
local keys = ARGV[1] and { ARGV[1] } or redis.call('HKEYS', KEYS[2])
local bytes = 0
for _, key in ipairs(keys) do
	bytes = bytes + tonumber(redis.call('HGET', KEYS[2], key) or '0')
	redis.call('HDEL', KEYS[2], key)
	redis.call('ZREM', KEYS[1], key)
end
redis.call('DECRBY', KEYS[3], bytes)
return bytes
`;

export function openRenderUse({ redis, prefix, storage, megabytes }: RenderUseOptions): RenderUse {
	redis.defineCommand('renderNote', { numberOfKeys: 4, lua: note });
	redis.defineCommand('renderForget', { numberOfKeys: 3, lua: forgetRenders });
	const commands = redis as Redis & {
		renderNote(...args: (string | number)[]): Promise<null>;
		renderForget(...args: string[]): Promise<number>;
	};
	const used = `${prefix}:renders:used`;
	const total = `${prefix}:renders:total`;
	const counted = `${prefix}:renders:counted`;
	const keysOf = (pictureId: string) => [used, `${prefix}:renders:of:${pictureId}`, total];
	const touched = new Set<string>();
	let isTold = true;
	const tell = () => {
		isTold = true;
		const rows = [...touched].flatMap((key) => [Date.now(), key]);
		touched.clear();
		// Lost while Redis is away: some renders are then deleted too early.
		redis.zadd(used, 'XX', ...rows).catch(() => {});
	};
	const noteAt = (key: string, bytes: number, at: number) => {
		const pictureId = pictureOfRender(key) ?? '';
		return commands.renderNote(...keysOf(pictureId), `${prefix}:catalog:deleted:${pictureId}`, key, bytes, at);
	};

	/** Rebuilds the record after Redis has lost it. The last use is the time of writing. */
	const lookThrough = async () => {
		for await (const key of storage.list(picturesFolder)) {
			if (pictureOfRender(key) === undefined) continue;
			const found = await storage.stat(key);
			if (found) await noteAt(key, found.bytes, found.modifiedAt.getTime());
		}
		await redis.set(counted, '1');
	};

	return {
		async add(key, bytes) {
			await noteAt(key, bytes, Date.now()).catch(() => redis.del(counted).catch(() => {}));
		},
		touch(key) {
			if (touched.size < mostTouched) touched.add(key);
			if (isTold) setTimeout(tell, tellAfter).unref();
			isTold = false;
		},
		async forget(pictureId) {
			await commands.renderForget(...keysOf(pictureId));
		},
		async trim() {
			if ((await redis.exists(counted)) === 0) await lookThrough();
			let over = Number((await redis.get(total)) ?? 0) - megabytes * 1e6;
			let trimmed = 0;
			while (over > 0 && trimmed < mostPerTrim) {
				const oldest = await redis.zrange(used, 0, perLook - 1);
				if (oldest.length === 0) return trimmed;
				for (const key of oldest) {
					if (over <= 0) return trimmed;
					// Delete the object first: an object without a record would never be found again.
					await storage.delete(key);
					over -= await commands.renderForget(...keysOf(pictureOfRender(key) ?? ''), key);
					trimmed += 1;
				}
			}
			return trimmed;
		},
	};
}
