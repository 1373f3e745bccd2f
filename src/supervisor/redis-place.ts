import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError } from '../config/index.ts';

/** The location of picpipe's own Redis. */
export interface RedisPlace {
	/** Contains the append-only file. Only its owner can enter it. */
	readonly folder: string;
	readonly socket: string;
	readonly pidFile: string;
	/** For `REDIS_URL`. */
	readonly url: string;
}

/** `sun_path` of a unix socket holds 104 bytes on BSD and macOS, 108 on Linux, each with a closing zero. */
const maximumSocketBytes = 103;

/**
 * Creates the data folder of Redis, and a socket folder in the temporary folder if the data folder's path is too long.
 *
 * @throws ConfigError if a folder cannot be made private to this user
 */
export async function makeRedisPlace(dataFolder: string): Promise<RedisPlace> {
	const folder = join(resolve(dataFolder), 'redis');
	await makePrivate(folder);
	let socket = join(folder, 'redis.sock');
	if (Buffer.byteLength(socket) > maximumSocketBytes) {
		const name = createHash('sha256').update(folder).digest('hex').slice(0, 16);
		const socketFolder = join(tmpdir(), `picpipe-${userInfo().uid}-${name}`);
		await makePrivate(socketFolder);
		socket = join(socketFolder, 'redis.sock');
	}
	return {
		folder,
		socket,
		pidFile: join(folder, 'redis.pid'),
		url: pathToFileURL(socket).href.replace('file:', 'unix:'),
	};
}

/** The first of `redis-server` and `valkey-server` on the PATH. */
export function findRedisProgram(path = process.env.PATH ?? ''): string | undefined {
	return ['redis-server', 'valkey-server']
		.flatMap((name) =>
			path
				.split(delimiter)
				.filter(Boolean)
				.map((folder) => join(folder, name)),
		)
		.find(isExecutable);
}

/** Every user can write to the temporary folder: a folder that another user created there must not be used. */
async function makePrivate(folder: string): Promise<void> {
	try {
		await mkdir(folder, { recursive: true, mode: 0o700 });
		const found = await lstat(folder);
		if (!found.isDirectory() || found.uid !== userInfo().uid) throw new Error('it belongs to another user');
		if ((found.mode & 0o077) !== 0) await chmod(folder, 0o700);
	} catch (error) {
		throw new ConfigError([
			`PICPIPE_DATA: expected a folder in which ${folder} can be kept for this user alone, but ${(error as Error).message}`,
		]);
	}
}

function isExecutable(file: string): boolean {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}
