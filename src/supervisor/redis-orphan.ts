import { once } from 'node:events';
import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import type { RedisPlace } from './redis-place.ts';

/** Time a server gets to write its file and end, milliseconds. */
const patience = 15_000;

/**
 * Ends a Redis that an earlier run left behind, found by its socket or, should that be gone, by its pid file.
 *
 * @throws ConfigError if it won't end
 */
export async function endOrphanedRedis(place: RedisPlace, log: Logger): Promise<void> {
	if (await isListening(place.socket)) {
		log.warn('Redis of an earlier run is still there: ending it');
		await sendShutdown(place.socket);
	}
	const pid = await findByPidFile(place);
	if (pid !== undefined) askToEnd(pid);
	for (const end = Date.now() + patience; Date.now() < end; await sleep(50)) {
		if (!(await isListening(place.socket)) && (await findByPidFile(place)) === undefined) {
			await rm(place.pidFile, { force: true });
			return;
		}
	}
	throw new ConfigError([
		`PICPIPE_DATA: expected to be alone in ${place.folder}, but the Redis there does not end (process ${pid ?? 'unknown'})`,
	]);
}

/** Does somebody accept connections? A socket file without a server refuses them. */
export async function isListening(socket: string): Promise<boolean> {
	const connection = connect(socket);
	try {
		await once(connection, 'connect');
		return true;
	} catch {
		return false;
	} finally {
		connection.destroy();
	}
}

async function sendShutdown(socket: string): Promise<void> {
	const connection = connect(socket);
	connection.write('SHUTDOWN\r\n');
	const timeUp = AbortSignal.timeout(patience);
	// It answers only if it can't. Whether it ended is for the caller to see.
	await Promise.race([once(connection, 'close', { signal: timeUp }), once(connection, 'data')]).catch(() => {});
	connection.destroy();
}

function askToEnd(pid: number): void {
	try {
		process.kill(pid, 'SIGTERM');
	} catch {
		// Ended in the meantime.
	}
}

/** Only Linux tells another process's folder, and without it a recycled process id could hit a stranger. */
async function findByPidFile(place: RedisPlace): Promise<number | undefined> {
	try {
		const pid = Number(await readFile(place.pidFile, 'utf8'));
		const isOurs =
			(await readlink(`/proc/${pid}/cwd`)) === (await realpath(place.folder)) &&
			/redis|valkey/.test(await readFile(`/proc/${pid}/comm`, 'utf8'));
		return isOurs ? pid : undefined;
	} catch {
		return undefined;
	}
}
