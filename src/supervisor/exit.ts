import { ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';

/** How processes of picpipe end. Exit codes: 0 stopped on request, 1 internal error, 2 invalid configuration. */

/** Ends the process with 2 after every problem of the configuration; throws any other error again. */
export function refuse(error: unknown): never {
	if (!(error instanceof ConfigError)) throw error;
	process.stderr.write(`${error.message}\n`);
	process.exit(2);
}

/** After an uncaught error the state is unknown: the process ends, and is started again. */
export function endOnUncaughtError(log: Logger): void {
	// Unhandled rejections arrive here too, unless a role listens for them itself.
	process.on('uncaughtException', (error) => {
		log.fatal({ err: error }, 'Ended by an uncaught error');
		process.exit(1);
	});
}

/** A reader that goes away (`picpipe start | head`, a closed terminal, a killed supervisor) must not end the work. */
export function surviveBrokenOutput(): void {
	process.stdout.on('error', () => {});
	process.stderr.on('error', () => {});
}
