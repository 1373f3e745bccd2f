import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { form, json, startTestApi, type TestApi } from '../helpers/api.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { startKeyedApi } from '../helpers/keys.ts';
import { photograph } from '../helpers/pictures.ts';
import { startRedis } from '../helpers/redis.ts';
import { head, openWire } from '../helpers/wire.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

const upload = (api: Pick<TestApi, 'url'>) =>
	fetch(`${api.url}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]]) });
const status = async (api: TestApi) => (await upload(api)).status;

/** No machine has that much left. */
const noRoom = { PICPIPE_MIN_DISK_FREE: '99.999%' };

describe('uploads', () => {
	it('get 503 and Retry-After while the queue is full, and are accepted afterwards', async () => {
		const api = await startTestApi({ PICPIPE_MAX_QUEUE: '2' });
		await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status).toBe(200);
		expect([await status(api), await status(api)]).toEqual([202, 202]);
		await expect.poll(() => status(api), { timeout: 5_000 }).toBe(503);
		const keys = await api.keys();
		const refused = await upload(api);
		expect(refused.headers.get('retry-after')).toBe('15');
		expect(await json(refused)).toMatchObject({
			code: 'queue-full',
			class: 'transient',
			detail: expect.stringContaining('PICPIPE_MAX_QUEUE'),
		});
		expect(await api.keys()).toEqual(keys);
		// Everything else goes on.
		expect((await fetch(`${api.url}/v1/pictures`)).status).toBe(200);
		expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
		await api.startWorker();
		await expect.poll(() => status(api), { timeout: 20_000 }).toBe(202);
	});

	it('are accepted while Redis is away, whatever the queue limit', async () => {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		const api = await startTestApi({ PICPIPE_MAX_QUEUE: '1', REDIS_URL: redis.url });
		await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status).toBe(200);
		expect(await status(api)).toBe(202);
		await expect.poll(() => status(api), { timeout: 5_000 }).toBe(503);
		await redis.kill9();
		await expect.poll(() => status(api), { timeout: 10_000 }).toBe(202);
		expect(await status(api)).toBe(202);
	});

	it('are refused while the disk has less free space than required', async () => {
		const api = await startTestApi(noRoom);
		const refused = await upload(api);
		expect(refused.status).toBe(503);
		expect(refused.headers.get('retry-after')).toBe('60');
		expect(await json(refused)).toMatchObject({
			code: 'storage-nearly-full',
			detail: expect.stringContaining('PICPIPE_MIN_DISK_FREE'),
		});
		expect(await api.keys()).toEqual([]);
		expect(await status(await startTestApi({ PICPIPE_MIN_DISK_FREE: '0' }))).toBe(202);
	});

	it('are refused only for allowed uploaders; strangers learn nothing', async () => {
		const { ask } = await startKeyedApi({ admin: {}, reader: { scopes: ['read'] } }, noRoom);
		const init = { method: 'POST', body: form([['a.jpg', bytes]]) };
		expect((await ask(undefined, '/v1/pictures', init)).status).toBe(401);
		expect((await ask('reader', '/v1/pictures', init)).status).toBe(403);
		expect((await ask('admin', '/v1/pictures', init)).status).toBe(503);
	});
});

/** Only root may mount; everywhere else the title says that nothing was tested. */
const isRoot = process.getuid?.() === 0;
const disk = isRoot
	? 'a disk that fills'
	: 'a disk that fills: NOT TESTED, because only root may mount a small file system';

describe(disk, () => {
	it.runIf(isRoot)('stop before the disk is full and continue once there is space', async () => {
		const folder = join(await temporaryFolder(), 'disk');
		mkdirSync(folder);
		execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
		onTestFinished(() => void execFileSync('umount', ['--lazy', folder]));
		const api = await startTestApi({ PICPIPE_STORAGE: `file:${folder}`, PICPIPE_MIN_DISK_FREE: '50%' });
		expect(await status(api)).toBe(202);
		const filler = join(folder, 'filler');
		await writeFile(filler, Buffer.alloc(5_000_000));
		await expect.poll(() => status(api), { timeout: 5_000 }).toBe(503);
		await rm(filler);
		await expect.poll(() => status(api), { timeout: 5_000 }).toBe(202);
	});
});

describe('before the body is read', () => {
	const length = 20_000_000;
	const announced = head('POST /v1/pictures', { 'Content-Type': 'image/jpeg', 'Content-Length': length });

	it('the response is sent without waiting for a byte of it', async () => {
		const wire = await openWire((await startTestApi(noRoom)).url);
		wire.send(announced);
		await wire.until(/^HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n[\s\S]*"code":"storage-nearly-full"/);
		await wire.untilEnded();
		expect(wire.ended).toBe('end');
	});

	it.each([
		['503', '/v1/pictures', noRoom],
		['401', '/v1/pictures', { PICPIPE_API_KEYS: 'a-key-of-the-setting' }],
		['400', '/v1/pictures?unknown=field', {}],
		['404', '/v1/nothing', {}],
		['405', '/v1/recipes', {}],
	])(
		'a client that keeps sending receives the %s instead of a connection reset',
		async (code, path, environment: Record<string, string>) => {
			const { url } = await startTestApi(environment);
			const wire = await openWire(url);
			// Reads nothing until everything was sent, as many libraries do.
			wire.socket.pause();
			wire.send(announced.replace('/v1/pictures', path));
			for (let sent = 0; sent < length; sent += 1_000_000) {
				if (!wire.socket.write(Buffer.alloc(1_000_000)))
					await new Promise((resolve) => wire.socket.once('drain', resolve));
			}
			wire.socket.resume();
			await wire.untilEnded();
			expect(wire.received).toMatch(new RegExp(`^HTTP/1\\.1 ${code} `));
			expect(wire.received).toContain('\r\nConnection: close\r\n');
			expect(wire.received).toContain('application/problem+json');
			expect(wire.ended).toBe('end');
		},
	);

	it('a client that sends Expect: 100-continue gets the go-ahead only if the request may continue', async () => {
		const headers = {
			'Content-Type': 'image/jpeg',
			'Content-Length': bytes.length,
			Expect: '100-continue',
			Connection: 'close',
		};
		const refusing = await openWire((await startTestApi(noRoom)).url);
		refusing.send(head('POST /v1/pictures', headers));
		await refusing.untilEnded();
		expect(refusing.received).toMatch(/^HTTP\/1\.1 503 /);
		expect(refusing.received).not.toContain('100 Continue');

		const stranger = await openWire((await startTestApi({ PICPIPE_API_KEYS: 'a-key-of-the-setting' })).url);
		stranger.send(head('POST /v1/pictures', headers));
		await stranger.untilEnded();
		expect(stranger.received).toMatch(/^HTTP\/1\.1 401 /);

		const api = await startTestApi();
		const accepted = await openWire(api.url);
		accepted.send(head('POST /v1/pictures', headers));
		await accepted.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
		accepted.send(bytes);
		await accepted.untilEnded();
		expect(accepted.received).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 202 /);
		expect(accepted.received.split('100 Continue')).toHaveLength(2);
	});

	it('the connection of a refused client that never stops sending is closed', { timeout: 30_000 }, async () => {
		const wire = await openWire((await startTestApi(noRoom)).url);
		wire.send(head('POST /v1/pictures', { 'Content-Type': 'image/jpeg', 'Transfer-Encoding': 'chunked' }));
		await wire.until(/503/);
		const began = performance.now();
		const timer = setInterval(() => wire.socket.write('4\r\nmore\r\n'), 100);
		onTestFinished(() => clearInterval(timer));
		await expect.poll(() => wire.socket.destroyed || wire.socket.closed, { timeout: 20_000, interval: 100 }).toBe(true);
		expect(performance.now() - began).toBeLessThan(15_000);
	});
});
