import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { start, wait } from './scale-store.mjs';
import { getJson } from './sides.mjs';

/** Pictures that are processed before their rate is measured, and while it is. */
const warmUp = 50;
const measuredPictures = 400;
/** Most messages that are made to wait. */
const mostMessages = 3_000;
/** How long waiting messages are watched, milliseconds. */
const watching = 5_000;

/** A sweep that has nothing to do but to look at every waiting picture. */
export async function measureSweep(place) {
	const { redis, size } = place;
	const api = await start(place, 'api');
	const { address } = await api.until(({ msg }) => msg === 'API is listening');
	await operate(address, 'pause');
	const worker = await start(place, 'worker');
	const upkeep = new Queue('upkeep', { connection: redis.client, prefix: 'picpipe' });
	try {
		while ((await waitingIn(address)) < size) await sweepOnce(upkeep);
		const before = await redis.commands();
		const results = [];
		do results.push(await sweepOnce(upkeep));
		while (results.at(-1).result.more);
		const after = await redis.commands();
		const milliseconds = results.reduce((sum, one) => sum + one.milliseconds, 0);
		return {
			sweep: { value: (milliseconds * 1_000) / size, unit: 'µs a waiting picture' },
			'sweep in Redis': { value: (after.usec - before.usec) / size, unit: 'µs CPU a waiting picture' },
		};
	} finally {
		await upkeep.close();
		await worker.stop();
		await api.stop();
	}
}

/** Runs one sweep. @returns its result and how long it took */
async function sweepOnce(upkeep) {
	const { id } = await upkeep.add('sweep', { version: 1 });
	const job = await wait(async () => {
		const one = await upkeep.getJob(id);
		if (one?.failedReason) throw new Error(`A sweep failed: ${one.failedReason}`);
		return one?.finishedOn && one;
	});
	if (job.returnvalue.skipped) return sweepOnce(upkeep);
	return { milliseconds: job.finishedOn - job.processedOn, result: job.returnvalue };
}

/** The rate of one worker while everything else waits, and what each picture asks of Redis. */
export async function measureDrain(place) {
	const { redis, size } = place;
	const api = await start(place, 'api');
	const { address } = await api.until(({ msg }) => msg === 'API is listening');
	const worker = await start(place, 'worker');
	try {
		// A worker sweeps when it starts. That is measured by itself; here it would count for a few hundred pictures instead of a minute of them.
		await wait(async () => {
			const { active, completed } = await countsOf(address, 'upkeep');
			return active === 0 && completed > 0;
		});
		await operate(address, 'resume');
		const first = await untilCompleted(address, warmUp);
		const [began, before] = [performance.now(), await redis.commands()];
		const last = await untilCompleted(address, first + Math.min(measuredPictures, size / 2));
		const [ended, after] = [performance.now(), await redis.commands()];
		const pictures = last - first;
		await operate(address, 'pause');
		return {
			drain: { value: (pictures * 1_000) / (ended - began), unit: 'pictures a second', isRate: true },
			commands: { value: (after.calls - before.calls) / pictures, unit: 'a picture' },
			'Redis at work': { value: (after.usec - before.usec) / pictures, unit: 'µs CPU a picture' },
		};
	} finally {
		await worker.stop();
		await api.stop();
	}
}

/** What messages cost that wait for a receiver that never answers. A larger store has more of them. */
export async function measureWebhooks(place) {
	const { redis, size } = place;
	const receiver = await startHangingReceiver();
	const api = await start(place, 'api');
	const { address } = await api.until(({ msg }) => msg === 'API is listening');
	const worker = await start(place, 'worker', {
		PICPIPE_WEBHOOK_URL: receiver.url,
		PICPIPE_WEBHOOK_SCHEMES: 'http,https',
		PICPIPE_WEBHOOK_PORTS: String(receiver.port),
		PICPIPE_WEBHOOK_NETWORKS: '127.0.0.1/32',
		PICPIPE_WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
	});
	try {
		const { completed } = await countsOf(address, 'pictures');
		await operate(address, 'resume');
		await untilCompleted(address, completed + Math.min(size / 10, mostMessages));
		await operate(address, 'pause');
		await wait(async () => (await countsOf(address, 'pictures')).active === 0);
		const before = await redis.commands();
		await sleep(watching);
		const after = await redis.commands();
		return {
			'messages that wait': { value: ((after.calls - before.calls) * 1_000) / watching, unit: 'commands a second' },
		};
	} finally {
		await worker.stop();
		await api.stop();
		await receiver.stop();
	}
}

async function untilCompleted(address, wanted) {
	return wait(async () => {
		const { completed } = await countsOf(address, 'pictures');
		return completed >= wanted && completed;
	});
}

/** A receiver of webhooks that never answers. */
async function startHangingReceiver() {
	const server = createServer(() => {});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address();
	return {
		port,
		url: `http://127.0.0.1:${port}/`,
		async stop() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

async function operate(address, operation) {
	const answer = await fetch(`${address}/v1/queues/pictures/${operation}`, { method: 'POST' });
	if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
}

async function countsOf(address, name) {
	const { queues } = await getJson(`${address}/v1/queues`);
	return queues.find((queue) => queue.name === name).counts;
}

async function waitingIn(address) {
	const { waiting, prioritized } = await countsOf(address, 'pictures');
	return waiting + prioritized;
}
