import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json, untilFinished } from '../helpers/api.ts';
import { mixedPhotographs, momentOf, quickRecipe, rounds, startForFaults, until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph } from '../helpers/pictures.ts';
import { PicpipeProcess } from '../helpers/processes.ts';
import { type PrivateRedis, startRedis } from '../helpers/redis.ts';
import { endWithTest, shared } from '../helpers/shared.ts';

/** Longest time an upload may take to be answered while Redis doesn't answer, milliseconds. */
const answered = 10_000;

/** Time for which Redis hangs, milliseconds. */
const hangs = 30_000;

async function privateRedis(): Promise<PrivateRedis> {
	const redis = await startRedis();
	endWithTest(() => redis.stop());
	return redis;
}

async function start() {
	const redis = await privateRedis();
	const picpipe = await startForFaults({ ...quickRecipe, REDIS_URL: redis.url });
	const { api, data } = await picpipe.ready();
	return { redis, sink: picpipe.sink, api, storage: `file:${data}` };
}

async function listedIds(api: string): Promise<string[]> {
	const ids: string[] = [];
	for (let cursor = ''; ; ) {
		const page = await json(await fetch(`${api}/v1/pictures?limit=200${cursor && `&cursor=${cursor}`}`));
		ids.push(...page.pictures.map((one: { id: string }) => one.id));
		if (!page.next) return ids;
		cursor = page.next;
	}
}

/** The index comes back by itself and has every picture once. */
async function expectIndexWhole(api: string, ledger: Ledger): Promise<void> {
	const hasAll = async () => {
		const listed = new Set(await listedIds(api));
		return [...ledger.accepted.keys()].every((id) => listed.has(id));
	};
	await until('the index is whole', hasAll, 60_000);
	const ids = await listedIds(api);
	expect(new Set(ids).size).toBe(ids.length);
	await until(
		'no picture is shown unfinished',
		async () => {
			const open = ['queued', 'processing'].map(async (state) =>
				json(await fetch(`${api}/v1/pictures?state=${state}`)),
			);
			return (await Promise.all(open)).every((page) => page.pictures.length === 0);
		},
		60_000,
	);
}

async function expectAllWell(
	{ api, storage, sink }: Pick<Awaited<ReturnType<typeof start>>, 'api' | 'storage' | 'sink'>,
	ledger: Ledger,
) {
	await ledger.untilFinished(storage, 120_000);
	await ledger.expectWhole(storage);
	await ledger.expectTold(sink);
	await expectIndexWhole(api, ledger);
}

describe.each(rounds)('Redis under load, round %i', (round) => {
	const started = shared(start);

	it('killed and restarted with its data: every acknowledged picture ends ready', {
		timeout: 240_000,
	}, async () => {
		const running = started();
		const { redis, api } = running;
		const ledger = new Ledger();
		const uploads = ledger.uploadAll(api, await mixedPhotographs());
		await until('some are accepted', () => ledger.accepted.size >= momentOf(round));
		await redis.kill9();
		await sleep(1_000);
		await redis.restart();
		await uploads;
		expect(ledger.refused).toEqual([]);
		await expectAllWell(running, ledger);
	});

	it('killed and its data deleted: every acknowledged picture ends ready, none twice', {
		timeout: 240_000,
	}, async () => {
		const running = started();
		const { redis, api } = running;
		const ledger = new Ledger();
		const uploads = ledger.uploadAll(api, await mixedPhotographs());
		await until('some are accepted', () => ledger.accepted.size >= momentOf(round));
		await redis.wipe();
		// Accepted while there is no Redis at all.
		await ledger.upload(api, await photograph({ width: 320, height: 240 }));
		await redis.restart();
		await uploads;
		expect(ledger.refused).toEqual([]);
		await expectAllWell(running, ledger);
	});

	it('that hangs for half a minute: uploads are accepted, and nothing is lost', {
		timeout: 240_000,
	}, async () => {
		const running = started();
		const { redis, api } = running;
		const ledger = new Ledger();
		await ledger.upload(api, await photograph({ width: 320, height: 240 }));
		const hung = performance.now();
		process.kill(redis.pid, 'SIGSTOP');
		onTestFinished(() => void process.kill(redis.pid, 'SIGCONT'));
		const times: number[] = [];
		const uploads = (await mixedPhotographs()).map((bytes) => async () => {
			const started = performance.now();
			await ledger.upload(api, bytes);
			times.push(performance.now() - started);
		});
		const client = async () => {
			for (let next = uploads.shift(); next; next = uploads.shift()) await next();
		};
		await Promise.all(Array.from({ length: 16 }, client));
		expect(Math.max(...times)).toBeLessThan(answered);
		expect(ledger.refused).toEqual([]);
		const ready = await fetch(`${api}/readyz`);
		expect(ready.status).toBe(503);
		expect(await json(ready)).toMatchObject({ checks: { redis: { status: 'failed' }, storage: { status: 'ok' } } });
		expect((await fetch(`${api}/readyz?exclude=redis`)).status).toBe(200);
		expect(await json(await fetch(`${api}/v1/queues`))).toMatchObject({
			code: 'queue-unavailable',
			class: 'transient',
		});
		await sleep(Math.max(0, hangs - (performance.now() - hung)));
		process.kill(redis.pid, 'SIGCONT');
		await expectAllWell(running, ledger);
	});

	it('with full memory: uploads are accepted, and finished once there is space', { timeout: 240_000 }, async () => {
		const running = started();
		const { redis, api } = running;
		const ledger = new Ledger();
		const files = await mixedPhotographs();
		await ledger.uploadAll(api, files.slice(0, 20));
		const admin = new Redis(redis.url.replace('unix://', ''));
		onTestFinished(() => admin.disconnect());
		const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
		await admin.config('SET', 'maxmemory', used);
		await expect(admin.set('full', 'x'.repeat(100_000))).rejects.toThrow('OOM');
		const times: number[] = [];
		for (const bytes of files.slice(20, 40)) {
			const started = performance.now();
			await ledger.upload(api, bytes);
			times.push(performance.now() - started);
		}
		expect(Math.max(...times)).toBeLessThan(answered);
		await ledger.uploadAll(api, files.slice(40));
		expect(ledger.refused).toEqual([]);
		await admin.config('SET', 'maxmemory', 0);
		await expectAllWell(running, ledger);
	});
});

