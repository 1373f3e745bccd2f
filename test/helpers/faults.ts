import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomNumbers } from '../../scripts/random-numbers.ts';
import { temporaryFolder } from './folder.ts';
import { photograph, withComment } from './pictures.ts';
import { PicpipeProcess, type ProcessOptions } from './processes.ts';
import { endWithTest } from './shared.ts';
import { type Sink, startSink, webhooksToHere } from './sink.ts';
import { shortOrLong } from './thoroughness.ts';

/** A picpipe that a fault will hit, and who is told of what it does. */
export interface UnderFault extends PicpipeProcess {
	readonly sink: Sink;
}

/**
 * `picpipe start` with quick retries and sweeps, ended with the test whatever state it is in.
 *
 * @param again the one before, whose folder and sink it goes on with
 */
export async function startForFaults(
	environment: Record<string, string> = {},
	again?: UnderFault,
): Promise<UnderFault> {
	const sink = again?.sink ?? (await startSink());
	const options: ProcessOptions = {
		folder: again?.folder ?? (await temporaryFolder()),
		environment: {
			// Clients find the api again after it was started anew.
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

/** Ports from which none is taken for connections that go out (Linux begins at 32,768). */
const ports = { first: 10_000, count: 20_000 };

async function freePort(): Promise<number> {
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

/** Times that each test of faults is run, each with other moments for its faults. */
export const rounds = Array.from({ length: shortOrLong(1, 10) }, (_, index) => index + 1);

/** Pictures of a load: so many that faults come while they are received, wait, are worked on and are ready. */
export const loadSize = shortOrLong(60, 200);

/** How many of a load's pictures are accepted when the fault comes; differs from round to round. */
export function momentOf(round: number): number {
	return 8 + Math.floor(randomNumbers(round)() * (loadSize / 2));
}

/** Sizes of a load's pictures, by how many of fifty have them: mostly small ones, one as from a camera. */
const sizes = [
	{ width: 4000, height: 3000, of50: 1 },
	{ width: 1200, height: 1600, of50: 6 },
	{ width: 800, height: 600, of50: 13 },
	{ width: 320, height: 240, of50: 30 },
].flatMap(({ of50, ...size }) => Array.from({ length: of50 }, () => size));

/** Photographs of mixed sizes, each a picture of its own. Few of them are large when they are fewer than fifty. */
export async function mixedPhotographs(count = loadSize): Promise<Buffer[]> {
	// Every seventh of fifty is every one of them, well mixed.
	const sizeAt = (index: number) => sizes[(index * 7 + 1) % sizes.length] ?? { width: 640, height: 480 };
	return Promise.all(
		Array.from({ length: count }, async (_, index) => withComment(await photograph(sizeAt(index)), `number ${index}`)),
	);
}

/** For a load: a recipe in place of `web` that costs little, so that hundreds of pictures take seconds, and pictures that are worked on side by side. */
export const quickRecipe = {
	PICPIPE_IMAGING_PROCESSES: '2',
	PICPIPE_RECIPES: fileURLToPath(new URL('../faults/recipes.yaml', import.meta.url)),
};

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
	return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** The processes that a process has started and that are alive. */
export function childrenOf(pid: number): number[] {
	return readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
		.map(Number);
}

function parentOf(pid: string): number | undefined {
	try {
		// The name in brackets may hold anything; the fields go on behind its end.
		const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
		return fields?.[0] === 'Z' ? undefined : Number(fields?.[1]);
	} catch {
		return undefined;
	}
}

/** Waits until something holds. @throws Error that says what didn't */
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
		// What takes long to look at is looked at less often, or looking would slow down what is waited for.
		await sleep(Math.max(10, 2 * (performance.now() - started)));
	}
}
