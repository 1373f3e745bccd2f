import type { Job } from 'bullmq';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLogger } from '../../src/observe/log.ts';
import { openQueues } from '../../src/queue/queues.ts';
import { reportTo } from '../../src/worker/job-report.ts';
import { form, json, startTestApi } from '../helpers/api.ts';
import { connected } from '../helpers/connection.ts';
import { photograph } from '../helpers/pictures.ts';
import { freshPrefix } from '../helpers/redis.ts';

const log = createLogger('test', 'silent');

async function open() {
	const queues = openQueues(await connected(), { prefix: freshPrefix(), attempts: 5, retryDelay: 1_000 });
	onTestFinished(() => queues.close());
	const queue = queues.byName.pictures;
	const job = (await queue.add('process', {})) as Job<unknown>;
	const progress = async () => (await queue.getJob(job.id ?? ''))?.progress;
	return { job, report: reportTo(job, log), progress };
}

const decoded = { step: 'decode', startedAt: 0, milliseconds: 1, done: 0.5 };

describe('the progress of a job', () => {
	it('is 100 % once it is done', async () => {
		const { report, progress } = await open();
		report.made(decoded);
		await report.done('ready');
		expect(await progress()).toEqual({ percent: 100, step: 'done' });
	});

	it('stays at what was reached if an attempt fails', async () => {
		const { report, progress } = await open();
		report.made(decoded);
		await report.end('failed');
		expect(await progress()).toEqual({ percent: 45, step: 'decode' });
	});

	it('stays at the share that was received, also if that was reported before', async () => {
		const { report, progress } = await open();
		report.progress('receive', 0.3);
		await expect.poll(progress).toEqual({ percent: 30, step: 'receive' });
		await report.end('failed');
		expect(await progress()).toEqual({ percent: 30, step: 'receive' });
	});

	it('is none if nothing was reached, whatever another attempt left behind', async () => {
		const { job, progress } = await open();
		await job.updateProgress({ percent: 70, step: 'encode' });
		await reportTo(job, log).end('failed');
		expect(await progress()).toEqual({ percent: 0, step: 'begin' });
	});
});

it('a picture that cannot be decoded has not made its way', async () => {
	const api = await startTestApi({});
	await api.startWorker();
	const jpeg = await photograph({ width: 300, height: 200 });
	const damaged = Buffer.concat([jpeg.subarray(0, jpeg.length >> 1), Buffer.from([0xff, 0xd9])]);
	const answer = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		headers: { prefer: 'wait=20' },
		body: form([['damaged.jpg', damaged]]),
	});
	const { state, failure } = await json(answer);
	expect([state, failure.code]).toEqual(['failed', 'corrupt-picture']);
	const queues = openQueues(await connected(), { ...api.config, prefix: api.config.redisPrefix });
	onTestFinished(() => queues.close());
	const [job] = await queues.byName.pictures.getFailed();
	// Imaging steps are 90 % of the work, and none of them succeeded.
	expect(job?.progress).toEqual({ percent: 0, step: 'begin' });
});
