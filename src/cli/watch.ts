import type { Command } from 'commander';
import { borrowRedis, runWithRedis } from './borrow-redis.ts';
import { runRole } from './roles.ts';

const help = `
A file is imported once it has not changed for PICPIPE_WATCH_SETTLE_SECONDS. Names such as *.part, *.tmp and those that begin with a dot are
ignored, and links are not followed. Sub-folders become tags. Files that are not pictures, or turn out to be broken, go to .picpipe/refused
with a note. It can be interrupted at any time and run again: no file is imported twice. Without REDIS_URL it uses the Redis of the
\`picpipe start\` on the same PICPIPE_DATA, or runs a Redis for as long as it needs one.
Exit codes: 0 stopped on request, or all imported; 1 with --once, files were refused or skipped (the log has the reasons), or an internal
error occurred; 2 invalid configuration.`;

/** `picpipe watch` */
export function addWatch(program: Command): void {
	program
		.command('watch')
		.description('import every picture that arrives in a folder')
		.argument('[folder]', 'folder to watch (default: PICPIPE_WATCH)')
		.option('--once', 'import the existing files, and exit')
		.option('--keep', 'leave files in place instead of moving them to .picpipe/done in the folder')
		.option('--recipe <name>', 'recipe of the pictures')
		.option('--duplicates <policy>', 'for content that is stored already: accept, refuse, link or dedupe')
		.addHelpText('after', help)
		.action(async (folder: string | undefined, flags: WatchFlags) => {
			overrideSettings(folder, flags);
			if (flags.once) process.exit(await runOnce());
			await runRole('watch', async () => (await import('../roles/watch.ts')).startWatch, borrowRedis);
		});
}

interface WatchFlags {
	readonly once?: boolean;
	readonly keep?: boolean;
	readonly recipe?: string;
	readonly duplicates?: string;
}

/** Each flag overrides a setting. */
function overrideSettings(folder: string | undefined, { keep, recipe, duplicates }: WatchFlags): void {
	const settings = {
		PICPIPE_WATCH: folder,
		PICPIPE_WATCH_THEN: keep ? 'keep' : undefined,
		PICPIPE_WATCH_RECIPE: recipe,
		PICPIPE_WATCH_DUPLICATES: duplicates,
	};
	for (const [name, value] of Object.entries(settings)) if (value !== undefined) process.env[name] = value;
}

/** @returns the exit code: 0 if all files were imported, 1 if some were refused or skipped. @throws ConfigError */
function runOnce(): Promise<number> {
	return runWithRedis('watch', async (config, log) => {
		const stopping = new AbortController();
		for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
		const { watchOnce } = await import('../roles/watch.ts');
		const { refused, left } = await watchOnce(config, log, stopping.signal);
		if (left > 0) log.warn({ left }, `${left} files were skipped and stay where they are`);
		return refused + left > 0 ? 1 : 0;
	});
}
