import { type Config, readConfig } from '../config/index.ts';
import { createLogger, type Logger } from '../observe/log.ts';
import { borrowRedis } from '../supervisor/borrow-redis.ts';
import { createOutput, survivesBrokenOutput } from '../supervisor/output.ts';
import { runRole, type StartRole } from '../supervisor/role.ts';

/** What was asked for on the command line; each takes the place of a setting. */
export interface WatchFlags {
	readonly once?: boolean;
	readonly keep?: boolean;
	readonly recipe?: string;
	readonly duplicates?: string;
}

/** What became of the files of a folder. */
interface Counts {
	readonly refused: number;
	readonly left: number;
}

/** Takes in what lies in the folder now. */
export type WatchOnce = (config: Config, log: Logger, stopping: AbortSignal) => Promise<Counts>;

/**
 * Takes in what comes to lie in a folder: as a role, until it is told to stop, or once. Without `REDIS_URL` it uses the Redis of the
 * `picpipe start` that runs on the same data folder, or runs it for as long as it takes.
 *
 * @returns the exit code: 0 when all was taken in, 1 when files were set aside or left, the log says which and why
 * @throws ConfigError
 */
export async function runWatch(
	folder: string | undefined,
	{ once, keep, recipe, duplicates }: WatchFlags,
	load: () => Promise<{ readonly startWatch: StartRole; readonly watchOnce: WatchOnce }>,
): Promise<number | undefined> {
	const flags = {
		PICPIPE_WATCH: folder,
		PICPIPE_WATCH_THEN: keep ? 'keep' : undefined,
		PICPIPE_WATCH_RECIPE: recipe,
		PICPIPE_WATCH_DUPLICATES: duplicates,
	};
	for (const [name, value] of Object.entries(flags)) if (value !== undefined) process.env[name] = value;
	if (once) return runOnce(async () => (await load()).watchOnce);
	await runRole('watch', async () => (await load()).startWatch, borrowRedis);
	return undefined;
}

async function runOnce(load: () => Promise<WatchOnce>): Promise<number> {
	survivesBrokenOutput();
	const config = readConfig(process.env);
	const output = await createOutput();
	const log = createLogger('watch', config.logLevel, output.destination);
	const redis = await borrowRedis(config, log);
	const stopping = new AbortController();
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
	try {
		const watchOnce = await load();
		const { refused, left } = await watchOnce({ ...config, redisUrl: redis.url }, log, stopping.signal);
		if (left > 0) log.warn({ left }, `${left} files were left where they are`);
		return refused + left > 0 ? 1 : 0;
	} finally {
		await redis.leave();
	}
}
