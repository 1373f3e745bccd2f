import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './folder.ts';
import { photograph, withComment } from './pictures.ts';
import { PicpipeProcess, type ProcessOptions } from './processes.ts';

/** `picpipe start` with quick retries and sweeps, ended with the test whatever state it is in. */
export async function startForFaults(
	environment: Record<string, string> = {},
	folder?: string,
): Promise<PicpipeProcess> {
	const options: ProcessOptions = {
		folder: folder ?? (await temporaryFolder()),
		environment: { PICPIPE_SWEEP_SECONDS: '1', PICPIPE_RETRY_DELAY: '200', ...environment },
	};
	const picpipe = new PicpipeProcess(options);
	onTestFinished(() => picpipe.destroy());
	await picpipe.ready();
	return picpipe;
}

/** Photographs of mixed sizes, each a picture of its own. */
export async function mixedPhotographs(count: number): Promise<Buffer[]> {
	const sizes = [
		{ width: 2400, height: 1600 },
		{ width: 640, height: 480 },
		{ width: 1200, height: 1600 },
		{ width: 1600, height: 900 },
	];
	return Promise.all(
		Array.from({ length: count }, async (_, index) =>
			withComment(await photograph(sizes[index % sizes.length] ?? { width: 640, height: 480 }), `number ${index}`),
		),
	);
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
	for (const end = Date.now() + milliseconds; !(await holds()); await sleep(10)) {
		if (Date.now() > end) throw new Error(`Not within ${milliseconds} ms: ${what}`);
	}
}
