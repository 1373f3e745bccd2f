import { type Config, ConfigError, readConfig } from '../config/index.ts';

/** Flags of `picpipe upload`. A key is none of them: whoever lists processes would see it. */
export interface UploadFlags {
	readonly api?: string;
	readonly recipe?: string;
	readonly tags?: readonly string[];
	readonly priority?: string;
	readonly duplicates?: string;
	readonly batch?: string;
	readonly parallel: string;
	readonly wait?: boolean;
	readonly fresh?: boolean;
	readonly json?: boolean;
}

/** Uploads; returns the exit code. */
export type UploadFiles = (
	config: Config,
	wanted: {
		readonly sources: readonly string[];
		readonly api: string;
		readonly fields: Readonly<Record<string, string>>;
		readonly parallel: number;
		readonly wait: boolean;
		readonly fresh: boolean;
		readonly json: boolean;
		readonly signal: AbortSignal;
	},
) => Promise<number>;

/** Most uploads at the same time. */
const maximumParallel = 64;

/**
 * `picpipe upload`: a client of a running api, perhaps of another machine's.
 *
 * @param load gets the code, once the settings are known to be good
 * @returns the exit code
 * @throws ConfigError
 */
export async function runUpload(
	sources: readonly string[],
	flags: UploadFlags,
	load: () => Promise<UploadFiles>,
): Promise<number> {
	const config = readConfig({ ...process.env, ...(flags.api !== undefined && { PICPIPE_URL: flags.api }) });
	const parallel = /^\d{1,2}$/.test(flags.parallel) ? Number(flags.parallel) : 0;
	if (parallel < 1 || parallel > maximumParallel) {
		throw new ConfigError([
			`--parallel: expected an integer from 1 to ${maximumParallel} but received "${flags.parallel}"`,
		]);
	}
	const { recipe, tags, priority, duplicates, batch } = flags;
	const given = { recipe, tags: tags?.join(','), priority, duplicates, batch };
	const fields = Object.fromEntries(
		Object.entries(given).filter((field): field is [string, string] => field[1] !== undefined),
	);
	const uploadFiles = await load();
	return uploadFiles(config, {
		sources,
		api: config.apiUrl,
		fields,
		parallel,
		wait: flags.wait === true,
		fresh: flags.fresh === true,
		json: flags.json === true,
		signal: untilInterrupted(),
	});
}

/** As shells have it: 128 and the number of SIGINT. */
const interrupted = 130;

/** The first signal ends it in order, the second one at once. */
function untilInterrupted(): AbortSignal {
	const interruption = new AbortController();
	const interrupt = () => {
		if (interruption.signal.aborted) process.exit(interrupted);
		interruption.abort(new Error('interrupted'));
	};
	// Not `once`: whoever else listens (a lock file's package does) would think itself alone and end the process.
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
	return interruption.signal;
}
