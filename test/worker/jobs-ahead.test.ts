import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { createLogger } from '../../src/observe/log.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { startWorker } from '../../src/roles/worker.ts';
import { adaptJobsAhead } from '../../src/worker/jobs-ahead.ts';
import { form, json, startTestApi, untilIdle } from '../helpers/api.ts';
import { connected } from '../helpers/connection.ts';
import { photograph } from '../helpers/pictures.ts';
import { startRedis } from '../helpers/redis.ts';
import { endWithTest } from '../helpers/shared.ts';

describe('the number of jobs ahead', () => {
	it('grows while imaging is idle although all jobs are taken, and shrinks to the setting while pictures wait for it', () => {
		const load = { working: 0, waiting: 0 };
		const seen: number[] = [];
		const ahead = adaptJobsAhead({ load: () => load }, { processes: 2, least: 2, hasMore: () => false }, (jobs) =>
			seen.push(jobs),
		);
		const turn = (count: number) => {
			for (let at = 0; at < count; at++) {
				ahead.begin();
				ahead.end();
			}
		};
		turn(20);
		// Not all jobs were taken.
		expect(seen).toEqual([]);
		for (let at = 0; at < 3; at++) ahead.begin();
		turn(3);
		expect(seen).toEqual([3]);
		ahead.begin();
		turn(2);
		// Once it was busy in between.
		load.working = 2;
		turn(1);
		load.working = 0;
		turn(2);
		expect(seen).toEqual([3]);
		turn(1);
		expect(seen).toEqual([3, 4]);
		load.working = 2;
		load.waiting = 3;
		turn(30);
		expect(seen).toEqual([3, 4, 3, 2]);
	});

	it('grows to 32 at most, and never from a higher setting', () => {
		const jobs = { processes: 1, least: 2, hasMore: () => true };
		const seen: number[] = [];
		const idle = { load: () => ({ working: 0, waiting: 0 }) };
		const ahead = adaptJobsAhead(idle, jobs, (count) => seen.push(count));
		for (let at = 0; at < 500; at++) ahead.begin();
		expect(seen.at(-1)).toBe(32);
		const high: number[] = [];
		const more = adaptJobsAhead(idle, { ...jobs, least: 50 }, (count) => high.push(count));
		for (let at = 0; at < 500; at++) more.begin();
		expect(high).toEqual([]);
	});
});

/** A line to a server on a unix socket on which each message takes its time, as to another continent. */
async function farLine(path: string, milliseconds: number): Promise<string> {
	const sockets = new Set<Socket>();
	const server = createServer((client) => {
		const upstream = connect(path);
		for (const [from, to] of [
			[client, upstream],
			[upstream, client],
		] as const) {
			sockets.add(from);
			from.setNoDelay(true);
			from.on('error', () => {});
			from.on('data', (chunk) => setTimeout(() => to.destroyed || to.write(chunk), milliseconds));
			from.on('close', () => to.destroy());
		}
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	endWithTest(() => {
		server.close();
		for (const socket of sockets) socket.destroy();
	});
	return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a worker far from Redis', () => {
	it('takes more jobs ahead, so that its imaging process is not idle', async () => {
		const server = await startRedis();
		onTestFinished(() => server.stop());
		const small = { steps: [{ resize: { width: 16 } }], encode: [{ webp: {} }] };
		const recipe = JSON.stringify({ variants: { small } });
		const api = await startTestApi({ REDIS_URL: server.url, PICPIPE_INLINE_RECIPES: 'true' });
		const bytes = await photograph({ width: 64, height: 48 });
		const files = Array.from({ length: 25 }, (_, at): [string, Buffer] => [`${at}.jpg`, bytes]);
		for (let at = 0; at < 6; at++) {
			const body = form(files, ['recipe', recipe]);
			expect((await fetch(`${api.url}/v1/pictures`, { method: 'POST', body })).status).toBe(202);
		}
		const queues = openQueues(await connected('producer', server.url), {
			...api.config,
			prefix: api.config.redisPrefix,
		});
		onTestFinished(() => queues.close());
		const far = { ...api.config, redisUrl: await farLine(new URL(server.url).pathname, 25) };
		const worker = await startWorker(far, createLogger('worker', 'silent'));
		endWithTest(() => worker.stop());
		await expect
			.poll(() => queues.byName.pictures.getActiveCount(), { timeout: 30_000, interval: 20 })
			.toBeGreaterThan(far.imagingProcesses + far.jobsAhead + 2);
		await untilIdle(api, 60_000);
		const { pictures } = await json(await fetch(`${api.url}/v1/pictures?state=ready&limit=200`));
		expect(pictures).toHaveLength(150);
	}, 120_000);

	it('has a setting for the least of them', () => {
		expect(readConfig({}).jobsAhead).toBe(2);
		expect(() => readConfig({ PICPIPE_JOBS_AHEAD: '101' })).toThrow('PICPIPE_JOBS_AHEAD');
	});
});
