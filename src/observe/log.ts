import { type DestinationStream, type LogFn, type Logger, pino } from 'pino';
import { isQueueUnavailable } from '../errors.ts';

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
			hooks: { logMethod: passOutagesBriefly },
		},
		// Synchronous: buffered lines are lost when the process is killed, and with a closed pipe (sonic-boom 4) an ending process
		// would try to write them for ever.
		destination ?? pino.destination({ dest: 1, sync: true }),
	);
}

/** pino's number for the level `warn`. */
const warning = 40;

/**
 * While Redis is away, nearly everything has something to report. The outage itself is a warning, given once (`queue/outage.ts`). What follows
 * from it is information in one line: no warning for each picture and no stack.
 */
function passOutagesBriefly(this: Logger, parameters: Parameters<LogFn>, method: LogFn, level: number): void {
	const [fields, ...message] = parameters as unknown as [unknown, string];
	const { err, ...others } = (typeof fields === 'object' && fields !== null ? fields : {}) as { err?: unknown };
	if (level >= warning && isRedisAway(err)) this.info({ ...others, reason: err.message }, ...message);
	else method.apply(this, parameters);
}

/** Errors of a missing connection or answer, and refusals. Other errors that Redis answers with are no outage. */
function isRedisAway(error: unknown): error is Error {
	if (!(error instanceof Error)) return false;
	if (isRefusal(error)) return true;
	if (error.name === 'ReplyError') return false;
	if (isQueueUnavailable(error))
		return error.cause === undefined || isRedisAway(error.cause) || /ECONN|EPIPE|ENOENT/.test(String(error.cause));
	return /^(Connection is closed\.|Command timed out$|Stream isn't writeable|Reached the max retries)/.test(
		error.message,
	);
}

/** Does Redis refuse every write: still loading, full, read-only, unable to write its append-only file, or busy with a script? */
export function isRefusal(error: Error): boolean {
	// BullMQ precedes some answers by a sentence of its own.
	return /^(Failed to add repeatable job for next iteration: )?(LOADING|OOM|READONLY|MISCONF|BUSY)/.test(error.message);
}
