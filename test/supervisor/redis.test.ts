import { chmod, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConfigError } from '../../src/config/index.ts';
import { createLogger } from '../../src/observe/log.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { restartDelay } from '../../src/supervisor/child.ts';
import { runOwnRedis } from '../../src/supervisor/redis.ts';
import { findRedisProgram, makeRedisPlace, type RedisPlace } from '../../src/supervisor/redis-place.ts';
import { temporaryFolder } from './folder.ts';

const log = createLogger('test', 'silent');

async function run(place: RedisPlace) {
	const redis = await runOwnRedis(place, log);
	onTestFinished(() => redis.stop());
	return redis;
}

async function ask<T>(place: RedisPlace, work: (redis: ReturnType<typeof connectRedis>) => Promise<T>): Promise<T> {
	const redis = connectRedis(place.url, 'worker');
	try {
		return await work(redis);
	} finally {
		redis.disconnect();
	}
}

const isAlive = (pid: number) => {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
};

/** The file that Redis adds every command to. */
async function appendOnlyFile(place: RedisPlace): Promise<string> {
	const folder = join(place.folder, 'appendonlydir');
	const name = (await readdir(folder)).find((one) => one.endsWith('.incr.aof'));
	return join(folder, name as string);
}

describe("picpipe's own Redis", () => {
	test('is private to its user, evicts no key and persists its data', async () => {
		const place = await makeRedisPlace(await temporaryFolder('data'));
		const redis = await run(place);
		expect((await stat(place.folder)).mode & 0o777).toBe(0o700);
		expect(place.socket).toBe(join(place.folder, 'redis.sock'));
		expect((await stat(place.socket)).mode & 0o077).toBe(0);
		const settings = await ask(place, async (client) => [
			...((await client.config('GET', 'maxmemory-policy')) as string[]),
			...((await client.config('GET', 'appendonly')) as string[]),
			...((await client.config('GET', 'port')) as string[]),
		]);
		expect(settings).toEqual(['maxmemory-policy', 'noeviction', 'appendonly', 'yes', 'port', '0']);

		await ask(place, (client) => client.set('kept', 'yes'));
		await redis.stop();
		expect(isAlive(redis.pid)).toBe(false);
		await run(place);
		expect(await ask(place, (client) => client.get('kept'))).toBe('yes');
	});

	test('works in folders with spaces, and with paths too long for a socket', async () => {
		for (const name of ['with spaces & ümlauts', `${'long'.repeat(30)}/${'longer'.repeat(20)}`]) {
			const place = await makeRedisPlace(await temporaryFolder(name));
			await run(place);
			await ask(place, (client) => client.set('kept', 'yes'));
			expect(Buffer.byteLength(place.socket)).toBeLessThanOrEqual(103);
			if (place.socket.startsWith(place.folder)) continue;
			onTestFinished(() => rm(dirname(place.socket), { recursive: true, force: true }));
			expect(dirname(dirname(place.socket))).toBe(tmpdir());
			expect((await stat(dirname(place.socket))).mode & 0o777).toBe(0o700);
			expect(await makeRedisPlace(dirname(place.folder))).toEqual(place);
		}
	});

	test('reclaims a folder that others could enter', async () => {
		const data = await temporaryFolder();
		await mkdir(join(data, 'redis'));
		await chmod(join(data, 'redis'), 0o777);
		const place = await makeRedisPlace(data);
		expect((await stat(place.folder)).mode & 0o777).toBe(0o700);
	});

	test('stops a server from an earlier run before it touches its files', async () => {
		const place = await makeRedisPlace(await temporaryFolder());
		const orphan = await run(place);
		await ask(place, (client) => client.set('kept', 'yes'));
		const second = await run(place);
		expect(isAlive(orphan.pid)).toBe(false);
		expect(await ask(place, (client) => client.get('kept'))).toBe('yes');

		// Found by its pid file, too, when somebody has cleaned its socket away.
		await rm(place.socket);
		await run(place);
		expect(isAlive(second.pid)).toBe(false);
		expect(await ask(place, (client) => client.get('kept'))).toBe('yes');
	});

	test('does not kill an unrelated process with a reused id', async () => {
		const place = await makeRedisPlace(await temporaryFolder());
		await writeFile(place.pidFile, `${process.pid}\n`);
		const redis = await run(place);
		expect(Number(await readFile(place.pidFile, 'utf8'))).toBe(redis.pid);
	});

	test('starts with an incomplete file end, and explains a damaged file', async () => {
		const place = await makeRedisPlace(await temporaryFolder());
		const first = await run(place);
		await ask(place, async (client) => {
			await client.set('first', '1');
			await client.set('last', '2');
		});
		await first.stop();
		const file = await appendOnlyFile(place);
		await truncate(file, (await stat(file)).size - 3);
		const second = await run(place);
		expect(await ask(place, (client) => client.mget('first', 'last'))).toEqual(['1', null]);
		await second.stop();

		const damaged = await readFile(file, 'latin1');
		await writeFile(file, damaged.replace('$5\r\nfirst', '$9\r\nfirst'), 'latin1');
		const failure = await runOwnRedis(place, log).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(ConfigError);
		expect((failure as Error).message).toContain('Bad file format reading the append only file');
		expect((failure as Error).message).toContain(`Its data are in ${place.folder}`);
		expect((failure as Error).message).toContain('picpipe reindex');
	});
});

test('finds the program on the PATH, Redis before Valkey', async () => {
	const [redis, valkey] = [await temporaryFolder(), await temporaryFolder()];
	for (const file of [join(redis, 'redis-server'), join(valkey, 'valkey-server')])
		await writeFile(file, '', { mode: 0o755 });
	expect(findRedisProgram(`/nowhere:${valkey}`)).toBe(join(valkey, 'valkey-server'));
	expect(findRedisProgram(`${valkey}:${redis}`)).toBe(join(redis, 'redis-server'));
	expect(findRedisProgram('')).toBe(undefined);
	await chmod(join(redis, 'redis-server'), 0o644);
	expect(findRedisProgram(redis)).toBe(undefined);
});

test('restarts wait longer each time, at most half a minute', () => {
	expect([0, 1, 2, 5, 6, 100].map(restartDelay)).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000]);
});
