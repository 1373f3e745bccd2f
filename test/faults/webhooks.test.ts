import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { json, untilFinished } from '../helpers/api.ts';
import { startForFaults, until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { photograph } from '../helpers/pictures.ts';
import type { PicpipeProcess } from '../helpers/processes.ts';
import { startRedis } from '../helpers/redis.ts';
import { says } from '../helpers/remote.ts';
import { endWithTest, shared } from '../helpers/shared.ts';
import { isSignedWith, type Sink, secret } from '../helpers/sink.ts';

/** Longest time from the death of a worker until its jobs begin again, milliseconds: lock, look for stalled jobs, start of a worker. */
const recovery = 60_000;

async function upload(api: string, fields = '', bytes?: Buffer): Promise<string> {
	const response = await fetch(`${api}/v1/pictures?recipe=avatar${fields}`, {
		method: 'POST',
		body: new Uint8Array(bytes ?? (await photograph({ width: 320, height: 240 }))),
		headers: { 'content-type': 'image/jpeg' },
	});
	expect(response.status).toBe(202);
	return (await json(response)).id;
}

const running = shared(async () => {
	const redis = await startRedis();
	endWithTest(() => redis.stop());
	const key = secret();
	const picpipe = await startForFaults({
		REDIS_URL: redis.url,
		PICPIPE_WEBHOOK_SECRETS: key,
		// What fails is not tried again while a test looks.
		PICPIPE_WEBHOOK_SCHEDULE: '7200,7200',
	});
	const { api } = await picpipe.ready();
	return { key, redis, picpipe, sink: picpipe.sink, api };
});

beforeEach(() => running().sink.answer(says(204)));

/** Waits for a message as the sink does; if none comes, what picpipe has said says why. */
async function expectToldBy(
	picpipe: PicpipeProcess,
	sink: Sink,
	...what: Parameters<Sink['expectMessages']>
): Promise<void> {
	await sink.expectMessages(...what).catch((cause) => {
		throw new Error(`Not told of ${what[0]} ${what[1]}:\n${picpipe.output}`, { cause });
	});
}

/** Of everything that came, each is what was announced, whole and signed, and doubles have the same id and bytes. */
function expectSound({ received }: Sink, key: string): void {
	const bodies = new Map<string, string>();
	for (const one of received) {
		expect(isSignedWith(key, one)).toBe(true);
		expect(bodies.get(one.id) ?? one.body).toBe(one.body);
		bodies.set(one.id, one.body);
	}
}

describe('a ready picture is notified', () => {
	it('although the worker is killed (-9) after the picture was recorded and before delivery', {
		timeout: 120_000,
	}, async () => {
		const { sink, key, picpipe, api } = running();
		// The api may not have its connection to Redis yet.
		await until('the queue is paused', async () => {
			const answer = await fetch(`${api}/v1/queues/webhooks/pause`, { method: 'POST' });
			return (await json(answer)).paused === true;
		});
		const id = await upload(api);
		expect(await untilFinished({ url: api }, id)).toMatchObject({ state: 'ready' });
		process.kill(picpipe.pidOf('worker'), 'SIGKILL');
		expect(sink.received.filter(({ message }) => message.data.id === id)).toEqual([]);
		await fetch(`${api}/v1/queues/webhooks/resume`, { method: 'POST' });
		await expectToldBy(picpipe, sink, 'picture.ready', id, 1, recovery);
		expectSound(sink, key);
	});

	it('although the worker is killed (-9) during delivery; the second message has the same id', {
		timeout: 120_000,
	}, async () => {
		const { sink, key, picpipe, api } = running();
		sink.answer(() => {});
		const id = await upload(api);
		await sink.expectMessages('picture.ready', id);
		process.kill(picpipe.pidOf('worker'), 'SIGKILL');
		sink.answer(says(200));
		await expectToldBy(picpipe, sink, 'picture.ready', id, 2, recovery);
		expect(idsOf(sink, [id]).size).toBe(1);
		expectSound(sink, key);
	});

	it('although Redis loses everything while a later attempt waits, even for hours', { timeout: 120_000 }, async () => {
		const { sink, key, redis, picpipe, api } = running();
		sink.answer(says(503));
		const ids = [await upload(api), await upload(api)];
		for (const id of ids) await sink.expectMessages('picture.ready', id);
		const waiting = async () => (await json(await fetch(`${api}/v1/queues`))).queues.find(isWebhooks).counts.delayed;
		await until('both wait for their next attempt', async () => (await waiting()) === 2);
		await redis.wipe();
		sink.answer(says(200));
		await redis.restart();
		for (const id of ids) await expectToldBy(picpipe, sink, 'picture.ready', id, 2, recovery);
		expect(idsOf(sink, ids).size).toBe(2);
		expectSound(sink, key);
	});
});

describe('a failed picture is notified under one id', () => {
	for (const change of ['failure', 'marker']) {
		it(`although the worker is killed (-9) right after it ${change === 'failure' ? 'wrote the manifest' : 'deleted the marker'}`, {
			timeout: 150_000,
		}, async () => {
			const folder = await temporaryFolder();
			const dieAfter = join(folder, 'die-after');
			const preload = new URL('die-after.mjs', import.meta.url).href;
			const key = secret();
			const picpipe = await startForFaults({
				NODE_OPTIONS: `--import ${preload}`,
				DIE_AFTER: dieAfter,
				PICPIPE_WEBHOOK_SECRETS: key,
			});
			const { api } = await picpipe.ready();
			const { sink } = picpipe;
			const worker = picpipe.pidOf('worker');
			writeFileSync(dieAfter, change);
			const broken = (await photograph({ width: 320, height: 240 })).subarray(0, 3_000);
			const id = await upload(api, '', broken);
			await until('the worker has died', () => picpipe.pidOf('worker') !== worker);
			expect(existsSync(dieAfter)).toBe(false);
			await expectToldBy(picpipe, sink, 'picture.failed', id, 1, recovery);
			// The job of the killed worker runs again and ends, and everything that it published is delivered.
			await until(
				'the jobs have ended',
				async () => {
					const { queues } = await json(await fetch(`${api}/v1/queues`));
					const isIdle = ({ counts }: { counts: Record<string, number> }) =>
						(counts.active ?? 0) + (counts.waiting ?? 0) + (counts.prioritized ?? 0) + (counts.delayed ?? 0) === 0;
					const [pictures, webhooks] = [queues.find(isPictures), queues.find(isWebhooks)];
					return pictures.counts.failed === 1 && isIdle(pictures) && isIdle(webhooks);
				},
				recovery,
			);
			expect(idsOf(sink, [id]).size).toBe(1);
			expectSound(sink, key);
			expect(await untilFinished({ url: api }, id)).toMatchObject({ state: 'failed', failure: { attempt: 1 } });

			// A retry by hand is another end.
			expect((await fetch(`${api}/v1/pictures/${id}/retry`, { method: 'POST' })).status).toBe(202);
			await until('the second end is told', () => idsOf(sink, [id]).size === 2, recovery);
		});
	}
});

describe('the end of a batch', () => {
	it('is notified once although the worker is killed (-9) and Redis loses everything in between', {
		timeout: 150_000,
	}, async () => {
		const { sink, key, redis, picpipe, api } = running();
		const headers = { 'content-type': 'application/json' };
		const made = await fetch(`${api}/v1/batches`, { method: 'POST', headers, body: '{"expect":8}' });
		const batch = await json(made);
		const ids: string[] = [];
		for (let number = 0; number < 8; number++) ids.push(await upload(api, `&batch=${batch.id}`));
		await until('some are ready', () => idsOf(sink, ids).size >= 2);
		process.kill(picpipe.pidOf('worker'), 'SIGKILL');
		await redis.wipe();
		await redis.restart();
		await expectToldBy(picpipe, sink, 'batch.finished', batch.id, 1, recovery);
		expect(sink.received.find(({ message }) => message.type === 'batch.finished')?.message.data).toMatchObject({
			ready: 8,
			failed: 0,
		});
		const ends = sink.received.filter(({ message }) => message.type === 'batch.finished');
		expect(new Set(ends.map(({ id }) => id)).size).toBe(1);
		expect(idsOf(sink, ids).size).toBe(8);
		expectSound(sink, key);
	});
});

/** The ids of all messages that told of these pictures. */
function idsOf({ received }: Sink, pictureIds: readonly string[]): Set<string> {
	return new Set(received.filter(({ message }) => pictureIds.includes(message.data.id)).map(({ id }) => id));
}

function isPictures({ name }: { name: string }): boolean {
	return name === 'pictures';
}

function isWebhooks({ name }: { name: string }): boolean {
	return name === 'webhooks';
}
