import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { photograph } from '../helpers/pictures.ts';
import { isAlive, type PoolFixture, slow, startPool, until } from './pool-fixture.ts';

/*
 * A picture that crashes or hangs its process is played by the kernel: the process is killed or stopped while it works. No
 * code that ships knows of it.
 */

let fixture: PoolFixture | undefined;
afterEach(async () => {
	await fixture?.stop();
	fixture = undefined;
});

async function open(...options: Parameters<typeof startPool>): Promise<PoolFixture> {
	fixture = await startPool(...options);
	return fixture;
}

const size = { width: 1600, height: 1200 };
const decoded = (work: { steps: readonly unknown[] }) => () => work.steps.length > 0;

describe('a picture that crashes its process', () => {
	it.each(['SIGSEGV', 'SIGABRT', 'SIGKILL'] as const)('fails alone (%s)', async (signal) => {
		const { task, run, pool } = await open({ processes: 1 });
		const file = await photograph(size);
		const crashing = run(await task(file, slow));
		const waiting = run(await task(file));
		await until('the picture is decoded', decoded(crashing));
		const [pid] = pool.pids();
		process.kill(pid ?? 0, signal);
		await expect(crashing.result).rejects.toMatchObject({
			code: 'imaging-process-died',
			class: 'internal',
			message: expect.stringContaining(signal),
			seen: {
				lastStep: expect.any(String),
				megapixels: (size.width * size.height) / 1e6,
				residentBytes: expect.toSatisfy((bytes: number) => bytes > 30e6 && bytes < 2e9),
			},
		});
		await waiting.result;
		expect(waiting.outputs).toHaveLength(1);
		expect(pool.pids()).not.toContain(pid);
	});

	it('does not affect the picture beside it', async () => {
		const { task, run, pool } = await open({ processes: 2 });
		const file = await photograph(size);
		await Promise.all([run(await task(file)).result, run(await task(file)).result]);
		const pids = pool.pids();
		const [first, second] = [run(await task(file, slow)), run(await task(file))];
		await until('the picture is decoded', decoded(first));
		await second.result;
		process.kill(pids[0] ?? 0, 'SIGKILL');
		process.kill(pids[1] ?? 0, 0);
		const outcome = await Promise.race([first.result.catch((error) => error.code), pause(500)]);
		// The idle one may have been hit; then the slow picture still runs and the pool has a new process.
		expect([undefined, 'imaging-process-died']).toContain(outcome);
		const next = run(await task(file));
		await next.result;
		expect(next.outputs).toHaveLength(1);
	});

	it('many times does not slow down the others', async () => {
		const { task, run, pool, logged } = await open({ processes: 1 });
		const file = await photograph(size);
		const crash = await task(file, slow);
		for (let times = 0; times < 4; times++) {
			const work = run(crash);
			await until('the picture is decoded', decoded(work));
			process.kill(pool.pids()[0] ?? 0, 'SIGKILL');
			await expect(work.result).rejects.toMatchObject({ code: 'imaging-process-died' });
		}
		await run(await task(file)).result;
		expect(logged.filter(({ msg }) => msg === 'imaging process died').every(({ isOwnFault }) => !isOwnFault)).toBe(
			true,
		);
	});
});

describe('a picture that hangs its process', () => {
	it('is killed after its time, and the next one is processed', async () => {
		const { task, run, pool } = await open({ processes: 1, pictureSeconds: 2 });
		const file = await photograph(size);
		const hanging = run(await task(file, slow));
		const waiting = run(await task(file));
		await until('the picture is decoded', decoded(hanging));
		const [pid] = pool.pids();
		process.kill(pid ?? 0, 'SIGSTOP');
		await expect(hanging.result).rejects.toMatchObject({
			code: 'picture-timeout',
			class: 'limit',
			message: 'Expected the work to take at most 2 s.',
			seen: { megapixels: (size.width * size.height) / 1e6, residentBytes: expect.any(Number) },
		});
		await waiting.result;
		expect(isAlive(pid ?? 0)).toBe(false);
	});

	it('is killed even if it computes without end, as AVIF does', async () => {
		const { task, run } = await open({ processes: 1, pictureSeconds: 1 });
		const file = await photograph({ width: 4000, height: 3000 });
		const endless = { variants: { endless: { encode: [{ avif: { effort: 9, quality: 100 } }] } } };
		const work = run(await task(file, endless));
		await expect(work.result).rejects.toMatchObject({ code: 'picture-timeout' });
	});

	it('is not charged for the time that it waited for others', async () => {
		const { task, run } = await open({ processes: 2, pictureSeconds: 3, megapixelsInFlight: 1 });
		const file = await photograph(size);
		const works = [await task(file, slow), await task(file)].map(run);
		const [first, second] = works;
		// The first takes all of its time; the second was admitted only afterwards and has all of its own.
		await expect(first?.result).rejects.toMatchObject({ code: 'picture-timeout' });
		await second?.result;
		expect(second?.outputs).toHaveLength(1);
	});
});

describe('processes that die while idle', () => {
	it('are restarted', async () => {
		const { task, run, pool, logged } = await open({ processes: 2 });
		const file = await photograph(size);
		await Promise.all([run(await task(file)).result, run(await task(file)).result]);
		for (const pid of pool.pids()) process.kill(pid, 'SIGKILL');
		const work = run(await task(file));
		await work.result.catch(async () => run(await task(file)).result);
		await until('both are back', () => pool.pids().length === 2);
		expect(logged.filter(({ msg }) => msg === 'imaging process died')).toHaveLength(2);
	});

	it('are restarted with growing delays, and waiting pictures eventually fail', async () => {
		// Node refuses to start with it: a broken installation.
		process.env.NODE_OPTIONS = '--no-such-option';
		try {
			const { task, run, logged } = await open({ processes: 1 });
			const { result } = run(await task(await photograph(size)));
			await expect(result).rejects.toMatchObject({ code: 'imaging-process-died', class: 'internal' });
			expect(logged.some(({ msg }) => String(msg).includes('--no-such-option'))).toBe(true);
		} finally {
			delete process.env.NODE_OPTIONS;
		}
	});
});

it('leave no process behind when the worker is killed during its work', async () => {
	const program = fileURLToPath(new URL('../worker/killed-worker.ts', import.meta.url));
	const worker = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['ignore', 'pipe', 'inherit'] });
	const [line] = (await once(worker.stdout, 'data')) as [Buffer];
	const pids = JSON.parse(line.toString()) as number[];
	expect(pids).toHaveLength(2);
	expect(pids.every(isAlive)).toBe(true);
	worker.kill('SIGKILL');
	await until('no imaging process is left', () => !pids.some(isAlive));
});

function pause(milliseconds: number): Promise<undefined> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds, undefined));
}
