import { Queue } from 'bullmq';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { PicpipeError } from '../../src/errors.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { askRedis, connectRedis, isConnectionTrouble, readRedisInfo, redisTooOld } from '../../src/queue/redis.ts';
import { connected } from '../helpers/connection.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix, type PrivateRedis, startRedis } from '../helpers/redis.ts';
import { thrownBy } from '../helpers/thrown.ts';

/** Nobody waits longer than this for a Redis that doesn't answer, milliseconds; with room for a machine at work. */
const patience = 6_000;

async function privateRedis(): Promise<PrivateRedis> {
	const server = await startRedis();
	onTestFinished(() => server.stop());
	return server;
}

/** How the work fails and after what time. */
async function failure(work: () => Promise<unknown>): Promise<{ code: string; milliseconds: number }> {
	const started = performance.now();
	const { code } = await thrownBy(work);
	return { code, milliseconds: performance.now() - started };
}

describe('connectRedis', () => {
	it('accepts a unix socket with spaces in its path', async () => {
		const server = await startRedis({ folder: `/tmp/pp redis ${process.pid}` });
		onTestFinished(() => server.stop());
		const redis = await connected('producer', server.url.replaceAll(' ', '%20'));
		expect(await redis.ping()).toBe('PONG');
	});

	it('reads host, port, password and database from the URL', () => {
		const redis = connectRedis('redis://user:p%40ss@127.0.0.1:1/3', 'producer');
		onTestFinished(() => redis.disconnect());
		redis.on('error', () => {});
		expect(redis.options).toMatchObject({ host: '127.0.0.1', port: 1, username: 'user', password: 'p@ss', db: 3 });
	});

	it('uses TLS for rediss', () => {
		const redis = connectRedis('rediss://127.0.0.1:1', 'producer');
		onTestFinished(() => redis.disconnect());
		redis.on('error', () => {});
		expect(redis.options.tls).toBeTruthy();
	});

	it('lets producers give up and workers wait', async () => {
		const producer = await connected('producer');
		const worker = await connected('worker');
		expect(producer.options).toMatchObject({
			enableOfflineQueue: false,
			maxRetriesPerRequest: 1,
			commandTimeout: 2_000,
		});
		expect(worker.options).toMatchObject({ enableOfflineQueue: true, maxRetriesPerRequest: null });
		expect(worker.options.commandTimeout).toBeUndefined();
	});

	it('reconnects for ever, at least once a second', async () => {
		const { retryStrategy } = (await connected()).options;
		expect([1, 2, 10, 20, 1_000].map((times) => retryStrategy?.(times))).toEqual([50, 100, 500, 1_000, 1_000]);
	});
});