describe('garbage in the append-only file of its own Redis', () => {
	const damages = {
		'in the middle of the commands': ({ incr }: { incr: string; manifest: string }) =>
			readFile(incr).then((bytes) =>
				writeFile(incr, bytes.fill('garbage ', Math.floor(bytes.length / 2), Math.floor(bytes.length / 2) + 16_384)),
			),
		'at their end': ({ incr }: { incr: string; manifest: string }) => appendFile(incr, Buffer.alloc(100_000)),
		'in the manifest': ({ manifest }: { incr: string; manifest: string }) => writeFile(manifest, 'garbage'),
	};
	const filesIn = async (folder: string) => {
		const data = join(folder, 'redis', 'appendonlydir');
		const names = await readdir(data);
		const file = (ending: string) => join(data, names.find((name) => name.endsWith(ending)) ?? ending);
		return { incr: file('.incr.aof'), manifest: file('.manifest') };
	};

	it.each(Object.entries(damages))(
		'%s: everything is there after the next start, and unfinished pictures finish',
		{
			timeout: 240_000,
		},
		async (_where, damage) => {
			const first = await startForFaults(quickRecipe);
			const { api, data } = await first.ready();
			const ledger = new Ledger();
			const files = await mixedPhotographs();
			await ledger.uploadAll(api, files.slice(0, 20));
			await ledger.untilFinished(`file:${data}`, 120_000);
			await ledger.uploadAll(api, files.slice(20, 40));
			await first.destroy();
			await damage(await filesIn(first.folder));

			const second = await startForFaults(quickRecipe, first);
			const said = second.lines.filter(({ role, level }) => role === 'redis' && level === 'warn');
			expect(said.map(({ msg }) => msg)).toEqual([expect.stringMatching(/set aside|cut off/)]);
			await expectAllWell({ api: (await second.ready()).api, storage: `file:${data}`, sink: first.sink }, ledger);
			expect((await second.stop()).code).toBe(0);
		},
	);

	it('while it runs: Redis starts again by itself', { timeout: 240_000 }, async () => {
		const picpipe = await startForFaults(quickRecipe);
		const { api, data } = await picpipe.ready();
		const ledger = new Ledger();
		const uploads = ledger.uploadAll(api, (await mixedPhotographs()).slice(0, 30));
		await until('some are accepted', () => ledger.accepted.size >= 10);
		await appendFile((await filesIn(picpipe.folder)).incr, 'garbage\r\n'.repeat(10));
		await until('more are accepted', () => ledger.accepted.size >= 20);
		process.kill(Number(await readFile(join(picpipe.folder, 'redis', 'redis.pid'), 'utf8')), 'SIGKILL');
		await uploads;
		await picpipe.waitFor(({ role, msg = '' }) => role === 'redis' && /set aside|cut off/.test(msg));
		await expectAllWell({ api, storage: `file:${data}`, sink: picpipe.sink }, ledger);
	});
});

describe('Redis that is away when the API starts', () => {
	it('does not prevent uploads, and later ones are queued directly once it is back', {
		timeout: 120_000,
	}, async () => {
		const redis = await privateRedis();
		await redis.kill9();
		const folder = await temporaryFolder();
		const role = (command: 'api' | 'worker') => {
			// No sweep while the test looks: what is ready by then came by the queue.
			const environment = { REDIS_URL: redis.url, PICPIPE_SWEEP_SECONDS: '3600' };
			const one = new PicpipeProcess({ folder, command, environment });
			onTestFinished(() => one.destroy());
			return one;
		};
		const picpipe = role('api');
		const { address } = await picpipe.waitFor((line) => line.msg === 'API is listening');
		const api = String(address);
		const ledger = new Ledger();
		await ledger.upload(api, await photograph({ width: 320, height: 240 }));
		expect(ledger.accepted.size).toBe(1);
		await redis.restart();
		await until('the api sees Redis', async () => (await fetch(`${api}/readyz`)).status === 200);

		const later = await json(
			await fetch(`${api}/v1/pictures`, {
				method: 'POST',
				body: new Uint8Array(await photograph({ width: 640, height: 480 })),
				headers: { 'content-type': 'image/jpeg' },
			}),
		);
		expect((await json(await fetch(`${api}/v1/queues`))).queues[0].counts.waiting).toBe(1);
		role('worker');
		expect(await untilFinished({ url: api }, later.id)).toMatchObject({ state: 'ready' });
		// The first one is brought by the sweep with which a worker starts.
		await ledger.untilFinished(`file:${folder}`, 60_000);
	});
});
