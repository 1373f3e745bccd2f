import type { Redis } from 'ioredis';
import { pictureOfRender, picturesFolder } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';

/** Which renders there are, how large they are, and when each was asked for last: kept in Redis, found again in storage when that has burned. */
export interface RenderUse {
	/** Notes a render that was stored just now. While Redis is away it is not noted, and found the next time that all are looked through. */
	add(key: string, bytes: number): Promise<void>;
	/** Notes that a render was asked for; told to Redis a little later, together with others. */
	touch(key: string): void;
	/** Forgets those of a picture that was deleted, and with it their files. */
	forget(pictureId: string): Promise<void>;
	/** Deletes those that nobody has asked for the longest until the rest fits. @returns how many */
	trim(): Promise<number>;
}

export interface RenderUseOptions {
	readonly redis: Redis;
	readonly prefix: string;
	readonly storage: Storage;
	/** Room for all of them. */
	readonly megabytes: number;
}

/** Most that one sweep deletes, so that it ends; the next goes on. */
const mostPerTrim = 10_000;
/** What was asked for is told to Redis so late, milliseconds, and not more than so many keys of it. */
const tellAfter = 5_000;
const mostTouched = 10_000;
/** So many are taken from Redis at once. */
const perLook = 100;

/*
 * What all of them take is counted by the same scripts that note and forget them, so it is always the sum of what is known. KEYS of each: those used,
 * by when; bytes of those of a picture; the sum.
 */

/** KEYS: as above; that the picture was deleted. ARGV: key, bytes, time. One that was being made when its picture was deleted is not noted. */
const note = `
if redis.call('EXISTS', KEYS[4]) == 1 then return end
local before = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
redis.call('ZADD', KEYS[1], 'GT', ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('INCRBY', KEYS[3], ARGV[2] - before)
`;

/** ARGV: key; those of the whole picture without one. @returns bytes that they took */
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
		// Lost while Redis is away: then one goes earlier than it should.
		redis.zadd(used, 'XX', ...rows).catch(() => {});
	};
	const noteAt = (key: string, bytes: number, at: number) => {
		const pictureId = pictureOfRender(key) ?? '';
		return commands.renderNote(...keysOf(pictureId), `${prefix}:catalog:deleted:${pictureId}`, key, bytes, at);
	};

	/** After a loss of Redis: those in storage, as used when they were written. */
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
					// The object first: what is forgotten and still there would never be found again.
					await storage.delete(key);
					over -= await commands.renderForget(...keysOf(pictureOfRender(key) ?? ''), key);
					trimmed += 1;
				}
			}
			return trimmed;
		},
	};
}
