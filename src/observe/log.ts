import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/**
 * One JSON line per event on standard output. `picpipe start` turns them into readable lines in a terminal.
 *
 * @param role the process: `api`, `worker`, `arena`, ...
 * @param destination instead of standard output
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
		// Synchronous: buffered lines are lost when the process is killed, and with a closed pipe (sonic-boom 4) an ending process
		// would try to write them for ever.
		destination ?? pino.destination({ dest: 1, sync: true }),
	);
}
