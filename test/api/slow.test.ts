import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { form, json, startTestApi, type TestApi } from '../helpers/api.ts';
import { photograph } from '../helpers/pictures.ts';
import { head, openWire, type Wire } from '../helpers/wire.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 640, height: 480 });
});

const type = { 'Content-Type': 'image/jpeg' };

/** Sends a little every so often until the connection is over. */
function drip(wire: Wire, part: () => string | Buffer, every = 100): void {
	const timer = setInterval(() => wire.ended === undefined && wire.socket.writable && wire.send(part()), every);
	onTestFinished(() => clearInterval(timer));
}

async function untilNothingIsLeft(api: TestApi): Promise<void> {
	await expect.poll(() => api.keys(), { timeout: 10_000 }).toEqual([]);
}

describe('a slow connection', () => {
	it.each(['silent', 'dripping'])('is closed if its headers do not arrive (%s)', async (how) => {
		const api = await startTestApi({ PICPIPE_HEADERS_SECONDS: '1' });
		const wire = await openWire(api.url);
		const began = performance.now();
		wire.send('POST /v1/pictures HTTP/1.1\r\nHost: localhost\r\n');
		if (how === 'dripping') drip(wire, () => 'X-More: and more\r\n');
		await wire.untilEnded();
		expect(performance.now() - began).toBeGreaterThan(900);
		if (how === 'silent') expect(wire.received).toMatch(/^HTTP\/1\.1 408 /);
	});

	it('without any bytes is closed too', async () => {
		const wire = await openWire((await startTestApi({ PICPIPE_HEADERS_SECONDS: '1' })).url);
		await wire.untilEnded();
		expect(wire.ended).toBeDefined();
	});

	const slow = { PICPIPE_SLOW_SECONDS: '1', PICPIPE_MIN_UPLOAD_SPEED: '1000' };
	const whole = `------b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n`;
	it.each<[string, () => [string, string | Buffer]]>([
		['a body that stands still at once', () => [head('POST /v1/pictures', { ...type, 'Content-Length': 100_000 }), '']],
		[
			'a body that stands still in its middle',
			() => [head('POST /v1/pictures', { ...type, 'Content-Length': bytes.length }), bytes.subarray(0, 8_000)],
		],
		['a chunked body', () => [head('POST /v1/pictures', { ...type, 'Transfer-Encoding': 'chunked' }), '']],
		[
			'a form',
			() => [
				head('POST /v1/pictures', { 'Content-Type': 'multipart/form-data; boundary=----b', 'Content-Length': 100_000 }),
				Buffer.concat([Buffer.from(whole), bytes.subarray(0, 8_000)]),
			],
		],
		[
			'JSON',
			() => [head('POST /v1/upload-tokens', { 'Content-Type': 'application/json', 'Content-Length': 5_000 }), '{'],
		],
	])('gets 408 for %s, and nothing of it stays', async (_what, request) => {
		const api = await startTestApi(slow);
		const wire = await openWire(api.url);
		wire.send(...request());
		await wire.until(/^HTTP\/1\.1 408 [\s\S]*"code":"upload-too-slow"/);
		expect(wire.received).toContain('PICPIPE_MIN_UPLOAD_SPEED');
		expect(wire.received).toMatch(/\r\nConnection: close\r\n/);
		await wire.untilEnded();
		await untilNothingIsLeft(api);
	});

	it('that drips is closed, and a steady one is not, however long it takes', { timeout: 30_000 }, async () => {
		const api = await startTestApi(slow);
		const dripping = await openWire(api.url);
		dripping.send(head('POST /v1/pictures', { ...type, 'Content-Length': 1_000_000 }), bytes.subarray(0, 5_000));
		drip(dripping, () => Buffer.alloc(20));
		const steady = await openWire(api.url);
		steady.send(head('POST /v1/pictures', { ...type, 'Content-Length': bytes.length, Connection: 'close' }));
		const part = Math.ceil(bytes.length / 35);
		expect(part * 10, 'sends faster than the limit').toBeGreaterThan(1_500);
		for (let at = 0; at < bytes.length; at += part) {
			steady.send(bytes.subarray(at, at + part));
			await sleep(100);
		}
		await steady.untilEnded();
		expect(steady.received).toMatch(/^HTTP\/1\.1 202 /);
		expect(dripping.received).toMatch(/^HTTP\/1\.1 408 /);
		expect(dripping.ended).toBeDefined();
	});

	it('may be arbitrarily slow without a limit', async () => {
		const api = await startTestApi({ ...slow, PICPIPE_MIN_UPLOAD_SPEED: '0' });
		const wire = await openWire(api.url);
		wire.send(head('POST /v1/pictures', { ...type, 'Content-Length': bytes.length }), bytes.subarray(0, -10));
		await sleep(2_500);
		wire.send(bytes.subarray(-10));
		await wire.until(/^HTTP\/1\.1 202 /);
	});

	it('is closed if the whole request takes too long', async () => {
		const api = await startTestApi({ PICPIPE_UPLOAD_SECONDS: '2' });
		const wire = await openWire(api.url);
		wire.send(head('POST /v1/pictures', { ...type, 'Content-Length': 100_000_000 }), bytes.subarray(0, 5_000));
		drip(wire, () => Buffer.alloc(10_000));
		const began = performance.now();
		await wire.untilEnded();
		expect(performance.now() - began).toBeGreaterThan(1_900);
		await untilNothingIsLeft(api);
	});

	it('is not slow while the client waits for the response', { timeout: 30_000 }, async () => {
		const api = await startTestApi({ ...slow, PICPIPE_IDLE_SECONDS: '60' });
		const response = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: form([['a.jpg', bytes]]),
			headers: { prefer: 'wait=4' },
		});
		expect(response.status).toBe(202);
		expect((await json(response)).state).toBe('queued');
	});
});

