import type { Command } from 'commander';
import { readConfig } from '../config/index.ts';
import { createLogger } from '../observe/log.ts';

/** `picpipe process` */
export function addProcess(program: Command): void {
	program
		.command('process')
		.description('make variants of files on this machine, without queue or server')
		.argument('<paths...>', 'pictures, and folders whose pictures are all processed')
		.requiredOption('--out <folder>', 'folder for the variants, named <name>-<variant>.<extension>')
		.option('--recipe <name>', 'recipe to apply (default: PICPIPE_DEFAULT_RECIPE)')
		.addHelpText(
			'after',
			'\nExit codes: 0 all made, 1 some failed (the table has the reasons), 2 nothing could be started.',
		)
		.action(async (paths: string[], flags: ProcessFlags) => process.exit(await runProcess(paths, flags)));
}

interface ProcessFlags {
	readonly out: string;
	readonly recipe?: string;
}

/** Needs no Redis. @throws ConfigError */
async function runProcess(paths: readonly string[], flags: ProcessFlags): Promise<number> {
	// The table shows failures; only errors beyond them are logged.
	const config = readConfig({ PICPIPE_LOG_LEVEL: 'error', ...process.env });
	const { processLocalFiles } = await import('../roles/commands.ts');
	return processLocalFiles(config, { paths, ...flags }, createLogger('process', config.logLevel));
}
