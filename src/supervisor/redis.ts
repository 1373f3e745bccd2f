import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import { connectRedis, readRedisInfo, redisTooOld } from '../queue/redis.ts';
import { findRedisProgram, type RedisPlace } from './redis-place.ts';

/** picpipe's own Redis, running. */
export interface OwnRedis {
	readonly pid: number;
	/** Resolves with the last lines of its log when the server has ended, for whatever reason. */
	readonly ended: Promise<string>;
	/** Ends the server; what it acknowledged is on disk afterwards. */
	stop(): Promise<void>;
}

/** Lines of the server's log that are kept to explain a failure. */
const keptLines = 12;
/** A server that loads a large append-only file isn't ready for a while; said once after this time, milliseconds. */
const loadingNotice = 5_000;
/** Redis writes and syncs its file when told to end; after this time, milliseconds, it is killed. */
const stopPatience = 15_000;

/**
 * Runs `redis-server` or `valkey-server` in the folder and waits until it answers, data loaded. A server that an earlier
 * crash left behind is ended first: two servers on one append-only file would destroy it.
 *
 * @throws ConfigError if there is no such program, if it is too old, or if it can't start
 */
export async function runOwnRedis(place: RedisPlace, log: Logger): Promise<OwnRedis> {
	const program = findRedisProgram();
	if (!program) {
		throw new ConfigError([
			'REDIS_URL: expected the URL of a Redis, or redis-server or valkey-server on the PATH, but found neither',
		]);
	}
	await endOrphanedRedis(place, log);

	const [command = program, ...rest] = [...endWithParent(), program, ...redisArguments(place)];
	const server = spawn(command, rest, { cwd: place.folder, stdio: ['ignore', 'pipe', 'pipe'] });
	const state = { isStopping: false, isReady: false };
	const ended = followLog(server, state, log);
	const stop = async () => {
		state.isStopping = true;
		const timer = setTimeout(() => server.kill('SIGKILL'), stopPatience);
		server.kill('SIGTERM');
		await ended;
		clearTimeout(timer);
	};

	const problem = await untilReady(place, ended, log);
	if (problem) {
		await stop();
		throw new ConfigError([`picpipe's own Redis (${program}): ${problem}`]);
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
		// Every second: a crash of the machine costs a second of jobs, which the sweep brings back from storage.
		'--appendonly', 'yes',
		'--appendfsync', 'everysec',
		'--save', '',
		'--maxmemory-policy', 'noeviction',
	];
}

function adviceFor(place: RedisPlace): string {
	return (
		`  Its data are in ${place.folder}. If they are damaged, move that folder away and start again: every picture is in\n` +
		'  storage, the queue refills itself from there, and `picpipe reindex` rebuilds the list of pictures.'
	);
}

/** @returns why this server can't be used, or undefined once it can. */
async function untilReady(place: RedisPlace, ended: Promise<string>, log: Logger): Promise<string | undefined> {
	const redis = connectRedis(place.url, 'worker');
	redis.on('error', () => {}); // Not there yet: it connects again by itself.
	const notice = setTimeout(() => log.info('Redis is loading its data'), loadingNotice);
	try {
		return await Promise.race([
			readRedisInfo(redis).then(({ version }) => redisTooOld(version)),
			ended.then((lines) => `it could not start. Its last words:\n${lines}\n${adviceFor(place)}`),
		]);
	} finally {
		clearTimeout(notice);
		redis.disconnect();
	}
}

/**
 * On Linux the kernel can end Redis with the process that started it, however that died. `setpriv` is part of util-linux.
 * Elsewhere a Redis that lost its keeper is ended at the next start.
 */
function endWithParent(): string[] {
	const wrapper = ['--pdeathsig', 'TERM'];
	const works = process.platform === 'linux' && spawnSync('setpriv', [...wrapper, 'true']).status === 0;
	return works ? ['setpriv', ...wrapper] : [];
}

/** Passes on what the server has to say; resolves with its last lines when it ends. */
async function followLog(
	server: ChildProcess,
	state: { isStopping: boolean; isReady: boolean },
	log: Logger,
): Promise<string> {
	const lines: string[] = [];
	const take = (text: string) => {
		lines.push(`  ${text}`);
		if (lines.length > keptLines) lines.shift();
		// `8618:M 24 Nov 2026 06:42:13.561 # text`: `#` is a warning, but also every greeting and farewell.
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
 * Ends a Redis that an earlier run left behind, found by its socket or, should that be gone, by its pid file.
 *
 * @throws ConfigError if it won't end
 */
async function endOrphanedRedis(place: RedisPlace, log: Logger): Promise<void> {
	if (await isListening(place.socket)) {
		log.warn('Redis of an earlier run is still running; stopping it');
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
	const timeUp = AbortSignal.timeout(stopPatience);
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
