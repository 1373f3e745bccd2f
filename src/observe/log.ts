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
		// Written at once: what is only buffered is lost when the process is killed, and with a reader that is gone (sonic-boom 4)
		// a process that ends would try to write it for ever.
		destination ?? pino.destination({ dest: 1, sync: true }),
	);
}
