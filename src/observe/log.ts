import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/**
 * One JSON line per event on standard output. `picpipe start` turns them into readable lines in a terminal.
 *
 * @param role the process that speaks: `api`, `worker`, `arena`, ...
 * @param destination where the lines go instead of standard output
 */
export function createLogger(role: string, level: string, destination?: DestinationStream): Logger {
	return pino(
		{
			level,
			base: { role, pid: process.pid },
			timestamp: pino.stdTimeFunctions.isoTime,
			formatters: { level: (label) => ({ level: label }) },
			serializers: { err: pino.stdSerializers.errWithCause },
		},
		destination ?? pino.destination(1),
	);
}
