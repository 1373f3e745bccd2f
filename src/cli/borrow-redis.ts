import { mkdir } from 'node:fs/promises';
import { type Config, ConfigError, readConfig } from '../config/index.ts';
import { createLogger, type Logger } from '../observe/log.ts';
import { refuse, surviveBrokenOutput } from '../supervisor/exit.ts';
import { lockDataFolder } from '../supervisor/lock.ts';
import { createOutput } from '../supervisor/output.ts';
import { isListening, runOwnRedis } from '../supervisor/redis.ts';
import { checkRedis, quiet } from '../supervisor/redis-check.ts';
import { makeRedisPlace } from '../supervisor/redis-place.ts';

/** A Redis for the duration of a command. */
export interface BorrowedRedis {
	readonly url: string;
	/** Stops it, if it was started for the command. */
	leave(): Promise<void>;
}

/**
 * The Redis at `REDIS_URL`, or the built-in one, which is started for the duration of the command unless `picpipe start` runs it.
 *
 * @throws ConfigError
 */
export async function borrowRedis(config: Config, log: Logger): Promise<BorrowedRedis> {
	if (!config.redisUrl) return borrowOwnRedis(config.dataFolder, log);
	await checkRedis(config.redisUrl, quiet(log), refuse);
	return { url: config.redisUrl, leave: async () => {} };
}

/**
 * Runs a command that needs Redis and ends.
 *
 * @param work receives settings with the URL of the Redis
 * @throws ConfigError
 */
export async function runWithRedis<T>(name: string, work: (config: Config, log: Logger) => Promise<T>): Promise<T> {
	surviveBrokenOutput();
	const config = readConfig(process.env);
	const output = await createOutput();
	const log = createLogger(name, config.logLevel, output.destination);
	const redis = await borrowRedis(config, log);
	try {
		return await work({ ...config, redisUrl: redis.url }, log);
	} finally {
		await redis.leave();
	}
}

async function borrowOwnRedis(dataFolder: string, log: Logger): Promise<BorrowedRedis> {
	await mkdir(dataFolder, { recursive: true });
	const place = await makeRedisPlace(dataFolder);
	const unlock = await lockDataFolder(dataFolder);
	if (typeof unlock !== 'function') {
		if (await isListening(place.socket)) return { url: place.url, leave: async () => {} };
		throw new ConfigError([
			`REDIS_URL: expected the Redis of process ${unlock.pid}, because the \`picpipe start\` on this data folder uses an external Redis`,
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
