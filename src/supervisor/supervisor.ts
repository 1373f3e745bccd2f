import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Config, ConfigError, readConfig, readValues } from '../config/index.ts';
import { memory } from '../config/memory.ts';
import { createLogger, type Logger } from '../observe/log.ts';
import { packageFolder } from '../programs.ts';
import { untilAway } from '../queue/outage.ts';
import { connectRedis } from '../queue/redis.ts';
import { Child, type ChildEvents } from './child.ts';
import { endOnUncaughtError, surviveBrokenOutput } from './exit.ts';
import { lockDataFolder } from './lock.ts';
import { createOutput, type Output } from './output.ts';
import { checkRedis, withoutSecrets } from './redis-check.ts';
import { makeRedisPlace } from './redis-place.ts';

/** In stopping order: first no more pictures come in, then the work is finished. */
const roles = ['api', 'watch', 'worker', 'arena'] as const;

/**
 * npm forwards a signal that the terminal has already sent to all processes. A second signal within this time, milliseconds, is such an
 * echo; a later one is intended.
 */
const echoTime = 1_000;

/**
 * Runs everything: Redis if none is configured, the API, the worker and Arena, each as its own process.
 *
 * @param findProblems finds further problems of the configuration, such as ports that are taken
 * @returns the exit code: 0 stopped on request, 2 the configuration has to be changed, 128 + n killed by a second signal n
 * @throws ConfigError with all problems at once, before anything was started
 */
export async function start(findProblems: (config: Partial<Config>) => Promise<readonly string[]>): Promise<number> {
	surviveBrokenOutput();
	const { values, problems } = readValues(process.env);
	if (problems.length > 0) throw new ConfigError([...problems, ...(await findProblems(values))]);
	const config = readConfig(process.env);
	// Another picpipe in the folder also has its ports, which would explain less.
	const unlock = await takeDataFolder(config.dataFolder);
	const further = await findProblems(config);
	if (further.length > 0) {
		await unlock();
		throw new ConfigError(further);
	}
	const output = await createOutput();
	const log = createLogger('start', config.logLevel, output.destination);
	endOnUncaughtError(log);
	try {
		return await new Supervisor(config, output, log).run();
	} finally {
		await unlock();
	}
}

async function takeDataFolder(folder: string): Promise<() => Promise<void>> {
	try {
		await mkdir(folder, { recursive: true });
		const lock = await lockDataFolder(folder);
		if (typeof lock === 'function') return lock;
		throw new Error(`process ${lock.pid} runs picpipe in it`);
	} catch (error) {
		throw new ConfigError([
			`PICPIPE_DATA: expected a folder of its own for each \`picpipe start\` but received ${resolve(folder)}: ${(error as Error).message}`,
		]);
	}
}

class Supervisor implements ChildEvents {
	readonly #config: Config;
	readonly #output: Output;
	readonly #log: Logger;
	/** In stopping order. */
	#children: Child[] = [];
	#redis: { url: string; folder?: string } | undefined;
	#hasShownBanner = false;
	#stopping: Promise<void> | undefined;
	/** Set by the second signal. */
	#killedWith: number | undefined;
	#end: (exitCode: number) => void = () => {};

	constructor(config: Config, output: Output, log: Logger) {
		this.#config = config;
		this.#output = output;
		this.#log = log;
	}

