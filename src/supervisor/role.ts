import { type Config, ConfigError, readConfig } from '../config/index.ts';
import { createLogger, type Logger } from '../observe/log.ts';
import { createOutput, survivesBrokenOutput } from './output.ts';
import { checkRedis } from './redis-check.ts';

/** A role that runs. */
export interface Running {
	/** Where it listens, such as `http://127.0.0.1:3000`. */
	readonly address?: string;
	/** Whether whoever calls it needs a key. */
	readonly needsKey?: boolean;
	/** Finishes its work and lets everything go. */
	stop(): Promise<void>;
}

/** Starts a role. @throws ConfigError for what only a person can put right, such as a port that is taken */
export type StartRole = (config: Config, log: Logger) => Promise<Running>;

/** Finds a Redis for a role that people start by hand. */
export type FindRedis = (config: Config, log: Logger) => Promise<{ readonly url: string; leave(): Promise<void> }>;

/** A role that is still starting when it is told to stop has nothing to finish; it gets this long, milliseconds. */
const startingPatience = 5_000;

/**
 * Runs one role in this process until it is told to stop: by SIGINT, by SIGTERM, or by the end of the supervisor.
 * Exit codes: 0 stopped as told, 1 something broke, 2 the configuration has to be changed.
 *
 * @param load gets the role's code, once the settings are known to be good
 * @param findRedis for a role that may run without `REDIS_URL`; it is for people then, who get readable lines in a terminal
 */
export async function runRole(role: string, load: () => Promise<StartRole>, findRedis?: FindRedis): Promise<void> {
	survivesBrokenOutput();
	const isSupervised = process.connected === true;
	try {
		const config = readConfig(process.env);
		if (!config.redisUrl && !findRedis) {
			throw new ConfigError([
				`REDIS_URL: expected the URL of a Redis because \`picpipe ${role}\` runs alone, but received none`,
			]);
		}
		const isByHand = findRedis && !isSupervised;
		const log = createLogger(role, config.logLevel, isByHand ? (await createOutput()).destination : undefined);
		endOnSurprise(log);
		if (config.redisUrl && !isByHand && !isSupervised) await checkRedis(config.redisUrl, log, refuse);
		const redis = await find(isByHand ? findRedis : undefined, config, log);
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

async function find(findRedis: FindRedis | undefined, config: Config, log: Logger) {
	return findRedis?.(config, log);
}

function leavingAfter(running: Running, redis: Awaited<ReturnType<FindRedis>>): Running {
	return {
		...running,
		async stop() {
			await running.stop();
			await redis.leave();
		},
	};
}

/** Ends the process with 2 and every problem of configuration; anything else is a surprise. */
export function refuse(error: unknown): never {
	if (!(error instanceof ConfigError)) throw error;
	process.stderr.write(`${error.message}\n`);
	process.exit(2);
}

/** After an error that nobody caught the state is unknown: end, and be started again. */
export function endOnSurprise(log: Logger): void {
	// Rejections that nobody handled arrive here too, unless a role listens for them itself.
	process.on('uncaughtException', (error) => {
		log.fatal({ err: error }, 'Ended by an error that nobody caught');
		process.exit(1);
	});
}

function stopWhenTold(starting: Promise<Running>, config: Config, log: Logger): void {
	let isStarted = false;
	let isStopping = false;
	starting.then(
		() => {
			isStarted = true;
		},
		() => {}, // Dealt with where it is awaited.
	);
	const stop = async (why: string) => {
		if (isStopping) return;
		isStopping = true;
		const limit = isStarted ? config.stopSeconds * 1_000 : Math.min(startingPatience, config.stopSeconds * 1_000);
		log.info(`Stopping (${why}), within ${limit / 1_000} s`);
		// Closing may hang, a worker's does while Redis is away: what isn't done now is done again at the next start.
		setTimeout(() => {
			log.error(`Not finished after ${limit / 1_000} s: ending all the same`);
			process.exit(1);
		}, limit);
		await (await starting).stop();
		log.info('Stopped');
		process.exit(0);
	};
	process.on('SIGINT', () => void stop('SIGINT'));
	process.on('SIGTERM', () => void stop('SIGTERM'));
	process.on('SIGHUP', () => void stop('SIGHUP'));
	if (!process.send) return;
	process.on('disconnect', () => void stop('the supervisor is gone'));
	// It may have gone before anybody listened.
	if (!process.connected) void stop('the supervisor is gone');
}
