import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json, untilFinished } from '../helpers/api.ts';
import {
	childrenOf,
	mixedPhotographs,
	momentOf,
	quickRecipe,
	rounds,
	startForFaults,
	until,
} from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph, twelveMegapixels } from '../helpers/pictures.ts';
import type { PicpipeProcess } from '../helpers/processes.ts';
import { shared } from '../helpers/shared.ts';

/**
 * Longest time from the death of a worker until its jobs begin again, milliseconds: what is left of the lock (10 s), the next
 * look for stalled jobs (5 s), and a slow machine's time to start a worker.
 */
const recovery = 40_000;

/** Time for the work on one picture: more than a large one takes on a busy machine, and what a hanging process is waited for; seconds. */
const pictureSeconds = 15;

async function uploadRaw(api: string, bytes: Buffer, recipe = 'web'): Promise<string> {
	const response = await fetch(`${api}/v1/pictures?recipe=${recipe}`, {
		method: 'POST',
		body: new Uint8Array(bytes),
		headers: { 'content-type': 'image/jpeg' },
	});
	expect(response.status).toBe(202);
	return (await json(response)).id;
}

/** Waits until a job of this picture has told of decoding, so that the rest is under way. */
async function untilWorkedOn(picpipe: PicpipeProcess, pictureId: string, from = 0): Promise<void> {
	await picpipe.waitFor((line) => line.msg === 'step' && line.step === 'decode' && line.pictureId === pictureId, from);
}

function imagingPids(picpipe: PicpipeProcess): number[] {
	return childrenOf(picpipe.pidOf('worker'));
}

describe.each(rounds)('kill -9 under load, round %i', (round) => {
	const running = shared(() => startForFaults({ ...quickRecipe, PICPIPE_LOG_LEVEL: 'debug' }));

	it('of the worker during its jobs, twice in a row, loses nothing and fails nothing', {
		timeout: 180_000,
	}, async () => {
		const picpipe = running();
		const { api, data } = await picpipe.ready();
		const ledger = new Ledger();
		const uploads = ledger.uploadAll(api, await mixedPhotographs());
		for (const _time of [1, 2]) {
			await until('some are accepted', () => ledger.accepted.size >= momentOf(round));
			const from = picpipe.lines.length;
			await picpipe.waitFor((line) => line.msg === 'step' && /^encode/.test(String(line.step)), from, recovery);
			process.kill(picpipe.pidOf('worker'), 'SIGKILL');
			await picpipe.waitFor((line) => line.msg === 'worker is taking jobs', from);
		}
		await uploads;
		expect(ledger.refused).toEqual([]);
		await ledger.untilFinished(`file:${data}`, recovery + 60_000);
		await ledger.expectWhole(`file:${data}`);
		await ledger.expectTold(picpipe.sink);
	});

	it('of imaging processes costs only their pictures one attempt', {
		timeout: 180_000,
	}, async () => {
		const picpipe = running();
		const { api, data } = await picpipe.ready();
		const worker = picpipe.pidOf('worker');
		const ledger = new Ledger();
		const from = picpipe.lines.length;
		const said = (msg: string) => picpipe.lines.slice(from).filter((line) => line.msg === msg);
		const uploads = ledger.uploadAll(api, await mixedPhotographs());
		await until('some are accepted', () => ledger.accepted.size >= momentOf(round) / 4);
		let seen = from;
		let killedAt = 0;
		const kills = setInterval(() => {
			const isAtWork = picpipe.lines.slice(seen).some(({ msg }) => msg === 'step');
			// Killed while they start, again and again, they would be given up, and pictures that wait told so.
			const isReady = (pid: number) =>
				picpipe.lines.some(({ msg, imagingPid }) => msg === 'imaging process ready' && imagingPid === pid);
			const pid = imagingPids(picpipe).find(isReady);
			// The first one dies as soon as it works, however short the load is; the next ones have time to start.
			if (!isAtWork || !pid || performance.now() - killedAt < 700) return;
			seen = picpipe.lines.length;
			killedAt = performance.now();
			process.kill(pid, 'SIGKILL');
		}, 50);
		onTestFinished(() => clearInterval(kills));
		await uploads;
		// A short load may be accepted before anything works on it.
		await until('one has died', () => said('imaging process died').length > 0);
		clearInterval(kills);
		expect(ledger.refused).toEqual([]);
		await ledger.untilFinished(`file:${data}`, 60_000);
		await ledger.expectWhole(`file:${data}`);
		await ledger.expectTold(picpipe.sink);
		const failed = said('attempt failed');
		expect(failed.filter(({ code }) => code !== 'imaging-process-died')).toEqual([]);
		expect(failed.length).toBeLessThanOrEqual(said('imaging process died').length);
		expect(picpipe.pidOf('worker')).toBe(worker);
	});
});

