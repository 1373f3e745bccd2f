import type { Command } from 'commander';
import { ConfigError, readConfig } from '../config/index.ts';

const help = `
The environment variable PICPIPE_KEY holds an API key or an upload token. Run the same command again to resume an interrupted run: uploaded
files are skipped, and large files continue where they stopped; --fresh starts over. Until a run completes, its state is kept below
$XDG_STATE_HOME or ~/.local/state.
Exit codes: 0 all accepted (with --wait: all ready), 1 some were refused or failed (the table has the reasons), 2 nothing could be started,
or every upload would fail for the same reason, 130 interrupted.`;

/** For a flag that may be repeated. */
const collect = (value: string, before: readonly string[] = []) => [...before, value];

/** `picpipe upload` */
export function addUpload(program: Command): void {
	program
		.command('upload')
		.description('upload files, folders and URLs of pictures to a running API')
		.argument('<sources...>', 'pictures, folders whose pictures are all uploaded, and URLs (https://…)')
		.option('--api <url>', 'URL of the API (default: PICPIPE_URL, or http://127.0.0.1:3000)')
		.option('--recipe <name>', 'recipe of the pictures')
		.option('--tags <tags>', 'tags, separated by commas', collect)
		.option('--meta <name=value>', 'metadata of the pictures, once for each name', collect)
		.option('--priority <priority>', 'urgent, normal, bulk, or a number from 0 (before the others) to 1000')
		.option('--duplicates <policy>', 'for content that is stored already: accept, refuse, link or dedupe')
		.option('--batch <id>', 'batch that the pictures join')
		.option('--parallel <number>', 'uploads at the same time', '4')
		.option('--wait', 'wait until all pictures are ready or failed')
		.option('--fresh', 'start over, even if an earlier run was interrupted')
		.option('--json', 'print results as JSON instead of a table')
		.addHelpText('after', help)
		.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
		.action(async (sources: string[], flags: UploadFlags) => process.exit(await runUpload(sources, flags)));
}

/** A key is not among the flags: anyone who lists processes would see it. */
interface UploadFlags {
	readonly api?: string;
	readonly recipe?: string;
	readonly tags?: readonly string[];
	readonly meta?: readonly string[];
	readonly priority?: string;
	readonly duplicates?: string;
	readonly batch?: string;
	readonly parallel: string;
	readonly wait?: boolean;
	readonly fresh?: boolean;
	readonly json?: boolean;
}

/** Maximum uploads at the same time. */
const maximumParallel = 64;

/**
 * A client of a running API, possibly on another machine.
 *
 * @returns the exit code: 0 all accepted, 1 some refused, 2 nothing could be started or every upload would fail, 130 interrupted
 * @throws ConfigError
 */
async function runUpload(sources: readonly string[], flags: UploadFlags): Promise<number> {
	const config = readConfig({ ...process.env, ...(flags.api !== undefined && { PICPIPE_URL: flags.api }) });
	const parallel = /^\d{1,2}$/.test(flags.parallel) ? Number(flags.parallel) : 0;
	if (parallel < 1 || parallel > maximumParallel) {
		throw new ConfigError([
			`--parallel: expected an integer from 1 to ${maximumParallel} but received "${flags.parallel}"`,
		]);
	}
	const { runUploadCommand, isUploadError } = await import('../client/command.ts');
	try {
		return await runUploadCommand({
			sources,
			api: config.apiUrl,
			key: config.apiKey,
			fields: fieldsOf(flags),
			parallel,
			wait: flags.wait === true,
			fresh: flags.fresh === true,
			json: flags.json === true,
			signal: untilInterrupted(),
		});
	} catch (error) {
		if (!isUploadError(error)) throw error;
		process.stderr.write(`${error.message}\n`);
		return 2;
	}
}

/** Fields of the upload request. */
function fieldsOf({ recipe, tags, meta = [], priority, duplicates, batch }: UploadFlags): Record<string, string> {
	const fields = {
		recipe,
		tags: tags?.join(','),
		...Object.fromEntries(meta.map(metaField)),
		priority,
		duplicates,
		batch,
	};
	return Object.fromEntries(
		Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
	);
}

/** @throws ConfigError */
function metaField(flag: string): [string, string] {
	const [, name, value] = /^([^=]+)=(.*)$/su.exec(flag) ?? [];
	if (name === undefined || value === undefined) {
		throw new ConfigError([`--meta: expected a name, = and a value but received "${flag}"`]);
	}
	return [`meta[${name.trim()}]`, value];
}

/** By the convention of shells: 128 plus the number of SIGINT. */
const interrupted = 130;

/** The first signal ends the run in order, the second at once. */
function untilInterrupted(): AbortSignal {
	const interruption = new AbortController();
	const interrupt = () => {
		if (interruption.signal.aborted) process.exit(interrupted);
		interruption.abort(new Error('interrupted'));
	};
	// Not `once`: other listeners (of a package for lock files) would be the only ones left, and end the process.
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
	return interruption.signal;
}
