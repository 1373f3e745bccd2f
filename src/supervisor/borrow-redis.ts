import { mkdir } from 'node:fs/promises';
import { type Config, ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import { lockDataFolder } from './lock.ts';
import { runOwnRedis } from './redis.ts';
import { checkRedis } from './redis-check.ts';
import { isListening } from './redis-orphan.ts';
import { makeRedisPlace } from './redis-place.ts';
import { refuse } from './role.ts';

/** A Redis for a command that ends. */
export interface BorrowedRedis {
	readonly url: string;
	/** Ends it, where it was started for this. */
	leave(): Promise<void>;
}

/**
 * The Redis at `REDIS_URL`, or picpipe's own, which is started for as long as it takes unless `picpipe start` runs it.
 *
 * @throws ConfigError
 */
export async function borrowRedis(config: Config, log: Logger): Promise<BorrowedRedis> {
	if (!config.redisUrl) return borrowOwnRedis(config.dataFolder, log);
	await checkRedis(config.redisUrl, log, refuse);
	return { url: config.redisUrl, leave: async () => {} };
}

async function borrowOwnRedis(dataFolder: string, log: Logger): Promise<BorrowedRedis> {
	await mkdir(dataFolder, { recursive: true });
	const place = await makeRedisPlace(dataFolder);
	const unlock = await lockDataFolder(dataFolder);
	if (typeof unlock !== 'function') {
		if (await isListening(place.socket)) return { url: place.url, leave: async () => {} };
		throw new ConfigError([
			`REDIS_URL: expected the one that process ${unlock.pid} uses, because that \`picpipe start\` has no Redis of its own`,
		]);
	}
	try {
		const redis = await runOwnRedis(place, log);
		const leave = async () => {
			await redis.stop();
			await unlock();
		};
		return { url: place.url, leave };
	} catch (error) {
		await unlock();
		throw error;
	}
}
