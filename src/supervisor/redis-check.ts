import { ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import { connectRedis, readRedisInfo, redisTooOld } from '../queue/redis.ts';

/** Longest wait for the first reply before the start continues without it, milliseconds. */
const patience = 3_000;

/** Replies that waiting does not change. */
const refusals = /^(WRONGPASS|NOAUTH|NOPERM|ERR (invalid|AUTH|DB index|Client sent AUTH))/;

/**
 * Checks whether picpipe can work with the Redis at `REDIS_URL`. An unreachable Redis does not stop the start, because uploads are accepted
 * without it; it is checked once it is reachable. (Every role checks the maxmemory-policy itself whenever it connects.)
 *
 * @param onRefusal called if a Redis that became reachable later is unusable
 * @throws ConfigError if it is too old or refuses the connection
 */
export async function checkRedis(url: string, log: Logger, onRefusal: (error: ConfigError) => void): Promise<void> {
	const inspection = inspect(url, log);
	let timer: NodeJS.Timeout | undefined;
	const isAway = await Promise.race([
		inspection.then(() => false),
		new Promise<boolean>((resolve) => {
			timer = setTimeout(() => resolve(true), patience);
		}),
	]);
	clearTimeout(timer);
	if (!isAway) return;
	log.warn(`Redis at ${withoutSecrets(url)} is not responding; uploads are accepted and wait`);
	inspection.then(
		() => log.info('Redis is responding'),
		(error) => onRefusal(error),
	);
}

/** For a process that reports outages itself. */
export function quiet(log: Logger): Logger {
	return log.child({}, { level: 'fatal' });
}

/** A URL that can be shown and logged. */
export function withoutSecrets(url: string): string {
	const shown = new URL(url);
	if (shown.password) shown.password = '***';
	return shown.href;
}

async function inspect(url: string, log: Logger): Promise<void> {
	const redis = connectRedis(url, 'worker');
	try {
		const { version } = await new Promise<{ version: string }>((resolve, reject) => {
			redis.on('error', (error: Error) => {
				log.debug({ err: error }, 'Redis');
				if (refusals.test(error.message)) reject(error);
			});
			readRedisInfo(redis).then(resolve, reject);
		});
		const problem = redisTooOld(version);
		if (problem) throw new Error(problem);
	} catch (error) {
		throw new ConfigError([`REDIS_URL: ${withoutSecrets(url)}: ${(error as Error).message}`]);
	} finally {
		redis.disconnect();
	}
}
