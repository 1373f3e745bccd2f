import { type Config, readConfig } from '../config/index.ts';
import { createLogger, type Logger } from '../observe/log.ts';

export interface ProcessFlags {
	readonly paths: readonly string[];
	readonly recipe?: string;
	readonly out: string;
}

/** Makes the variants; returns the exit code. */
export type ProcessFiles = (config: Config, flags: ProcessFlags, log: Logger) => Promise<number>;

/**
 * `picpipe process`: like a role, but for files of this machine and without Redis.
 *
 * @param load gets the code, once the settings are known to be good
 * @throws ConfigError
 */
export async function runProcess(flags: ProcessFlags, load: () => Promise<ProcessFiles>): Promise<number> {
	// The table is what people want to see, and it says what failed; logs are for what is wrong beyond that.
	const config = readConfig({ PICPIPE_LOG_LEVEL: 'error', ...process.env });
	const processFiles = await load();
	return processFiles(config, flags, createLogger('process', config.logLevel));
}