describe('askRedis', () => {
	it('returns the reply of Redis', async () => {
		const redis = await connected();
		expect(await askRedis(redis, () => redis.echo('hello'))).toBe('hello');
	});

	it('passes on errors that are not connection problems', async () => {
		const redis = await connected();
		await expect(askRedis(redis, () => redis.call('NOSUCH'))).rejects.toThrow(/unknown command/);
		const ours = new PicpipeError('picture-busy');
		await expect(askRedis(redis, () => Promise.reject(ours))).rejects.toBe(ours);
	});

	it('fails at once without a connection', async () => {
		const redis = connectRedis('redis://127.0.0.1:1', 'producer');
		onTestFinished(() => redis.disconnect());
		redis.on('error', () => {});
		let asked = 0;
		const { code, milliseconds } = await failure(() => askRedis(redis, async () => asked++));
		expect(code).toBe('queue-unavailable');
		expect(milliseconds).toBeLessThan(500);
		expect(asked).toBe(0);
	});

	it('never hangs while Redis does, directly or through BullMQ, and recovers', async () => {
		const server = await privateRedis();
		const redis = await connected('producer', server.url);
		const queues = openQueues(redis, { prefix: freshPrefix(), attempts: 5, retryDelay: 1_000 });
		const picture = makePicture();
		await queues.enqueuePicture(makePicture(), 'upload');
		process.kill(server.pid, 'SIGSTOP');
		try {
			const [direct, queued] = await Promise.all([
				failure(() => askRedis(redis, () => redis.ping())),
				failure(() => queues.enqueuePicture(picture, 'upload')),
			]);
			for (const { code, milliseconds } of [direct, queued]) {
				expect(code).toBe('queue-unavailable');
				expect(milliseconds).toBeLessThan(patience);
			}
		} finally {
			process.kill(server.pid, 'SIGCONT');
		}
		await expect.poll(() => askRedis(redis, () => redis.ping()).catch(() => 'away'), { timeout: 10_000 }).toBe('PONG');
		// The command that nobody waited for any more may have been carried out: then this adds nothing.
		await queues.enqueuePicture(picture, 'upload');
		expect(await queues.countWaiting('pictures')).toEqual({ waiting: 2, delayed: 0 });
		await queues.close();
	});

	it('fails soon if Redis is killed during a command, and reconnects by itself', async () => {
		const server = await privateRedis();
		const redis = await connected('producer', server.url);
		const asking = failure(() => askRedis(redis, () => redis.blpop(freshPrefix(), 0)));
		await server.kill9();
		const { code, milliseconds } = await asking;
		expect(code).toBe('queue-unavailable');
		expect(milliseconds).toBeLessThan(patience);
		expect((await failure(() => askRedis(redis, () => redis.ping()))).code).toBe('queue-unavailable');
		await server.restart();
		await expect.poll(() => askRedis(redis, () => redis.ping()).catch(() => 'away'), { timeout: 10_000 }).toBe('PONG');
	});

	it('reports that the queue is unavailable if Redis is full', async () => {
		const server = await privateRedis();
		const redis = await connected('producer', server.url);
		const queues = openQueues(redis, { prefix: freshPrefix(), attempts: 5, retryDelay: 1_000 });
		await queues.enqueuePicture(makePicture(), 'upload');
		await redis.config('SET', 'maxmemory', '1');
		const picture = makePicture();
		expect((await failure(() => queues.enqueuePicture(picture, 'upload'))).code).toBe('queue-unavailable');
		await redis.config('SET', 'maxmemory', '0');
		await queues.enqueuePicture(picture, 'upload');
		expect(await queues.countWaiting('pictures')).toEqual({ waiting: 2, delayed: 0 });
		await queues.close();
	});

	it('reports the same if it is read-only', async () => {
		const server = await privateRedis();
		const redis = await connected('producer', server.url);
		await redis.replicaof('127.0.0.1', 1);
		expect((await failure(() => askRedis(redis, () => redis.set('a', 'b')))).code).toBe('queue-unavailable');
	});

	it('works through the connection that BullMQ shares', async () => {
		const redis = await connected();
		const queue = new Queue('pictures', { connection: redis, prefix: freshPrefix() });
		expect(await askRedis(redis, () => queue.count())).toBe(0);
		await queue.close();
	});
});

describe('isConnectionTrouble', () => {
	it.each([
		'Connection is closed.',
		"Stream isn't writeable and enableOfflineQueue options is false",
		'Command timed out',
		'connect ECONNREFUSED 127.0.0.1:6379',
		'read ECONNRESET',
		'write EPIPE',
		'connect ENOENT /run/redis.sock',
		'Reached the max retries per request limit (which is 1). Refer to "maxRetriesPerRequest" option for details.',
		'LOADING Redis is loading the dataset in memory',
		"OOM command not allowed when used memory > 'maxmemory'.",
		"READONLY You can't write against a read only replica.",
		'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
		'Failed to add repeatable job for next iteration: MISCONF Errors writing to the AOF file: No space left on device',
		'BUSY Redis is busy running a script.',
	])('is %s', (message) => {
		expect(isConnectionTrouble(new Error(message))).toBe(true);
	});

	it.each([
		"ERR unknown command 'NOSUCH'",
		'WRONGTYPE Operation against a key holding the wrong kind of value',
		'NOAUTH Authentication required.',
		'x is not a function',
	])('is not %s', (message) => {
		expect(isConnectionTrouble(new Error(message))).toBe(false);
	});

	it('is not a value that is no error', () => {
		expect(isConnectionTrouble('Connection is closed.')).toBe(false);
		expect(isConnectionTrouble(undefined)).toBe(false);
	});
});

describe('the version of Redis', () => {
	it.each(['6.2.0', '6.2.14', '6.10.0', '7.0.15', '8.2.1', '10.0.0', '6.2.0-rc1'])('may be %s', (version) => {
		expect(redisTooOld(version)).toBeUndefined();
	});

	it.each(['6.0.16', '5.0.7', '2.8', '6.1.9'])('may not be %s', (version) => {
		expect(redisTooOld(version)).toBe(`Expected Redis 6.2 or newer but this server is ${version}.`);
	});

	it('is read from the server, with its eviction policy', async () => {
		const info = await readRedisInfo(await connected('producer', inject('redisUrl')));
		expect(info.version).toMatch(/^\d+\.\d+\.\d+$/);
		expect(redisTooOld(info.version)).toBeUndefined();
		expect(info.evictionPolicy).toBe('noeviction');
	});
});
