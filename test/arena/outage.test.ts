import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { arenaJobPath } from '../../src/queue/jobs.ts';
import { type PrivateRedis, startRedis } from '../helpers/redis.ts';
import { ask, jobIn, openTestArena, type TestArena } from './fixture.ts';

/** Unhandled rejections fail the run, so that passing here also means that Arena's process would have stayed up. */
describe('Redis in trouble', () => {
	let redis: PrivateRedis;
	let arena: TestArena;

	beforeEach(async () => {
		redis = await startRedis();
	});
	afterEach(async () => {
		await arena.close();
		await redis.stop();
	});

	const status = async (path: string, method = 'GET') => (await ask(arena.address, path, { method })).status;
	const paths = (jobId: string) => [
		'/picpipe/pictures',
		'/picpipe/upkeep',
		'/picpipe/pictures/waiting',
		'/picpipe/pictures/failed.json',
		arenaJobPath('pictures', jobId),
	];

	async function expectOutage(jobId: string): Promise<void> {
		for (const path of paths(jobId)) {
			const { status, body } = await ask(arena.address, path);
			expect([path, status, body]).toEqual([path, 503, 'The queue is currently unavailable.\n']);
		}
		for (const [method, path] of [
			['PATCH', `/job/${jobId}`],
			['DELETE', `/job/${jobId}`],
		] as const) {
			expect(await status(`/api/queue/picpipe/pictures${path}`, method)).toBe(503);
		}
		expect(await status('/api/queue/picpipe/pictures/pause', 'PUT')).toBe(500);
		expect(await status('/')).toBe(200);
		expect(await status('/healthz')).toBe(200);
	}

	async function expectRecovery(jobId: string): Promise<void> {
		await expect.poll(() => status('/picpipe/pictures'), { timeout: 15_000 }).toBe(200);
		for (const path of paths(jobId)) expect([path, await status(path)]).toEqual([path, 200]);
	}

	it('is killed and restarted: pages say so and recover', async () => {
		arena = await openTestArena({ redisUrl: redis.url });
		const jobId = await jobIn('waiting', arena);
		await expectRecovery(jobId);
		await redis.kill9();
		await expectOutage(jobId);
		await redis.restart();
		await expectRecovery(jobId);
		expect((await ask(arena.address, arenaJobPath('pictures', jobId))).body).toContain('waiting.jpg');
		expect(await status(`/api/queue/picpipe/pictures/job/${jobId}`, 'DELETE')).toBe(200);
	});

	it('is away when Arena starts: pages say so and work once it is back', async () => {
		await redis.kill9();
		arena = await openTestArena({ redisUrl: redis.url });
		await expectOutage('nope');
		await redis.restart();
		const jobId = await jobIn('waiting', arena);
		await expectRecovery(jobId);
	});

	it('hangs: pages say so, although it never replies', async () => {
		arena = await openTestArena({ redisUrl: redis.url });
		const jobId = await jobIn('waiting', arena);
		await expectRecovery(jobId);
		process.kill(redis.pid, 'SIGSTOP');
		try {
			expect(await status('/picpipe/pictures')).toBe(503);
		} finally {
			process.kill(redis.pid, 'SIGCONT');
		}
		await expectRecovery(jobId);
	});
});

describe('an unhandled rejection', () => {
	const script = `
		import { createServer } from 'node:http';
		import { containStrays, runFor } from './src/arena/contain.ts';
		import { createLogger } from './src/observe/log.ts';
		containStrays(createLogger('arena', 'info'));
		const server = createServer((request, response) => {
			if (request.url === '/outside') setTimeout(() => Promise.reject(new Error('outside')));
			else if (request.url === '/inside') runFor(response, () => setTimeout(() => Promise.reject(new Error('inside')), 10));
			else response.end('up');
		}).listen(0, '127.0.0.1', () => console.log('at', server.address().port));
		// The timer of "outside" must not belong to a request to Arena; it does not, as only runFor marks them.
	`;

	it('of Arena is logged and answered; any other ends the process', async () => {
		const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		let output = '';
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
		const exited = once(child, 'exit');
		try {
			await expect.poll(() => output, { timeout: 30_000 }).toMatch(/^at \d+/m);
			const address = `http://127.0.0.1:${/^at (\d+)/m.exec(output)?.[1]}`;
			expect((await ask(address, '/inside')).status).toBe(500);
			await expect.poll(() => output).toContain('unhandled error in Arena');
			expect((await ask(address, '/')).body).toBe('up');
			await ask(address, '/outside').catch(() => {});
			expect((await exited)[0]).toBe(1);
			expect(output).toContain('Error: outside');
		} finally {
			child.kill('SIGKILL');
		}
	});
});
