import { type Config, readConfig } from '../config/index.ts';
import { createLogger, type Logger } from '../observe/log.ts';
import { borrowRedis } from '../supervisor/borrow-redis.ts';
import { createOutput, survivesBrokenOutput } from '../supervisor/output.ts';

/** Rebuilds the index; `pictures` are in it now, `removed` were and have no manifest any more. */
export type Reindex = (config: Config, log: Logger) => Promise<{ pictures: number; removed: number }>;

/**
 * Rebuilds the index in Redis from the manifests in storage.
 *
 * @throws ConfigError
 */
export async function runReindex(load: () => Promise<Reindex>): Promise<void> {
	survivesBrokenOutput();
	const config = readConfig(process.env);
	const output = await createOutput();
	const log = createLogger('reindex', config.logLevel, output.destination);
	const redis = await borrowRedis(config, log);
	try {
		const reindex = await load();
		const { pictures, removed } = await reindex({ ...config, redisUrl: redis.url }, log);
		log.info({ pictures, removed }, `The index holds ${pictures} pictures now; ${removed} entries were removed`);
	} finally {
		await redis.leave();
	}
}