	async run(): Promise<number> {
		const ended = new Promise<number>((end) => {
			this.#end = end;
		});
		this.#listenForSignals();
		if (this.#config.redisUrl) await this.#useGivenRedis(this.#config.redisUrl);
		else await this.#runOwnRedis();
		return ended;
	}

	async #useGivenRedis(url: string): Promise<void> {
		await checkRedis(url, this.#log, (error) => {
			this.#log.fatal(error.message);
			this.#stop(2);
		});
		this.#redis = { url };
		this.#startRoles(url);
	}

	async #runOwnRedis(): Promise<void> {
		const place = await makeRedisPlace(this.#config.dataFolder);
		this.#redis = { url: place.url, folder: place.folder };
		const keeper = new Child({ name: 'redis', program: 'redis-keeper', arguments: [], environment: process.env }, this);
		this.#children = [keeper];
		keeper.start();
	}

	#startRoles(redisUrl: string): void {
		if (this.#stopping !== undefined) return;
		const environment = { ...process.env, REDIS_URL: redisUrl };
		const wanted = roles.filter((name) => name !== 'watch' || this.#config.watchFolder !== undefined);
		const started = wanted.map((name) => new Child({ name, program: 'cli', arguments: [name], environment }, this));
		this.#children.unshift(...started);
		for (const child of started) child.start();
	}

	line(name: string, text: string, isError: boolean): void {
		this.#output.line(name, text, isError);
	}

	spawned(child: Child): void {
		this.#log.info({ child: child.name, childPid: child.pid }, `starting ${child.name}`);
	}

	ready(child: Child): void {
		this.#log.info({ child: child.name, childPid: child.pid, address: child.address }, `${child.name} is ready`);
		const isFirst = this.#children.length === 1;
		if (child.name === 'redis' && isFirst && child.address) this.#startRoles(child.address);
		if (!this.#hasShownBanner && this.#children.every((one) => one.isReady)) this.#showBanner();
	}

	refused(child: Child): void {
		this.#log.fatal({ child: child.name }, `${child.name} can't start with these settings`);
		this.#stop(2);
	}

	ended(child: Child, how: string, delay: number): void {
		this.#log.error({ child: child.name, delay }, `${child.name} died (${how}); restarting it in ${delay / 1_000} s`);
	}

	#showBanner(): void {
		const addressOf = (name: string) => this.#children.find((one) => one.name === name)?.address;
		const [api, arena] = [addressOf('api'), addressOf('arena')];
		if (!api || !arena || !this.#redis) return;
		this.#hasShownBanner = true;
		const needsKey = this.#children.some((one) => one.needsKey);
		const banner = makeBanner(this.#config, { api, arena, needsKey }, this.#redis);
		if (this.#output.isTerminal) this.#output.text(bannerText(banner));
		else this.#log.info({ ...banner }, 'picpipe is ready');
	}

	#listenForSignals(): void {
		let firstSignal = 0;
		const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
		for (const signal of Object.keys(codes) as (keyof typeof codes)[]) {
			process.on(signal, () => {
				if (firstSignal === 0) {
					firstSignal = Date.now();
					this.#log.info(`${signal}: stopping; send it again to kill everything immediately`);
					this.#stop(0);
				} else if (Date.now() - firstSignal > echoTime) {
					this.#log.warn(`${signal} again: killing everything`);
					for (const child of this.#children) if (child.name !== 'redis') child.kill();
					this.#killedWith = codes[signal];
				}
			});
		}
	}

	#stop(exitCode: number): void {
		this.#stopping ??= this.#stopInOrder().then(() => this.#end(this.#killedWith ?? exitCode));
	}

	/** Redis stops last. Without Redis no process has work to finish for another, so that all stop at once. */
	async #stopInOrder(): Promise<void> {
		const roles = this.#children.filter(({ name }) => name !== 'redis');
		const isOver = new AbortController();
		const redis = this.#redis && connectRedis(this.#redis.url, 'producer');
		redis?.on('error', () => {});
		const away = redis && untilAway(redis, isOver.signal);
		const stopping: Promise<void>[] = [];
		for (const child of roles) {
			const stopped = this.#stopChild(child);
			stopping.push(stopped);
			await Promise.race([stopped, ...(away ? [away] : [])]);
		}
		await Promise.all(stopping);
		isOver.abort();
		redis?.disconnect();
		for (const child of this.#children) if (!roles.includes(child)) await this.#stopChild(child);
		this.#log.info('everything has stopped');
	}

	async #stopChild(child: Child): Promise<void> {
		const { stopSeconds } = this.#config;
		if (child.pid !== undefined) this.#log.info(`waiting for ${child.name} (up to ${stopSeconds} s)`);
		const how = await child.stop(stopSeconds * 1_000);
		if (how === 'killed') this.#log.warn(`${child.name} did not stop in time and was killed`);
	}
}

/** What a person wants to know once everything runs. */
interface Banner {
	readonly api: string;
	readonly dashboard: string;
	readonly arena: string;
	/** A command that works as printed. */
	readonly curl: string;
	/** The storage of the pictures. */
	readonly data: string;
	readonly redis: string;
	/** The memory found, and what was chosen for it. */
	readonly memory: string;
}

const examplePicture = join(packageFolder, 'examples/lighthouse.jpg');

/** @param announced by the API and Arena: URLs such as `http://127.0.0.1:3000`, and whether the API requires a key */
function makeBanner(
	config: Config,
	announced: { api: string; arena: string; needsKey: boolean },
	redis: { url: string; folder?: string },
): Banner {
	const api = reachable(announced.api);
	return {
		api,
		dashboard: `${api}/`,
		arena: reachable(announced.arena),
		curl: [
			'curl',
			`-F ${quote(`file=@${examplePicture}`)}`,
			// A key must not appear in logs and scrollback.
			...(announced.needsKey ? ['-H "Authorization: Bearer $PICPIPE_KEY"'] : []),
			"-H 'Prefer: wait=30'",
			`${api}/v1/pictures`,
		].join(' '),
		data: config.storage.startsWith('file:') ? resolve(config.storage.slice('file:'.length)) : config.storage,
		redis: redis.folder ?? withoutSecrets(redis.url),
		memory: memoryText(config),
	};
}

function memoryText({ imagingProcesses, megapixelsInFlight }: Config): string {
	const found = `${Math.round(memory.bytes / 1e6).toLocaleString('en')} MB${memory.isLimited ? ' (limit of the control group)' : ''}`;
	const processes = `${imagingProcesses} imaging process${imagingProcesses === 1 ? '' : 'es'}`;
	const pixels = `${megapixelsInFlight.toLocaleString('en')} million pixels at a time`;
	return `${found}: up to ${processes}, ${pixels}${memory.isSmall ? ', small heaps' : ''}`;
}

/** The banner for a terminal. */
function bannerText(banner: Banner): string {
	const rows = [
		['API', banner.api],
		['Dashboard', banner.dashboard],
		['Arena', banner.arena],
		['Pictures', banner.data],
		['Redis', banner.redis],
		['Memory', banner.memory],
		['Stop', 'Ctrl-C'],
	] as const;
	const table = rows.map(([name, value]) => `  ${name.padEnd(11)}${value}\n`).join('');
	return `\n  picpipe is ready\n\n${table}\n  Send it a picture:\n\n  ${banner.curl}\n\n`;
}

/** Clients cannot connect to "all interfaces"; they can connect to the loopback address. */
function reachable(address: string): string {
	const url = new URL(address);
	if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
	if (url.hostname === '[::]') url.hostname = '[::1]';
	return url.href.replace(/\/$/, '');
}

/** Quotes a text for a POSIX shell. */
function quote(text: string): string {
	return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