/** Memory of its own that a process has asked for, bytes. */
function dataBytes(pid: number): number {
	return Number(/^VmData:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

describe('an imaging process', () => {
	const running = shared(() =>
		startForFaults({
			PICPIPE_LOG_LEVEL: 'debug',
			PICPIPE_IMAGING_PROCESSES: '1',
			PICPIPE_ATTEMPTS: '3',
			PICPIPE_PICTURE_SECONDS: String(pictureSeconds),
		}),
	);

	it('killed once costs only its picture one attempt', { timeout: 120_000 }, async () => {
		const picpipe = running();
		const { api } = await picpipe.ready();
		const [hit, other] = [
			await uploadRaw(api, await twelveMegapixels()),
			await uploadRaw(api, await photograph({ width: 640, height: 480 })),
		];
		await untilWorkedOn(picpipe, hit);
		for (const pid of imagingPids(picpipe)) process.kill(pid, 'SIGKILL');
		const worker = picpipe.pidOf('worker');
		expect(await untilPictureFinished(api, hit)).toMatchObject({ state: 'ready' });
		expect(await untilPictureFinished(api, other)).toMatchObject({ state: 'ready' });
		const attempts = (id: string) =>
			picpipe.lines.find((line) => line.msg === 'picture processed' && line.pictureId === id)?.attempt;
		// Told after the picture is ready.
		await expect.poll(() => [attempts(hit), attempts(other)], { timeout: 10_000 }).toEqual([2, 1]);
		expect(picpipe.pidOf('worker')).toBe(worker);
	});

	it('killed by its picture on every attempt ends that picture failed, with its original kept', {
		timeout: 120_000,
	}, async () => {
		const picpipe = running();
		const { api } = await picpipe.ready();
		const bytes = await photograph({ width: 2000, height: 1500 });
		// Its only variant takes so long to encode that the process is always killed in time.
		const id = await uploadRaw(api, bytes, 'archive');
		let isOver = false;
		const killing = async () => {
			for (let from = 0; !isOver; await sleep(5)) {
				const isWorkedOn = picpipe.lines
					.slice(from)
					.some((line) => line.msg === 'step' && line.step === 'decode' && line.pictureId === id);
				if (!isWorkedOn) continue;
				from = picpipe.lines.length;
				for (const pid of imagingPids(picpipe)) process.kill(pid, 'SIGKILL');
			}
		};
		const kills = killing();
		const picture = await untilPictureFinished(api, id).finally(() => {
			isOver = true;
		});
		await kills;
		expect(picture).toMatchObject({
			state: 'failed',
			failure: { class: 'internal', code: 'imaging-process-died', attempt: 3 },
		});
		expect(picture.failure.message).toContain('SIGKILL');
		const original = Buffer.from(await (await fetch(api + picture.links.original)).arrayBuffer());
		expect(original.equals(bytes)).toBe(true);

		const next = await uploadRaw(api, await photograph({ width: 640, height: 480 }));
		expect(await untilPictureFinished(api, next)).toMatchObject({ state: 'ready' });
		expect((await fetch(`${api}${picture.links.retry}`, { method: 'POST' })).status).toBe(202);
		expect(await untilPictureFinished(api, id)).toMatchObject({ state: 'ready' });
	});

	it('without memory ends only its picture', { timeout: 120_000 }, async () => {
		const picpipe = running();
		const { api } = await picpipe.ready();
		const bytes = await twelveMegapixels();
		await fetch(`${api}/v1/queues/pictures/pause`, { method: 'POST' });
		const id = await uploadRaw(api, bytes);
		const worker = picpipe.pidOf('worker');
		// One that has worked on pictures has memory to spare.
		const from = picpipe.lines.length;
		for (const pid of imagingPids(picpipe)) process.kill(pid, 'SIGKILL');
		await picpipe.waitFor((line) => line.msg === 'imaging process ready', from);
		// What it has may stay; the picture needs more.
		const limited = new Set<number>();
		const limit = setInterval(() => {
			for (const pid of imagingPids(picpipe).filter((one) => !limited.has(one))) {
				limited.add(pid);
				execFileSync('prlimit', ['--pid', String(pid), `--data=${dataBytes(pid) + 4e6}`]);
			}
		}, 20);
		onTestFinished(() => clearInterval(limit));
		await until('the process is limited', () => limited.size > 0);
		await fetch(`${api}/v1/queues/pictures/resume`, { method: 'POST' });
		const picture = await untilPictureFinished(api, id);
		expect(picture).toMatchObject({ state: 'failed', failure: { class: 'internal', attempt: 3 } });
		clearInterval(limit);
		const original = Buffer.from(await (await fetch(api + picture.links.original)).arrayBuffer());
		expect(original.equals(bytes)).toBe(true);
		// One that is alive still is as limited as it was.
		for (const pid of imagingPids(picpipe)) process.kill(pid, 'SIGKILL');
		const next = await uploadRaw(api, await photograph({ width: 640, height: 480 }));
		expect(await untilPictureFinished(api, next)).toMatchObject({ state: 'ready' });
		expect(picpipe.pidOf('worker')).toBe(worker);
	});

	it('that hangs is killed in time and blocks no other picture', { timeout: 120_000 }, async () => {
		const picpipe = running();
		const { api } = await picpipe.ready();
		const id = await uploadRaw(api, await twelveMegapixels());
		await untilWorkedOn(picpipe, id);
		const hanging = imagingPids(picpipe);
		for (const pid of hanging) process.kill(pid, 'SIGSTOP');
		const next = await uploadRaw(api, await photograph({ width: 640, height: 480 }));
		expect(await untilPictureFinished(api, id)).toMatchObject({
			state: 'failed',
			failure: { class: 'limit', code: 'picture-timeout' },
		});
		expect(await untilPictureFinished(api, next)).toMatchObject({ state: 'ready' });
		await until('the hanging process is gone', () => imagingPids(picpipe).every((pid) => !hanging.includes(pid)));
	});
});

function untilPictureFinished(api: string, id: string) {
	return untilFinished({ url: api }, id, 60_000);
}
