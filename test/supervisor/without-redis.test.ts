import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { untilFinished } from '../helpers/api.ts';
import { childrenOf, until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { type LogLine, PicpipeProcess } from '../helpers/processes.ts';
import { startRedis } from '../helpers/redis.ts';

/** A process that waits for Redis until its own time limit would end after this, milliseconds. */
const limit = 120_000;
const environment = { PICPIPE_STOP_SECONDS: String(limit / 1_000), PICPIPE_SWEEP_SECONDS: '1' };
/** Longest wait for a stop, milliseconds. It takes about one second on an idle machine. */
const stopPatience = 20_000;

/** Is a line a warning or worse? */
const isTrouble = ({ level }: LogLine) => /warn|error|fatal/.test(level);

async function upload(api: string, width: number, comment: string): Promise<string> {
	const body = withComment(await photograph({ width, height: Math.round((width * 3) / 4) }), comment);
	const headers = { 'content-type': 'image/jpeg' };
	const answer = await fetch(`${api}/v1/pictures`, { method: 'POST', body: new Uint8Array(body), headers });
	expect(answer.status).toBe(202);
	return ((await answer.json()) as { id: string }).id;
}

/** Stops a process, which ends by itself, with code 0 and all its children, long before its time limit. */
async function expectQuickStop(picpipe: PicpipeProcess, signal: NodeJS.Signals): Promise<void> {
	const from = picpipe.lines.length;
	picpipe.kill(signal);
	const late = new Promise<never>((_, reject) => {
		setTimeout(
			() => reject(new Error(`Still running after ${stopPatience} ms:\n${picpipe.output}`)),
			stopPatience,
		).unref();
	});
	expect(await Promise.race([picpipe.exited, late])).toEqual({ code: 0, signal: null });
	await picpipe.expectNoSurvivors(2_000);
	const isOutage = ({ msg = '' }: LogLine) => msg === 'Redis is unreachable; retrying';
	expect(picpipe.lines.slice(from).filter((line) => isTrouble(line) && !isOutage(line))).toEqual([]);
}

interface Outage {
	begin(): Promise<void>;
	end(): Promise<void>;
}

/** A Redis at a URL, and a way to take it away. */
const outages: Record<string, () => Promise<Outage & { url: string }>> = {
	async killed() {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		return { url: redis.url, begin: redis.kill9, end: redis.restart };
	},
	async hanging() {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		return {
			url: redis.url,
			begin: async () => void process.kill(redis.pid, 'SIGSTOP'),
			end: async () => void process.kill(redis.pid, 'SIGCONT'),
		};
	},
	async 'behind a closed port'() {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		const sockets = new Set<Socket>();
		const server = createServer((client) => {
			const upstream = connect(redis.url.replace('unix://', ''));
			for (const [one, other] of [
				[client, upstream],
				[upstream, client],
			] as const) {
				sockets.add(one);
				one.on('error', () => {}).on('close', () => other.destroy());
				one.pipe(other);
			}
		}).listen(0, '127.0.0.1');
		await once(server, 'listening');
		const { port } = server.address() as AddressInfo;
		const close = async () => {
			const closed = once(server, 'close');
			server.close();
			for (const socket of sockets) socket.destroy();
			sockets.clear();
			await closed;
		};
		onTestFinished(() => void server.close());
		const open = async () => void (await once(server.listen(port, '127.0.0.1'), 'listening'));
		return { url: `redis://127.0.0.1:${port}`, begin: close, end: open };
	},
};

test.each(Object.keys(outages))(
	'Redis %s: each role warns once and then rarely, and stops at once',
	{
		timeout: 240_000,
	},
	async (kind) => {
		const outage = await outages[kind]?.();
		if (!outage) throw new Error(kind);
		const [folder, watched] = [await temporaryFolder(), await temporaryFolder()];
		const start = (command: 'api' | 'worker' | 'arena' | 'watch') => {
			const settings = { ...environment, REDIS_URL: outage.url, PICPIPE_WATCH: watched, PICPIPE_WATCH_SECONDS: '1' };
			const one = new PicpipeProcess({ folder, command, environment: settings });
			onTestFinished(() => one.destroy());
			return one;
		};
		const roles = (['api', 'worker', 'arena', 'watch'] as const).map(start);
		const [api, worker, arena, watch] = roles as [PicpipeProcess, PicpipeProcess, PicpipeProcess, PicpipeProcess];
		const address = String((await api.waitFor((line) => line.msg === 'API is listening')).address);
		const arenaAddress = String((await arena.waitFor((line) => line.msg === 'Arena is listening')).address);
		await watch.waitFor((line) => /^watching /.test(line.msg ?? ''));
		await untilFinished({ url: address }, await upload(address, 320, 'before'));
		expect((await fetch(`${arenaAddress}/`)).status).toBe(200);
		const before = roles.map((one) => one.lines.length);
		const since = () => roles.map((one, index) => one.lines.slice(before[index]));

		await outage.begin();
		// Everything that needs Redis has something to report.
		const waiting = [await upload(address, 320, 'first'), await upload(address, 320, 'second')];
		await fetch(`${address}/v1/queues`);
		await fetch(`${address}/readyz`);
		await fetch(`${arenaAddress}/picpipe/pictures`);
		await writeFile(join(watched, 'a.jpg'), await photograph({ width: 320, height: 240 }));
		const isReminder = ({ msg = '' }: LogLine) => /^Redis has been unreachable for \d+ s/.test(msg);
		await Promise.all(roles.map((one, index) => one.waitFor(isReminder, before[index])));
		for (const lines of since()) {
			expect(lines.filter(isTrouble).map(({ level, msg = '' }) => `${level} ${msg.replace(/\d+ s/, '… s')}`)).toEqual([
				'warn Redis is unreachable; retrying',
				'warn Redis has been unreachable for … s; retrying',
			]);
			expect(JSON.stringify(lines)).not.toMatch(/"stack"|\\n {4}at /);
		}

		await outage.end();
		const isBack = ({ msg }: LogLine) => msg === 'Redis is reachable again';
		await Promise.all(roles.map((one, index) => one.waitFor(isBack, before[index])));
		for (const id of waiting) expect(await untilFinished({ url: address }, id)).toMatchObject({ state: 'ready' });
		expect(since().map((lines) => lines.filter(isBack).length)).toEqual([1, 1, 1, 1]);

		// With work in progress.
		const large = await upload(address, 4000, 'large');
		const children = childrenOf(worker.pid);
		expect(children.length).toBeGreaterThan(0);
		await until('it is processed', async () => {
			const picture = (await (await fetch(`${address}/v1/pictures/${large}`)).json()) as { state: string };
			return picture.state !== 'queued';
		});
		await outage.begin();
		await writeFile(join(watched, 'b.jpg'), await photograph({ width: 320, height: 242 }));
		await Promise.all(roles.map((one, index) => expectQuickStop(one, index % 2 === 0 ? 'SIGTERM' : 'SIGINT')));

		// What was dropped is done after the next start.
		await outage.end();
		const again = [start('api'), start('worker')];
		const url = String((await (again[0] as PicpipeProcess).waitFor((line) => line.msg === 'API is listening')).address);
		expect(await untilFinished({ url }, large)).toMatchObject({ state: 'ready' });
	},
);

test('`picpipe start` stops at once while its own Redis hangs, and has everything after the next start', {
	timeout: 120_000,
}, async () => {
	const folder = await temporaryFolder();
	const start = async () => {
		const picpipe = new PicpipeProcess({ folder, environment });
		onTestFinished(() => picpipe.destroy());
		return { picpipe, api: (await picpipe.ready()).api };
	};
	const first = await start();
	await untilFinished({ url: first.api }, await upload(first.api, 320, 'before'));
	process.kill(Number(await readFile(join(folder, 'redis', 'redis.pid'), 'utf8')), 'SIGSTOP');
	const id = await upload(first.api, 320, 'during');
	await expectQuickStop(first.picpipe, 'SIGINT');
	const second = await start();
	expect(await untilFinished({ url: second.api }, id)).toMatchObject({ state: 'ready' });
});

test('a Redis that was never there: `picpipe start` and the roles stop at once', { timeout: 120_000 }, async () => {
	const nowhere = 'redis://127.0.0.1:1';
	const watched = await temporaryFolder();
	await mkdir(watched, { recursive: true });
	for (const command of ['start', 'api', 'worker', 'arena', 'watch'] as const) {
		const folder = await temporaryFolder();
		const settings = { ...environment, REDIS_URL: nowhere, PICPIPE_WATCH: watched };
		const picpipe = new PicpipeProcess({ folder, command, environment: settings });
		onTestFinished(() => picpipe.destroy());
		await picpipe.waitFor(({ msg = '' }) => /^(picpipe|api|worker|arena|watch) is ready$/.test(msg));
		const roles = picpipe.lines.filter(isTrouble).map(({ role }) => role);
		expect(new Set(roles).size, 'one warning for each role').toBe(roles.length);
		await expectQuickStop(picpipe, 'SIGTERM');
	}
});
