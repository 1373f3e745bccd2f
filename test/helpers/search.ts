import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';

/** Where one of the words is: files below a folder, their names, and everything in a Redis. */
export async function placesOf(words: readonly string[], folder: string, redis: Redis): Promise<string[]> {
	const needles = words.flatMap((word) => [word, ...inBase64(word)]).map((word) => Buffer.from(word));
	const places: string[] = [];
	const look = (place: string, bytes: Buffer) => {
		const found = needles.find((needle) => bytes.includes(needle) || Buffer.from(place).includes(needle));
		if (found) places.push(`${found} in ${place}`);
	};
	for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
		const path = join(entry.parentPath, entry.name);
		// Deliveries go on meanwhile, and delete their messages.
		if (entry.isFile()) look(path, await readFile(path).catch(() => Buffer.alloc(0)));
	}
	for await (const keys of redis.scanStream({ count: 1_000 })) {
		for (const key of keys as string[]) look(`Redis ${key}`, await everythingIn(redis, key));
	}
	return places;
}

/** A shorter word may be anywhere in Base64 by chance. */
const shortest = 7;

/** `Upload-Metadata` is in Base64: the word as it looks at each of the three places it may begin at. */
function inBase64(word: string): string[] {
	if (word.length < shortest) return [];
	return [0, 1, 2].map((shift) => {
		const whole = Buffer.concat([Buffer.alloc(shift), Buffer.from(word)]).toString('base64');
		// Only what no other byte has a share in.
		return whole.slice(shift === 0 ? 0 : 4, -4);
	});
}

async function everythingIn(redis: Redis, key: string): Promise<Buffer> {
	switch (await redis.type(key)) {
		case 'string':
			return (await redis.getBuffer(key)) ?? Buffer.alloc(0);
		case 'hash':
			return Buffer.from(JSON.stringify(await redis.hgetall(key)));
		case 'list':
			return Buffer.from(JSON.stringify(await redis.lrange(key, 0, -1)));
		case 'set':
			return Buffer.from(JSON.stringify(await redis.smembers(key)));
		case 'zset':
			return Buffer.from(JSON.stringify(await redis.zrange(key, 0, -1, 'WITHSCORES')));
		case 'stream':
			return Buffer.from(JSON.stringify(await redis.xrange(key, '-', '+')));
		default:
			return Buffer.alloc(0);
	}
}
