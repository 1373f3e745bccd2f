import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Command } from 'commander';
import { type Config, ConfigError, readConfig } from '../config/index.ts';
import { createLogger, type Logger } from '../observe/log.ts';
import type { Running } from '../roles/connections.ts';
import { findProblems } from '../roles/preflight.ts';
import { endOnUncaughtError, refuse, surviveBrokenOutput } from '../supervisor/exit.ts';
import { createOutput } from '../supervisor/output.ts';
import { checkRedis, quiet } from '../supervisor/redis-check.ts';
import { start } from '../supervisor/supervisor.ts';
import type { BorrowedRedis } from './borrow-redis.ts';

/** `picpipe start`, and each role by itself. */
export function addRoles(program: Command): void {
	program
		.command('start')
		.description('run everything on this machine: API, worker, Arena, and a Redis unless REDIS_URL is set')
		.action(async () => {
			readEnvFile();
			process.exit(await start(findProblems));
		});
	program
		.command('api')
		.description('run the API alone: receives uploads, shows and serves pictures')
		.action(() => runRole('api', async () => (await import('../roles/api.ts')).startApi));
	program
		.command('worker')
		.description('run a worker alone: takes pictures from the queue and makes their variants')
		.action(() => runRole('worker', async () => (await import('../roles/worker.ts')).startWorker));
	program
		.command('arena')
		.description('run Arena alone: shows the queues and their jobs')
		.action(() => runRole('arena', async () => (await import('../roles/arena.ts')).startArena));
}

/** Starts a role. @throws ConfigError for problems that a person has to solve, such as a port that is taken */
type StartRole = (config: Config, log: Logger) => Promise<Running>;

/** Finds a Redis for a role that people start by hand. */
type FindRedis = (config: Config, log: Logger) => Promise<BorrowedRedis>;

/** A role that is stopped while it starts has nothing to finish; it gets this long to end, milliseconds. */
const startingPatience = 5_000;

/**
 * Runs one role in this process until it is stopped: by SIGINT, by SIGTERM, or by the end of the supervisor.
 *
 * @param load loads the role's code, once the settings are known to be valid
 * @param findRedis for a role that also runs without `REDIS_URL`; people start it by hand, and get readable lines in a terminal
 */
export async function runRole(role: string, load: () => Promise<StartRole>, findRedis?: FindRedis): Promise<void> {
	surviveBrokenOutput();
	const isSupervised = process.connected === true;
	try {
		readEnvFile();
		const config = readConfig(process.env);
		if (!config.redisUrl && !findRedis) {
			throw new ConfigError([
				`REDIS_URL: expected the URL of a Redis because \`picpipe ${role}\` does not start one, but received none`,
			]);
		}
		const borrow = isSupervised ? undefined : findRedis;
		const log = createLogger(role, config.logLevel, borrow && (await createOutput()).destination);
		endOnUncaughtError(log);
		if (config.redisUrl && !borrow && !isSupervised) await checkRedis(config.redisUrl, quiet(log), refuse);
		const redis = await find(borrow, config, log);
		const starting = load()
			.then((start) => start(redis ? { ...config, redisUrl: redis.url } : config, log))
			.then((running) => (redis ? leavingAfter(running, redis) : running));
		stopWhenTold(starting, config, log);
		const running = await starting;
		process.send?.({ type: 'ready', address: running.address, needsKey: running.needsKey });
		if (!isSupervised) log.info({ address: running.address }, `${role} is ready`);
	} catch (error) {
		refuse(error);
	}
}

async function find(borrow: FindRedis | undefined, config: Config, log: Logger): Promise<BorrowedRedis | undefined> {
	return borrow?.(config, log);
}

function leavingAfter(running: Running, redis: BorrowedRedis): Running {
	return {
		...running,
		async stop() {
			await running.stop();
			await redis.leave();
		},
	};
}

function stopWhenTold(starting: Promise<Running>, config: Config, log: Logger): void {
	let isStarted = false;
	let isStopping = false;
	starting.then(
		() => {
			isStarted = true;
		},
		() => {}, // Handled where it is awaited.
	);
	const stop = async (why: string) => {
		if (isStopping) return;
		isStopping = true;
		const limit = isStarted ? config.stopSeconds * 1_000 : Math.min(startingPatience, config.stopSeconds * 1_000);
		log.info(`stopping (${why}), within ${limit / 1_000} s`);
		// Unfinished work is repeated after the next start.
		setTimeout(() => {
			log.error(`not finished after ${limit / 1_000} s; exiting anyway`);
			process.exit(1);
		}, limit);
		await (await starting).stop();
		log.info('stopped');
		process.exit(0);
	};
	process.on('SIGINT', () => void stop('SIGINT'));
	process.on('SIGTERM', () => void stop('SIGTERM'));
	process.on('SIGHUP', () => void stop('SIGHUP'));
	if (!process.send) return;
	process.on('disconnect', () => void stop('the supervisor is gone'));
	// The supervisor may have ended before this process could listen.
	if (!process.connected) void stop('the supervisor is gone');
}

const envFile = '.env';

/** Variables that are read from the file; it may hold those of other programs. */
const isOurs = (name: string) => name.startsWith('PICPIPE_') || name === 'REDIS_URL';

/**
 * Reads settings from the file `.env` in the working folder, if there is one. A variable that is set in the environment stays as it is.
 *
 * @throws ConfigError for a file that cannot be read
 */
function readEnvFile(): void {
	let text: string;
	try {
		text = readFileSync(envFile, 'utf8');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
		throw new ConfigError([`${envFile}: expected a file that can be read: ${(error as Error).message}`]);
	}
	for (const [name, value] of Object.entries(parseEnv(text))) if (isOurs(name)) process.env[name] ??= value;
}
