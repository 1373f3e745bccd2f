import type { Redis } from 'ioredis';
import { isRenderKey, picturesFolder } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';

/** Which renders there are, how large they are, and when each was asked for last: kept in Redis, found again in storage when that has burned. */
export interface RenderUse {
	/** Notes a render that was stored just now. While Redis is away it is not noted, and found the next time that all are looked through. */
	add(key: string, bytes: number): Promise<void>;
	/** Notes that a render was asked for; told to Redis a little later, together with others. */
	touch(key: string): void;
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

export function openRenderUse({ redis, prefix, storage, megabytes }: RenderUseOptions): RenderUse {
	const keys = {
		used: `${prefix}:renders:used`,
		bytes: `${prefix}:renders:bytes`,
		complete: `${prefix}:renders:complete`,
	};
	const touched = new Set<string>();
	let isTold = true;
	const tell = () => {
		isTold = true;
		const rows = [...touched].flatMap((key) => [Date.now(), key]);
		touched.clear();
		// Lost while Redis is away: then one goes earlier than it should.
		redis.zadd(keys.used, 'XX', ...rows).catch(() => {});
	};
	const note = (key: string, bytes: number, at: number) =>
		redis.multi().zadd(keys.used, 'GT', at, key).hset(keys.bytes, key, bytes).exec();

	/** After a loss of Redis: those in storage, as used when they were written. */
	const lookThrough = async () => {
		for await (const key of storage.list(picturesFolder)) {
			if (!isRenderKey(key)) continue;
			const found = await storage.stat(key);
			if (found) await note(key, found.bytes, found.modifiedAt.getTime());
		}
		await redis.set(keys.complete, '1');
	};
	const total = async () => {
		const sizes = await redis.hvals(keys.bytes);
		return sizes.reduce((sum, bytes) => sum + Number(bytes), 0);
	};

	return {
		async add(key, bytes) {
			await note(key, bytes, Date.now()).catch(() => redis.del(keys.complete).catch(() => {}));
		},
		touch(key) {
			if (touched.size < mostTouched) touched.add(key);
			if (isTold) setTimeout(tell, tellAfter).unref();
			isTold = false;
		},
		async trim() {
			if ((await redis.exists(keys.complete)) === 0) await lookThrough();
			let over = (await total()) - megabytes * 1e6;
			let trimmed = 0;
			while (over > 0 && trimmed < mostPerTrim) {
				const oldest = await redis.zrange(keys.used, 0, perLook - 1);
				if (oldest.length === 0) return trimmed;
				for (const key of oldest) {
					if (over <= 0) return trimmed;
					over -= Number((await redis.hget(keys.bytes, key)) ?? 0);
					// The object first: what is forgotten and still there would never be found again.
					await storage.delete(key);
					await redis.multi().zrem(keys.used, key).hdel(keys.bytes, key).exec();
					trimmed += 1;
				}
			}
			return trimmed;
		},
	};
}
