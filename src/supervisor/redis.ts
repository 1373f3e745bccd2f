import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import { connectRedis, readRedisInfo, redisTooOld } from '../queue/redis.ts';
import { cutDamage, isDamage, setDataAside } from './redis-damage.ts';
import { findRedisProgram, type RedisPlace } from './redis-place.ts';

/** A running Redis of picpipe's own. */
export interface OwnRedis {
	readonly pid: number;
	/** Resolves with the last lines of its log when the server ends, for any reason. */
	readonly ended: Promise<string>;
	/** Stops the server. All acknowledged writes are then on disk. */
	stop(): Promise<void>;
}

/** Log lines to keep for explaining a failure. */
const keptLines = 12;
/** A server that loads a large append-only file takes a while. Logged once after this time, milliseconds. */
const loadingNotice = 5_000;
/** Redis writes and syncs its file when it is stopped. After this time, milliseconds, it is killed. */
const stopPatience = 15_000;
/** As above for a Redis that does not answer. Its acknowledged writes are with the kernel, so killing it loses none. */
const silentPatience = 500;

/**
 * Runs `redis-server` or `valkey-server` in the folder and waits until it answers with its data loaded. A server left over from a crash is
 * stopped first: two servers would destroy the append-only file. Data that it cannot read are repaired or set aside: storage has every picture.
 *
 * @param stopping ends a server that is still loading
 * @throws ConfigError if no server is installed, if it is too old, or if it cannot start
 */
export async function runOwnRedis(place: RedisPlace, log: Logger, stopping?: AbortSignal): Promise<OwnRedis> {
	const program = findRedisProgram();
	if (!program) {
		throw new ConfigError([
			'REDIS_URL: expected the URL of a Redis, or redis-server or valkey-server on the PATH, but found neither',
		]);
	}
	await endOrphanedRedis(place, log);
	const start = () => startServer(program, place, log, stopping);

	const first = await start();
	if (!('problem' in first)) return first;
	if (stopping?.aborted || !first.isDamage) throw refusal(program, first);
	if (await cutDamage(place, program, log)) {
		const second = await start();
		if (!('problem' in second)) return second;
	}
	const aside = await setDataAside(place);
	const last = await start();
	if ('problem' in last) {
		// It was not the data.
		await aside.undo();
		throw refusal(program, first);
	}
	log.warn(
		{ folder: aside.folder, lastLines: asList(first.problem) },
		`Redis could not read its data. They were set aside in ${aside.folder}; the queue and the list of pictures are rebuilt from storage`,
	);
	return last;
}

/** A server that did not become ready. */
interface Failure {
	readonly problem: string;
	/** Whether its data may be the reason. */
	readonly isDamage: boolean;
}

function refusal(program: string, { problem }: Failure): ConfigError {
	return new ConfigError([`picpipe's own Redis (${program}): ${problem}`]);
}

/** Lines of a server's log as a list. */
export function asList(lines: string): string[] {
	return lines.split('\n').map((line) => line.trim());
}

async function startServer(
	program: string,
	place: RedisPlace,
	log: Logger,
	stopping?: AbortSignal,
): Promise<OwnRedis | Failure> {
	const [command = program, ...rest] = [...endWithParent(), program, ...redisArguments(place)];
	const server = spawn(command, rest, { cwd: place.folder, stdio: ['ignore', 'pipe', 'pipe'] });
	const state = { isStopping: false, isReady: false };
	const ended = followLog(server, state, log);
	const stop = async () => {
		state.isStopping = true;
		const timer = setTimeout(() => server.kill('SIGKILL'), stopPatience);
		const isAnswering = await answersAt(place);
		server.kill('SIGTERM');
		if (!isAnswering) setTimeout(() => server.kill('SIGKILL'), silentPatience).unref();
		await ended;
		clearTimeout(timer);
	};
	const stopNow = () => void stop();
	stopping?.addEventListener('abort', stopNow);

	const problem = await untilReady(place, ended, log);
	stopping?.removeEventListener('abort', stopNow);
	if (problem !== undefined) {
		const hasEnded = server.exitCode !== null || server.signalCode !== null;
		await stop();
		return { problem, isDamage: hasEnded && isDamage(problem, server.signalCode) };
	}
	state.isReady = true;
	return { pid: server.pid as number, ended, stop };
}

