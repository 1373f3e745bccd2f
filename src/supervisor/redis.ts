import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import { connectRedis, readRedisInfo, redisTooOld } from '../queue/redis.ts';
import { endOrphanedRedis } from './redis-orphan.ts';
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
