import { appendFile, chmod, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
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

	test('starts with an incomplete file end', async () => {
		const place = await makeRedisPlace(await temporaryFolder());
		const first = await run(place);
		await ask(place, async (client) => {
			await client.set('first', '1');
			await client.set('last', '2');
		});
		await first.stop();
		const file = await appendOnlyFile(place);
		await truncate(file, (await stat(file)).size - 3);
		await run(place);
		expect(await ask(place, (client) => client.mget('first', 'last'))).toEqual(['1', null]);
	});

	test('says why it cannot start with any data, and leaves them alone', async () => {
		const place = await makeRedisPlace(await temporaryFolder());
		await (await run(place)).stop();
		// Not a place for a socket.
		await mkdir(place.socket);
		const failure = await runOwnRedis(place, log).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(ConfigError);
		expect((failure as Error).message).toMatch(/could not start. Its last lines:\n.*unix socket/is);
		expect(await readdir(join(place.folder, 'appendonlydir'))).not.toEqual([]);
		expect(await damagedFolders(place)).toEqual([]);
	});
});

/** Where the bytes of a value are that Redis keeps. */
async function replaceIn(file: string, from: string, to: string): Promise<void> {
	const text = await readFile(file, 'latin1');
	expect(text).toContain(from);
	await writeFile(file, text.replace(from, to), 'latin1');
}

async function damagedFolders(place: RedisPlace): Promise<string[]> {
	return (await readdir(place.folder)).filter((name) => name.startsWith('damaged-'));
}

/** Commands of more than 64 KiB. */
const much = 'x'.repeat(100_000);
const command = (...words: string[]) =>
	`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

interface Damage {
	/** What is done to the files `base`, `incr` and `manifest`. */
	readonly by: (files: { base: string; incr: string; manifest: string }) => Promise<unknown>;
	/** The values of `kept` (in the base file), `first`, `middle` and `last` (in the other) afterwards. */
	readonly left: readonly (string | null)[];
}
const all = ['0', '1', much, '3'];
const nothing = [null, null, null, null];

const damages: Record<string, Damage> = {
	'text at the end': { by: ({ incr }) => appendFile(incr, 'garbage\r\n'), left: all },
	'bytes at the end': { by: ({ incr }) => appendFile(incr, Buffer.from('00ff8001fe', 'hex')), left: all },
	'many zeros at the end': { by: ({ incr }) => appendFile(incr, Buffer.alloc(300_000)), left: all },
	'much text at the end': { by: ({ incr }) => appendFile(incr, 'garbage\r\n'.repeat(30_000)), left: nothing },
	'a wrong length near the end': {
		by: ({ incr }) => replaceIn(incr, '$4\r\nlast', '$9\r\nlast'),
		left: ['0', '1', much, null],
	},
	'a wrong length far from the end': { by: ({ incr }) => replaceIn(incr, '$5\r\nfirst', '$9\r\nfirst'), left: nothing },
	'a broken beginning': { by: ({ incr }) => replaceIn(incr, '*2', 'zz'), left: nothing },
	'a command that does not exist': { by: ({ incr }) => appendFile(incr, command('NOSUCH', 'thing')), left: nothing },
	'a command with wrong arguments': {
		by: ({ incr }) => appendFile(incr, command('LPUSH', 'first', 'item', much)),
		left: all,
	},
	'no file of commands': { by: ({ incr }) => rm(incr), left: nothing },
	'a changed base file': { by: ({ base }) => replaceIn(base, 'kept', 'kapt'), left: nothing },
	'a short base file': { by: async ({ base }) => truncate(base, (await stat(base)).size - 20), left: nothing },
	// Redis accepts it.
	'an empty base file': { by: ({ base }) => truncate(base, 0), left: [null, '1', much, '3'] },
	'a base file of garbage': { by: ({ base }) => writeFile(base, 'garbage'.repeat(100)), left: nothing },
	'no base file': { by: ({ base }) => rm(base), left: nothing },
	'a manifest of garbage': { by: ({ manifest }) => writeFile(manifest, 'garbage'), left: nothing },
	'an empty manifest': { by: ({ manifest }) => truncate(manifest, 0), left: nothing },
	'a manifest with binary bytes': { by: ({ manifest }) => writeFile(manifest, Buffer.alloc(500, 0xff)), left: nothing },
	'a manifest that names another file': {
		by: ({ manifest }) => replaceIn(manifest, '.base.rdb', '.bose.rdb'),
		left: nothing,
	},
};

describe('damaged data of its own Redis', () => {
	test.each(Object.entries(damages))('%s: starts by itself and says so', async (_name, { by, left }) => {
		const place = await makeRedisPlace(await temporaryFolder());
		const first = await run(place);
		await ask(place, async (client) => {
			await client.set('kept', '0');
			await client.bgrewriteaof();
			await expect
				.poll(async () =>
					/aof_rewrite_in_progress:(\d)[\s\S]*aof_base_size:(\d+)/
						.exec(await client.info('persistence'))
						?.slice(1, 3)
						.join(),
				)
				.toMatch(/^0,(9\d|\d{3,})$/);
			await client.mset('first', '1');
			await client.set('middle', much);
			await client.set('last', '3');
		});
		await first.stop();
		const folder = join(place.folder, 'appendonlydir');
		const names = await readdir(folder);
		const file = (ending: string) => join(folder, names.find((name) => name.endsWith(ending)) as string);
		await by({ base: file('.base.rdb'), incr: file('.incr.aof'), manifest: file('.manifest') });

		const lines: { level: string; msg: string }[] = [];
		const told = createLogger('test', 'warn', { write: (line) => void lines.push(JSON.parse(line)) });
		const second = await runOwnRedis(place, told);
		onTestFinished(() => second.stop());
		const values = await ask(place, (client) => client.mget('kept', 'first', 'middle', 'last'));
		expect(values.map((value) => (value === much ? 'much' : value))).toEqual(
			left.map((value) => (value === much ? 'much' : value)),
		);
		// It works, and is stored.
		await ask(place, (client) => client.set('later', 'yes'));
		await second.stop();
		await run(place);
		expect(await ask(place, (client) => client.get('later'))).toBe('yes');
		const hasDamage = (await damagedFolders(place)).length > 0;
		expect(lines.map(({ level }) => level)).toEqual(hasDamage ? ['warn'] : []);
		if (left === nothing) expect(lines[0]?.msg).toContain('set aside');
	});

	test('keeps the latest two, and needs no checker', async () => {
		const place = await makeRedisPlace(await temporaryFolder());
		const programs = await temporaryFolder('programs');
		await mkdir(programs);
		await symlink(findRedisProgram() as string, join(programs, 'redis-server'));
		const path = process.env.PATH;
		process.env.PATH = `${programs}:${path}`;
		onTestFinished(() => {
			process.env.PATH = path;
		});
		const folders: string[] = [];
		for (let round = 0; round < 4; round++) {
			const redis = await run(place);
			await ask(place, (client) => client.set('round', round));
			await redis.stop();
			await appendFile(await appendOnlyFile(place), 'garbage\r\n');
			folders.push(...(await damagedFolders(place)));
		}
		await run(place);
		const kept = await damagedFolders(place);
		expect(kept).toHaveLength(2);
		expect(kept).not.toContain(folders[0]);
		expect(
			await readFile(join(place.folder, kept[1] as string, 'appendonlydir', 'appendonly.aof.1.incr.aof'), 'latin1'),
		).toContain('garbage');
		expect(await ask(place, (client) => client.get('round'))).toBe(null);
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