function redisArguments(place: RedisPlace): string[] {
	// biome-ignore format: one option and its value a line
	return [
		'--port', '0',
		'--unixsocket', place.socket,
		'--unixsocketperm', '700',
		'--dir', place.folder,
		'--pidfile', place.pidFile,
		'--daemonize', 'no',
		// Every second: a crash of the machine costs a second of jobs, which the sweep restores from storage.
		'--appendonly', 'yes',
		'--appendfsync', 'everysec',
		'--save', '',
		'--maxmemory-policy', 'noeviction',
	];
}

/** @returns why this server is unusable; undefined once it is ready */
async function untilReady(place: RedisPlace, ended: Promise<string>, log: Logger): Promise<string | undefined> {
	const redis = connectRedis(place.url, 'worker');
	redis.on('error', () => {}); // Not listening yet: the connection retries by itself.
	const notice = setTimeout(() => log.info('Redis is loading its data'), loadingNotice);
	try {
		return await Promise.race([
			readRedisInfo(redis).then(({ version }) => redisTooOld(version)),
			ended.then((lines) => `it could not start. Its last lines:\n${lines}`),
		]);
	} finally {
		clearTimeout(notice);
		redis.disconnect();
	}
}

/**
 * On Linux the kernel can end Redis together with the process that started it, however that process died. `setpriv` is part of util-linux.
 * On other systems, the next start stops a Redis that lost its keeper.
 */
function endWithParent(): string[] {
	const wrapper = ['--pdeathsig', 'TERM'];
	const works = process.platform === 'linux' && spawnSync('setpriv', [...wrapper, 'true']).status === 0;
	return works ? ['setpriv', ...wrapper] : [];
}

/** Logs the server's messages; resolves with its last lines when it ends. */
async function followLog(
	server: ChildProcess,
	state: { isStopping: boolean; isReady: boolean },
	log: Logger,
): Promise<string> {
	const lines: string[] = [];
	const take = (text: string) => {
		lines.push(`  ${text}`);
		if (lines.length > keptLines) lines.shift();
		// `8618:M 24 Nov 2026 06:42:13.561 # text`: `#` marks warnings, but also startup and shutdown messages.
		const [, mark, message = text] = /^\d+:\w .{20,25} ([.\-*#]) (.*)$/.exec(text) ?? [];
		const isWarning = mark === '#' && state.isReady && !state.isStopping;
		log[isWarning ? 'warn' : 'debug'](message);
	};
	for (const stream of [server.stdout, server.stderr]) if (stream) createInterface({ input: stream }).on('line', take);
	try {
		await once(server, 'close');
	} catch (error) {
		lines.push(`  ${(error as Error).message}`);
	}
	return lines.join('\n');
}

/**
 * Stops a Redis left over from an earlier run, found by its socket or, if that is gone, by its pid file.
 *
 * @throws ConfigError if it does not end
 */
async function endOrphanedRedis(place: RedisPlace, log: Logger): Promise<void> {
	if (await isListening(place.socket)) {
		log.warn('stopping a Redis left over from an earlier run');
		await sendShutdown(place.socket);
	}
	const pid = await findByPidFile(place);
	if (pid !== undefined) askToEnd(pid);
	for (const end = Date.now() + stopPatience; Date.now() < end; await sleep(50)) {
		if (!(await isListening(place.socket)) && (await findByPidFile(place)) === undefined) {
			await rm(place.pidFile, { force: true });
			return;
		}
	}
	throw new ConfigError([
		`PICPIPE_DATA: expected to be alone in ${place.folder}, but the Redis there does not stop (process ${pid ?? 'unknown'})`,
	]);
}

/** Does a server accept connections? A socket file without a server refuses them. */
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

/** Does the server reply at all, if only that it is loading? */
async function answersAt({ socket }: RedisPlace): Promise<boolean> {
	const connection = connect(socket);
	connection.write('PING\r\n');
	try {
		await once(connection, 'data', { signal: AbortSignal.timeout(silentPatience) });
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
	const timeUp = AbortSignal.timeout(stopPatience);
	// It answers only if it cannot shut down. The caller checks whether it ended.
	await Promise.race([once(connection, 'close', { signal: timeUp }), once(connection, 'data')]).catch(() => {});
	connection.destroy();
}

function askToEnd(pid: number): void {
	try {
		process.kill(pid, 'SIGTERM');
	} catch {
		// It has already ended.
	}
}

/** Only Linux reveals another process's folder. Elsewhere a reused process id could belong to an unrelated process. */
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
