import { type Config, readConfig } from '../config/index.ts';
import { progressLine } from '../files/summary.ts';
import { createLogger, type Logger } from '../observe/log.ts';
import { borrowRedis } from '../supervisor/borrow-redis.ts';
import { createOutput, survivesBrokenOutput } from '../supervisor/output.ts';

/** What was asked for on the command line. */
export interface ReprocessFlags {
	readonly recipe?: string;
	readonly stale?: boolean;
	readonly force?: boolean;
}

/** How many pictures were met with which outcome. */
interface Counts {
	/** Looked at so far. */
	readonly pictures: number;
	readonly queued: number;
	/** Not as they should be afterwards: busy, unreadable or without a recipe. */
	readonly left: number;
}

/** Queues pictures again. */
export type Reprocess = (
	config: Config,
	flags: ReprocessFlags,
	log: Logger,
	onProgress: (counts: Counts, total: number) => void,
) => Promise<Counts>;

/** Milliseconds between two lines about how far it has come, and between two drawings of the one that moves. */
const [lineInterval, drawInterval] = [2_000, 100];

/**
 * Queues pictures again with their recipes as they are now, and says how far it has come.
 *
 * @returns the exit code: 0 when all that were meant are queued or need nothing, 1 when some were left
 * @throws ConfigError
 */
export async function runReprocess(flags: ReprocessFlags, load: () => Promise<Reprocess>): Promise<number> {
	survivesBrokenOutput();
	const config = readConfig(process.env);
	const output = await createOutput();
	const log = createLogger('reprocess', config.logLevel, output.destination);
	const redis = await borrowRedis(config, log);
	try {
		const reprocess = await load();
		const progress = showProgress(log);
		const counts = await reprocess({ ...config, redisUrl: redis.url }, flags, log, progress.tell);
		progress.close();
		const summary = `${counts.queued} pictures queued; the workers do the rest`;
		if (counts.left === 0) log.info(counts, summary);
		else log.warn(counts, `${summary}. ${counts.left} were left: run it again for those that were busy`);
		return counts.left === 0 ? 0 : 1;
	} finally {
		await redis.leave();
	}
}

/** One moving line in a terminal, a line of the log now and then elsewhere. */
function showProgress(log: Logger) {
	const { stderr } = process;
	let toldAt = -Infinity;
	return {
		tell(now: Counts, total: number): void {
			if (performance.now() - toldAt < (stderr.isTTY ? drawInterval : lineInterval)) return;
			toldAt = performance.now();
			const queued = `${now.queued} queued`;
			if (stderr.isTTY) stderr.write(`\r\x1b[K${progressLine(now.pictures, total, queued, stderr.columns)}`);
			else log.info({ ...now, total }, `${now.pictures} of ${total} pictures looked at, ${queued}`);
		},
		close(): void {
			if (stderr.isTTY) stderr.write('\r\x1b[K');
		},
	};
}
