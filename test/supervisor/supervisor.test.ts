import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { connectRedis } from '../../src/queue/redis.ts';
import { PicpipeProcess, type ProcessOptions } from '../helpers/processes.ts';
import { temporaryFolder } from './folder.ts';

const running: PicpipeProcess[] = [];

function startPicpipe(options: ProcessOptions): PicpipeProcess {
	const picpipe = new PicpipeProcess(options);
	running.push(picpipe);
	return picpipe;
}

afterEach(async () => {
	for (const one of running.splice(0)) await one.destroy();
});

/** Runs a command in picpipe's own Redis of that data folder. */
async function inRedis<T>(folder: string, work: (redis: ReturnType<typeof connectRedis>) => Promise<T>): Promise<T> {
	const redis = connectRedis(`unix://${join(folder, 'redis', 'redis.sock')}`, 'worker');
	redis.on('error', () => {});
	try {
		return await work(redis);
	} finally {
		redis.disconnect();
	}
}

const serverPid = async (folder: string) => Number(await readFile(join(folder, 'redis', 'redis.pid'), 'utf8'));

/** Waits until a child that was killed is ready again. */
const readyAgain = (picpipe: PicpipeProcess, child: string, from: number) =>
	picpipe.waitFor((line) => line.role === 'start' && line.child === child && line.msg === `${child} is ready`, from);

// Each starts several processes, and more than once; a machine that is busy otherwise takes its time.
describe('picpipe start', { timeout: 240_000 }, () => {
	test('runs everything in a fresh folder, restarts what dies, and stops in order', async () => {
		const folder = await temporaryFolder('new');
		const picpipe = startPicpipe({ folder });
		const banner = await picpipe.ready();

		expect(banner).toMatchObject({
			api: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
			dashboard: `${banner.api}/`,
			arena: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
			data: folder,
			redis: join(folder, 'redis'),
		});
		expect(banner.curl).toMatch(
			new RegExp(
				`^curl -F \\S*file=@/\\S+/examples/lighthouse\\.jpg'? -H 'Prefer: wait=30' ${banner.api}/v1/pictures$`,
			),
		);
		expect((await fetch(`${banner.api}/healthz`)).status).toBe(200);
		expect((await fetch(banner.arena)).status).toBe(200);

		// Each is a process of its own, and each comes back, Arena at once and without taking anything else along.
		await inRedis(folder, (redis) => redis.set('kept', 'yes'));
		const before = { worker: picpipe.pidOf('worker'), arena: picpipe.pidOf('arena'), api: picpipe.pidOf('api') };
		let from = picpipe.lines.length;
		process.kill(before.worker, 'SIGKILL');
		process.kill(before.arena, 'SIGKILL');
		await Promise.all([readyAgain(picpipe, 'worker', from), readyAgain(picpipe, 'arena', from)]);
		expect(picpipe.pidOf('worker')).not.toBe(before.worker);
		expect(picpipe.pidOf('api')).toBe(before.api);

		// Redis itself, and then the process that looks after it.
		for (const pidOf of [serverPid, () => picpipe.pidOf('redis')]) {
			from = picpipe.lines.length;
			process.kill(await pidOf(folder), 'SIGKILL');
			await readyAgain(picpipe, 'redis', from);
			expect(await inRedis(folder, (redis) => redis.get('kept'))).toBe('yes');
		}
		expect(picpipe.pidOf('api')).toBe(before.api);

		from = picpipe.lines.length;
		expect(await picpipe.stop()).toEqual({ code: 0, signal: null });
		const told = picpipe.lines.slice(from);
		const position = (role: string, message: RegExp) =>
			told.findIndex((line) => line.role === role && message.test(line.msg ?? ''));
		const steps = [
			position('start', /^waiting for api/),
			position('api', /^stopped/),
			position('start', /^waiting for worker/),
			position('worker', /^stopped/),
			position('start', /^waiting for arena/),
			position('arena', /^stopped/),
			position('start', /^waiting for redis/),
			position('start', /^everything has stopped/),
		];
		expect(Math.min(...steps), picpipe.output).toBeGreaterThanOrEqual(0);
		expect(steps).toEqual(steps.toSorted((a, b) => a - b));
		expect(picpipe.survivors()).toEqual([]);
	});

	test('leaves nothing behind when it is killed, and continues from there', async () => {
		const folder = await temporaryFolder();
		const first = startPicpipe({ folder, environment: { PICPIPE_STOP_SECONDS: '5' } });
		await first.ready();
		await inRedis(folder, (redis) => redis.set('kept', 'yes'));

		const refused = startPicpipe({ folder });
		expect((await refused.exited).code).toBe(2);
		expect(refused.output).toContain(`PICPIPE_DATA: expected a folder of its own`);
		expect(refused.output).toContain(`process ${first.pid} `);

		first.kill('SIGKILL');
		await first.expectNoSurvivors(20_000);

		const second = startPicpipe({ folder, environment: { PICPIPE_STOP_SECONDS: '5' } });
		await second.ready();
		expect(await inRedis(folder, (redis) => redis.get('kept'))).toBe('yes');

		// Even when the process that would end Redis is killed with it.
		const keeper = second.pidOf('redis');
		second.kill('SIGKILL');
		process.kill(keeper, 'SIGKILL');
		await second.expectNoSurvivors(20_000);
	});

	test('a second signal kills at once, an echo of the first does not', async () => {
		const folder = await temporaryFolder();
		const picpipe = startPicpipe({ folder });
		await picpipe.ready();
		// A worker that can't stop, as one that hangs would.
		process.kill(picpipe.pidOf('worker'), 'SIGSTOP');
		picpipe.kill('SIGINT');
		picpipe.kill('SIGINT');
		await picpipe.waitFor((line) => /^waiting for worker/.test(line.msg ?? ''));
		await new Promise((resolve) => setTimeout(resolve, 1_200));
		expect(picpipe.child.exitCode).toBe(null);
		picpipe.kill('SIGINT');
		expect((await picpipe.exited).code).toBe(130);
		await picpipe.expectNoSurvivors(1_000);
	});

	test('kills processes that do not stop in time', async () => {
		const folder = await temporaryFolder();
		const picpipe = startPicpipe({ folder, environment: { PICPIPE_STOP_SECONDS: '1' } });
		await picpipe.ready();
		process.kill(picpipe.pidOf('arena'), 'SIGSTOP');
		expect((await picpipe.stop()).code).toBe(0);
		expect(picpipe.output).toContain('arena did not stop in time and was killed');
		expect(picpipe.survivors()).toEqual([]);
	});
});
