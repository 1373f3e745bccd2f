import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time a server gets to answer or to end, milliseconds. */
const patience = 15_000;

/** A `PICPIPE_REDIS_PREFIX` that nobody else in this run uses. */
export function freshPrefix(): string {
	return `test_${randomBytes(8).toString('hex')}`;
}

/** A real Redis on a unix socket that a test may kill, wipe and start again. */
export interface PrivateRedis {
	/** `unix://...`, as `REDIS_URL` takes it. The same through every restart. */
	readonly url: string;
	readonly folder: string;
	/** Of the server that runs now. */
	readonly pid: number;
	/** Kills the server as a crash would; its data stay. */
	kill9(): Promise<void>;
	/** Starts the server again after `kill9` or `wipe`, with whatever data are there. Ends it first if it runs. */
	restart(): Promise<void>;
	/** Kills the server and deletes all its data. */
	wipe(): Promise<void>;
	/** Ends the server and removes its folder. */
	stop(): Promise<void>;
}

/**
 * @param options.folder where socket and data go; a temporary folder when not given. Removed by `stop`.
 * @param options.settings further settings for the command line, such as `['--maxmemory-policy', 'allkeys-lru']`
 */
export async function startRedis(
	options: { folder?: string; settings?: readonly string[] } = {},
): Promise<PrivateRedis> {
	const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'picpipe-redis-')));
	await mkdir(folder, { recursive: true });
	const socket = join(folder, 'redis.sock');
	let server = await run(folder, socket, options.settings ?? []);

	async function end(signal: NodeJS.Signals): Promise<void> {
		if (server.exitCode !== null || server.signalCode !== null) return;
		const exited = once(server, 'exit');
		server.kill(signal);
		await exited;
	}

	return {
		url: `unix://${socket}`,
		folder,
		get pid() {
			return server.pid as number;
		},
		kill9: () => end('SIGKILL'),
		async restart() {
			await end('SIGTERM');
			server = await run(folder, socket, options.settings ?? []);
		},
		async wipe() {
			await end('SIGKILL');
			await rm(folder, { recursive: true, force: true });
			await mkdir(folder, { recursive: true });
		},
		async stop() {
			await end('SIGKILL');
			await rm(folder, { recursive: true, force: true });
		},
	};
}

async function run(folder: string, socket: string, settings: readonly string[]): Promise<ChildProcess> {
	// biome-ignore format: one option and its value a line
	const server = spawn('redis-server', [
		'--port', '0',
		'--unixsocket', socket,
		'--dir', folder,
		'--appendonly', 'yes',
		'--save', '',
		'--maxmemory-policy', 'noeviction',
		...settings,
	], { stdio: ['ignore', 'pipe', 'inherit'] });
	let log = '';
	server.stdout.on('data', (chunk) => {
		log = `${log}${chunk}`.slice(-4_000);
	});
	let failure: Error | undefined;
	server.once('error', (error) => {
		failure = error;
	});
	for (const end = Date.now() + patience; Date.now() < end; await sleep(20)) {
		if (failure) throw failure;
		if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}:\n${log}`);
		// One that asks for a password is up as well.
		if (/^(\+PONG|-NOAUTH)/.test(await ping(socket))) return server;
	}
	server.kill('SIGKILL');
	throw new Error(`redis-server did not answer within ${patience} ms:\n${log}`);
}

/** The answer to PING, or '' where nobody answers. Without a client library, so that it can't hide a reconnect. */
async function ping(socket: string): Promise<string> {
	const connection = connect(socket);
	try {
		await once(connection, 'connect');
		connection.write('PING\r\n');
		const [answer] = (await once(connection, 'data')) as [Buffer];
		return answer.toString();
	} catch {
		return '';
	} finally {
		connection.destroy();
	}
}
