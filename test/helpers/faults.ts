import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomNumbers } from '../../scripts/random-numbers.ts';
import { temporaryFolder } from './folder.ts';
import { photograph, withComment } from './pictures.ts';
import { PicpipeProcess, type ProcessOptions } from './processes.ts';
import { endWithTest } from './shared.ts';
import { type Sink, startSink, webhooksToHere } from './sink.ts';
import { shortOrLong } from './thoroughness.ts';

/** A picpipe under fault injection, with a webhook receiver. */
export interface UnderFault extends PicpipeProcess {
	readonly sink: Sink;
}

/**
 * `picpipe start` with fast retries and sweeps, stopped with the test in any state.
 *
 * @param again an earlier one, whose folder and receiver it continues to use
 */
export async function startForFaults(
	environment: Record<string, string> = {},
	again?: UnderFault,
): Promise<UnderFault> {
	const sink = again?.sink ?? (await startSink());
	const options: ProcessOptions = {
		folder: again?.folder ?? (await temporaryFolder()),
		environment: {
			// Clients find the restarted API on the same port.
			PICPIPE_PORT: String(await freePort()),
			PICPIPE_SWEEP_SECONDS: '1',
			PICPIPE_RETRY_DELAY: '200',
			...webhooksToHere,
			PICPIPE_WEBHOOK_URL: `${sink.url}/hook`,
			PICPIPE_WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 's').toString('base64')}`,
			...environment,
		},
	};
	const picpipe = new PicpipeProcess(options);
	endWithTest(() => picpipe.destroy());
	await picpipe.ready();
	return Object.assign(picpipe, { sink });
}

/** Ports that are not used for outgoing connections (Linux starts at 32,768). */
const ports = { first: 10_000, count: 20_000 };

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
	for (;;) {
		const port = ports.first + Math.floor(Math.random() * ports.count);
		const server = createServer().listen(port, '127.0.0.1');
		const isFree = await once(server, 'listening').then(
			() => true,
			() => false,
		);
		server.close();
		if (isFree) return port;
	}
}

/** Runs of each fault test, each with other moments for its faults. */
export const rounds = Array.from({ length: shortOrLong(1, 10) }, (_, index) => index + 1);

/** Pictures in a load: enough for faults while they are received, wait, are processed and are ready. */
export const loadSize = shortOrLong(60, 200);

/** Number of a load's pictures that are accepted when the fault happens; differs between rounds. */
export function momentOf(round: number): number {
	return 8 + Math.floor(randomNumbers(round)() * (loadSize / 2));
}

/** Sizes of a load's pictures, with their number among fifty: mostly small ones, one as from a camera. */
const sizes = [
	{ width: 4000, height: 3000, of50: 1 },
	{ width: 1200, height: 1600, of50: 6 },
	{ width: 800, height: 600, of50: 13 },
	{ width: 320, height: 240, of50: 30 },
].flatMap(({ of50, ...size }) => Array.from({ length: of50 }, () => size));

/** Photographs of mixed sizes, each different. Few of them are large if there are fewer than fifty. */
export async function mixedPhotographs(count = loadSize): Promise<Buffer[]> {
	// Steps of seven visit all fifty indices, well mixed.
	const sizeAt = (index: number) => sizes[(index * 7 + 1) % sizes.length] ?? { width: 640, height: 480 };
	return Promise.all(
		Array.from({ length: count }, async (_, index) => withComment(await photograph(sizeAt(index)), `number ${index}`)),
	);
}

/** A cheap recipe in place of `web`, so that hundreds of pictures take seconds, with pictures processed in parallel. */
export const quickRecipe = {
	PICPIPE_IMAGING_PROCESSES: '2',
	PICPIPE_RECIPES: fileURLToPath(new URL('../faults/recipes.yaml', import.meta.url)),
};

/** Mounts a file system of this size, which only root may. It ends with the test. @returns its folder */
export async function smallDisk(megabytes: number): Promise<string> {
	const folder = join(await temporaryFolder(), 'disk');
	mkdirSync(folder);
	execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
	// Run before the folder is removed; lazily, should a process still have a file open there.
	endWithTest(() => void execFileSync('umount', ['--lazy', folder]));
	return folder;
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
	return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** Living child processes of a process. */
export function childrenOf(pid: number): number[] {
	return readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
		.map(Number);
}

function parentOf(pid: string): number | undefined {
	try {
		// The name in parentheses may contain anything; the fields continue after its end.
		const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
		return fields?.[0] === 'Z' ? undefined : Number(fields?.[1]);
	} catch {
		return undefined;
	}
}

/** Waits until a condition holds. @throws Error that names the condition */
export async function until(
	what: string,
	holds: () => boolean | Promise<boolean>,
	milliseconds = 30_000,
): Promise<void> {
	const end = Date.now() + milliseconds;
	for (;;) {
		const started = performance.now();
		if (await holds()) return;
		if (Date.now() > end) throw new Error(`Not within ${milliseconds} ms: ${what}`);
		// An expensive condition is checked less often, so that checking does not slow down the work.
		await sleep(Math.max(10, 2 * (performance.now() - started)));
	}
}
