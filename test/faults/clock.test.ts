import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { json, untilFinished } from '../helpers/api.ts';
import { type Clock, openClock } from '../helpers/clock.ts';
import { childrenOf, mixedPhotographs, quickRecipe, rounds, startForFaults, until } from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph, twelveMegapixels } from '../helpers/pictures.ts';
import type { PicpipeProcess } from '../helpers/processes.ts';
import { startRedis } from '../helpers/redis.ts';
import { endWithTest, shared } from '../helpers/shared.ts';

/** Longest time until a job that waits for its next attempt has it, although the clock jumped; milliseconds. */
const late = 30_000;
/** Delay before a second attempt; milliseconds. */
const retryDelay = 3_000;

/** Waits until the processes have seen the jump: they look at the clock once a second. */
async function seeJump(api: string, hours: number): Promise<void> {
	const apart = () =>
		fetch(`${api}/healthz`).then((response) => Date.parse(response.headers.get('date') ?? '') - Date.now());
	await until('the api sees the clock', async () => Math.abs((await apart()) / 3_600_000 - hours) < 0.01);
	await sleep(1_500);
}

/** An upload of which half has come. @returns sends the rest and answers with the picture */
async function halfAnUpload(api: string, bytes: Buffer): Promise<() => Promise<{ id: string }>> {
	const half = bytes.length >> 1;
	const sending = request(`${api}/v1/pictures`, {
		method: 'POST',
		headers: { 'content-type': 'image/jpeg', 'content-length': bytes.length },
	});
	const answer = new Promise<{ id: string }>((resolve, reject) => {
		sending.on('error', reject);
		sending.on('response', (response) => {
			let text = '';
			response.on('data', (chunk) => {
				text += chunk;
			});
			response.on('end', () => {
				if (response.statusCode === 202) resolve(JSON.parse(text));
				else reject(new Error(`${response.statusCode} ${text}`));
			});
		});
	});
	answer.catch(() => {});
	sending.write(bytes.subarray(0, half));
	// The marker and the first bytes are there.
	await sleep(500);
	return () => {
		sending.end(bytes.subarray(half));
		return answer;
	};
}

/** A picture whose first attempt has failed and whose second waits. */
async function waitingForSecondAttempt(picpipe: PicpipeProcess, api: string): Promise<string> {
	const from = picpipe.lines.length;
	const imaging = childrenOf(picpipe.pidOf('worker'));
	for (const pid of imaging) process.kill(pid, 'SIGSTOP');
	const response = await fetch(`${api}/v1/pictures`, {
		method: 'POST',
		body: new Uint8Array(await twelveMegapixels()),
		headers: { 'content-type': 'image/jpeg' },
	});
	const { id } = await json(response);
	await picpipe.waitFor(
		(line) => line.msg === 'step' && line.pictureId === id && line.step === 'read the manifest',
		from,
	);
	// By now the process has been given it, and can say nothing.
	await sleep(1_500);
	for (const pid of imaging) process.kill(pid, 'SIGKILL');
	await picpipe.waitFor((line) => line.msg === 'attempt failed' && line.pictureId === id, from);
	return id;
}

async function whileItJumps(picpipe: PicpipeProcess, clock: Clock, hours: number, files: readonly Buffer[]) {
	const { api } = await picpipe.ready();
	const from = picpipe.lines.length;
	const ledger = new Ledger();
	const bytes = await photograph({ width: 800, height: 600 });
	const finish = await halfAnUpload(api, bytes);
	const id = await waitingForSecondAttempt(picpipe, api);
	const uploads = ledger.uploadAll(api, files);
	clock.jump(hours);
	await seeJump(api, hours);
	// Several sweeps have seen half an upload that looks old, if one goes by the clock.
	await sleep(3_000);
	expect(await untilFinished({ url: api }, (await finish()).id, late)).toMatchObject({ state: 'ready' });
	expect(await untilFinished({ url: api }, id, late)).toMatchObject({ state: 'ready' });
	await uploads;
	const errors = picpipe.lines.slice(from).filter(({ level }) => level === 'error');
	expect(ledger.refused, JSON.stringify(errors)).toEqual([]);
	return ledger;
}

describe.each(rounds)('a clock jump, round %i', () => {
	const running = shared(async () => {
		const clock = await openClock();
		// Its allocator and libfaketime don't get along. It has no use for the time of day, only for how much has passed.
		const redis = await startRedis();
		endWithTest(() => redis.stop());
		const picpipe = await startForFaults({
			...quickRecipe,
			...clock.environment,
			REDIS_URL: redis.url,
			PICPIPE_LOG_LEVEL: 'debug',
			PICPIPE_IMAGING_PROCESSES: '1',
			PICPIPE_RETRY_DELAY: String(retryDelay),
		});
		return { clock, picpipe };
	});
	let now = 0;

	// Each jumps from where the one before came to: before the moment at which the processes have started as well.
	it.each([
		['ahead by an hour', 1],
		['back by a day', -24],
		['ahead by a day', 24],
		['back by an hour', -1],
	])('%s: nothing expires early, nothing waits for it', { timeout: 180_000 }, async (_how, hours) => {
		const { clock, picpipe } = running();
		const { api, data } = await picpipe.ready();
		const files = await mixedPhotographs();
		const part = files.length / 4;
		// Once a picture is ready its imaging process is known to work.
		const warm = new Ledger();
		await warm.uploadAll(api, files.slice(-1));
		await warm.untilFinished(`file:${data}`, late);
		now += hours;
		const first = await whileItJumps(picpipe, clock, now, files.slice(0, part));
		await first.untilFinished(`file:${data}`, 120_000);
		await first.expectWhole(`file:${data}`);
		await first.expectTold(picpipe.sink);
	});
});