describe('an idle connection', () => {
	it('is closed after its time, also with an unread response', { timeout: 30_000 }, async () => {
		const api = await startTestApi({
			PICPIPE_KEEP_ALIVE_SECONDS: '1',
			PICPIPE_IDLE_SECONDS: '2',
			PICPIPE_MAX_BYTES: '90000000',
		});
		const kept = await openWire(api.url);
		const began = performance.now();
		kept.send(head('GET /healthz'));
		await kept.until(/200 OK/);
		await kept.untilEnded();
		expect(performance.now() - began).toBeGreaterThan(900);

		// More than the system takes in for a reader that does not read.
		const large = Buffer.concat([bytes, Buffer.alloc(45_000_000)]);
		const { id } = await json(
			await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', large]]) }),
		);
		const unread = await openWire(api.url);
		unread.socket.pause();
		unread.send(head(`GET /v1/pictures/${id}/original`));
		// Node looks twice: what moved between two looks begins its time anew.
		await sleep(6_500);
		unread.socket.resume();
		await unread.untilEnded();
		expect(unread.received).toMatch(/^HTTP\/1\.1 200 OK/);
		expect(unread.received.length).toBeLessThan(large.length);
	});
});

describe('200 slow connections', () => {
	it('do not delay other requests, and memory does not grow with their data', { timeout: 60_000 }, async () => {
		const api = await startTestApi({ PICPIPE_SLOW_SECONDS: '60', PICPIPE_HEADERS_SECONDS: '60' });
		await api.startWorker();
		const before = process.memoryUsage().rss;
		const wires = await Promise.all(Array.from({ length: 200 }, () => openWire(api.url)));
		for (const [at, wire] of wires.entries()) {
			// A third each: headers that never end, a body that never begins, a file that never ends.
			if (at % 3 === 0) wire.send('POST /v1/pictures HTTP/1.1\r\nHost: localhost\r\n');
			else wire.send(head('POST /v1/pictures', { ...type, 'Content-Length': 50_000_000 }));
			if (at % 3 === 2) wire.send(bytes.subarray(0, 10_000));
			drip(wire, () => (at % 3 === 0 ? 'X-More: y\r\n' : Buffer.alloc(at % 3 === 1 ? 0 : 1)), 500);
		}
		await expect
			.poll(async () => (await api.keys()).filter((key) => key.startsWith('pending/')).length, { timeout: 20_000 })
			.toBe(66);
		for (let round = 0; round < 5; round++) {
			expect((await fetch(`${api.url}/healthz`)).status, 'a probe beside them').toBe(200);
			const upload = await fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]]) });
			expect(upload.status, 'an upload beside them').toBe(202);
		}
		const done = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: form([['a.jpg', bytes]]),
			headers: { prefer: 'wait=30' },
		});
		expect(await json(done)).toMatchObject({ state: 'ready' });
		// Some 200 kB for each would still be little; whole bodies would be 10 GB.
		expect(process.memoryUsage().rss - before).toBeLessThan(150e6);
		// None of the others has waited for the end of one.
		expect(wires.filter(({ ended }) => ended === undefined)).toHaveLength(200);
		for (const { socket } of wires) socket.destroy();
		await expect
			.poll(async () => (await api.keys()).filter((key) => key.startsWith('pending/')).length, { timeout: 20_000 })
			.toBe(0);
	});
});
