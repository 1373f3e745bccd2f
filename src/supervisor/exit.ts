import { ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';

/** How picpipe's processes end. Exit codes: 0 stopped on request, 1 internal error, 2 invalid configuration. */

/** Prints every problem of the configuration and exits with 2. Throws any other error again. */
export function refuse(error: unknown): never {
	if (!(error instanceof ConfigError)) throw error;
	process.stderr.write(`${error.message}\n`);
	process.exit(2);
}

/** After an uncaught error the state is unknown, so the process ends and is restarted. */
export function endOnUncaughtError(log: Logger): void {
	// Unhandled rejections arrive here too, unless a role listens for them itself.
	process.on('uncaughtException', (error) => {
		log.fatal({ err: error }, 'uncaught error; exiting');
		process.exit(1);
	});
}

/** A reader that goes away (`picpipe start | head`, a closed terminal, a killed supervisor) must not stop the work. */
export function surviveBrokenOutput(): void {
	process.stdout.on('error', () => {});
	process.stderr.on('error', () => {});
}
