import type { Command } from 'commander';
import { progressLine } from '../files/summary.ts';
import type { Logger } from '../observe/log.ts';
import { runWithRedis } from './borrow-redis.ts';

const help = `
Makes only variants whose digest has changed or whose file is missing, and deletes variants that the recipe no longer names. It can be
interrupted at any time and run again. Exit codes: 0 every picture is queued or up to date, 1 some pictures were skipped (the log has the
reasons) or an internal error occurred, 2 invalid configuration.`;

/** `picpipe reprocess` */
export function addReprocess(program: Command): void {
	program
		.command('reprocess')
		.description('queue pictures again with their current recipes, behind all other work')
		.option('--recipe <name>', 'only pictures of this recipe')
		.option('--stale', 'only pictures whose recipe, or its results, have changed since they were made')
		.option('--force', 'make every variant again, existing ones too')
		.addHelpText('after', help)
		.action(async (flags: ReprocessFlags) => process.exit(await runReprocess(flags)));
}

interface ReprocessFlags {
	readonly recipe?: string;
	readonly stale?: boolean;
	readonly force?: boolean;
}

/** Pictures by outcome, so far. */
interface Counts {
	readonly pictures: number;
	readonly queued: number;
}

/** Milliseconds between two log lines of progress, and between two updates of the progress line in a terminal. */
const [lineInterval, drawInterval] = [2_000, 100];

/** @returns the exit code: 0 if every picture is queued or up to date, 1 if some were skipped. @throws ConfigError */
function runReprocess(flags: ReprocessFlags): Promise<number> {
	return runWithRedis('reprocess', async (config, log) => {
		const { reprocessPictures } = await import('../roles/commands.ts');
		const progress = showProgress(log);
		const counts = await reprocessPictures(config, { ...flags, onProgress: progress.update }, log);
		progress.close();
		const summary = `${counts.queued} pictures queued for the workers`;
		if (counts.left === 0) log.info(counts, summary);
		else log.warn(counts, `${summary}; ${counts.left} skipped: run the command again for those that were busy`);
		return counts.left === 0 ? 0 : 1;
	});
}

/** One live line in a terminal, an occasional log line elsewhere. */
function showProgress(log: Logger) {
	const { stderr } = process;
	let shownAt = -Infinity;
	return {
		update(now: Counts, total: number): void {
			if (performance.now() - shownAt < (stderr.isTTY ? drawInterval : lineInterval)) return;
			shownAt = performance.now();
			const queued = `${now.queued} queued`;
			if (stderr.isTTY) stderr.write(`\r\x1b[K${progressLine(now.pictures, total, queued, stderr.columns)}`);
			else log.info({ ...now, total }, `${now.pictures} of ${total} pictures checked, ${queued}`);
		},
		close(): void {
			if (stderr.isTTY) stderr.write('\r\x1b[K');
		},
	};
}
