import { mkdir } from 'node:fs/promises';
import { type Config, ConfigError, readConfig } from '../config.ts';
import { createLogger, type Logger } from '../observe/log.ts';
import { lockDataFolder } from './lock.ts';
import { createOutput, survivesBrokenOutput } from './output.ts';
import { runOwnRedis } from './redis.ts';
import { checkRedis } from './redis-check.ts';
import { isListening } from './redis-orphan.ts';
import { makeRedisPlace } from './redis-place.ts';
import { refuse } from './role.ts';

/** Rebuilds the index; `pictures` are in it now, `removed` were and have no manifest any more. */
export type Reindex = (config: Config, log: Logger) => Promise<{ pictures: number; removed: number }>;

/**
 * Rebuilds the index in Redis from the manifests in storage: in the Redis at `REDIS_URL`, or in picpipe's own, which is
 * started for as long as it takes unless `picpipe start` runs it.
 *
 * @throws ConfigError
 */
export async function runReindex(load: () => Promise<Reindex>): Promise<void> {
	survivesBrokenOutput();
	const config = readConfig(process.env);
	const output = await createOutput();
	const log = createLogger('reindex', config.logLevel, output.destination);
	const redis = config.redisUrl
		? { url: config.redisUrl, leave: async () => {} }
		: await borrowOwnRedis(config.dataFolder, log);
	try {
		if (config.redisUrl) await checkRedis(config.redisUrl, log, refuse);
		const reindex = await load();
		const { pictures, removed } = await reindex({ ...config, redisUrl: redis.url }, log);
		log.info({ pictures, removed }, `The index holds ${pictures} pictures now; ${removed} entries were removed`);
	} finally {
		await redis.leave();
	}
}

async function borrowOwnRedis(dataFolder: string, log: Logger): Promise<{ url: string; leave(): Promise<void> }> {
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
