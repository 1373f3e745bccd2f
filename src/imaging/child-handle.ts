import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { LRUCache } from 'lru-cache';
import { settings } from '../config/index.ts';
import { type ErrorCode, PicpipeError, type Seen, toPicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { PipelineListener } from '../pipeline/render/run.ts';
import { programOf } from '../programs.ts';
import type { Release } from './budget.ts';
import {
	type FromImaging,
	type ImagingResult,
	type ImagingSettings,
	type ImagingTask,
	type ToImaging,
	unpackError,
} from './protocol.ts';
import { cachedFor } from './source-cache.ts';

/** The worker's end of one imaging process. */
export interface ImagingChild {
	readonly pid: number;
	/** Resolves when the process takes tasks; never when it dies before. */
	readonly ready: Promise<void>;
	/** Resolves with how it ended, in words. */
	readonly exited: Promise<string>;
	/** Resident memory after the last picture, bytes. */
	readonly residentBytes: number;
	/** Pictures that it was given. */
	readonly pictures: number;
	/** Has it processed this original recently, and cached it? */
	hasCached(original: Pick<ImagingTask, 'sha256'>): boolean;
	/** Works on one picture; the next only after this one ended. @throws PicpipeError */
	run(task: ImagingTask, work: WorkOptions): Promise<ImagingResult>;
	/** Ends it at once; the picture it is at fails with this error. */
	kill(reason?: PicpipeError): void;
}

interface WorkOptions extends PipelineListener {
	/** Longest time for reading and inspecting, and again for the work from the moment of admission. */
	readonly seconds: number;
	/** Waits until the picture may be decoded, and says how many steps may run side by side. */
	admit(megapixels: number): Promise<{ readonly release: Release; readonly concurrency: number }>;
}

/** Most pictures that a process is known to have cached. */
const maximumCachedKnown = 64;

/** Longest line that is copied from a process's output to the log, characters. */
const maximumLogLine = 2_000;

/** Secrets, of which a process that decodes pictures of strangers needs none. */
const withheldVariables = Object.values(settings)
	.filter(({ secret }) => secret)
	.map(({ variable }) => variable);

/**
 * For glibc's allocator; others ignore them. Every thread has an arena of its own by default, and long runs fragment them all.
 * And every buffer of a megabyte, of which decoding makes hundreds, is fetched from the kernel anew and given back: kept
 * instead, up to the greatest threshold that glibc takes, a photograph costs an eighth less CPU time (docs/benchmarks.md).
 *
 * @public The benchmarks run the engine with it.
 */
export const allocatorSettings = {
	MALLOC_ARENA_MAX: '2',
	MALLOC_MMAP_THRESHOLD_: String(32 * 1024 * 1024),
	MALLOC_TRIM_THRESHOLD_: String(64 * 1024 * 1024),
};

/**
 * For V8. Every buffer of pixels counts as memory that a collection might free, so one comes with each picture or two; the heap itself
 * is a dozen megabytes. Threads that share such a collection out cost twenty times what they save, and marking it in small steps
 * costs ten times what marking it at once does; without those steps most buffers go when the young are collected, which the process has
 * done after each picture, or else they would pile up (docs/benchmarks.md). As V8 has it, room for the young grows to 48 MB, of which work on pictures needs little.
 *
 * @public The benchmarks run the engine with it.
 */
export const engineFlags = [
	'--single-threaded-gc',
	'--no-incremental-marking',
	'--expose-gc',
	'--max-semi-space-size=2',
];

export function startImagingChild(imagingSettings: ImagingSettings, log: Logger): ImagingChild {
	const child = forkImaging();
	const childLog = log.child({ imagingPid: child.pid });
	logOutput(child, childLog);
	let residentBytes = 0;
	let pictures = 0;
	// What it has let go since for want of room is done anew: nothing but time is lost.
	const cached = new LRUCache<string, true>({ max: maximumCachedKnown, ttl: cachedFor });
	let killReason: PicpipeError | undefined;
	// Of the picture that is worked on; replaced with each, so that nothing of earlier ones is held.
	let onMessage: (message: FromImaging) => void = () => {};
	let onDeath: (how: string) => void = () => {};

	const exited = new Promise<string>((resolve) => {
		child.on('error', (err) => {
			childLog.warn({ err }, 'trouble with an imaging process');
			// Without an id it was never started, and no exit follows.
			if (child.pid === undefined) resolve(err.message);
		});
		child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`));
	});
	void exited.then((how) => onDeath(how));
	const ready = new Promise<void>((resolve) => {
		onMessage = (message) => message.kind === 'ready' && resolve();
	});
	child.on('message', (message: FromImaging) => {
		try {
			onMessage(message);
		} catch (error) {
			// Whoever listens to the picture failed. What comes of it must not be taken for the next one's.
			kill(toPicpipeError(error));
		}
	});
	const send = (message: ToImaging) => {
		// A process that just died can't be told anything; its exit says the rest.
		child.send(message, (error) => error && childLog.debug({ err: error }, 'an imaging process could not be told'));
	};
	const kill = (reason?: PicpipeError) => {
		killReason ??= reason;
		child.kill('SIGKILL');
	};
	send({ kind: 'settings', settings: imagingSettings });

	return {
		pid: child.pid ?? 0,
		ready,
		exited,
		get residentBytes() {
			return residentBytes;
		},
		get pictures() {
			return pictures;
		},
		kill,
		hasCached: ({ sha256 }) => cached.has(sha256),
		async run(task, { seconds, admit, onStep, onVariant }) {
			pictures++;
			let timer: NodeJS.Timeout | undefined;
			let release: Release | undefined;
			let isOver = false;
			const memory = watchMemory(child.pid ?? 0);
			const progress: { lastStep?: string; megapixels?: number } = {};
			const seen = (): Seen => ({ ...progress, ...(memory.peak !== undefined && { residentBytes: memory.peak }) });
			const limitTime = (code: ErrorCode, step?: string) => {
				clearTimeout(timer);
				const detail = `Expected ${step ?? 'the work'} to take at most ${seconds} s.`;
				timer = setTimeout(() => kill(new PicpipeError(code, detail, { step, seen: seen() })), seconds * 1_000);
			};
			try {
				return await new Promise<ImagingResult>((resolve, reject) => {
					onDeath = (how) => reject(killReason ?? diedOf(how, seen()));
					onMessage = (message) => {
						switch (message.kind) {
							case 'read':
								return limitTime('picture-timeout', 'inspect');
							case 'inspected':
								// Waiting for others is not the picture's fault.
								clearTimeout(timer);
								progress.megapixels = Math.round(message.megapixels * 100) / 100;
								admit(message.megapixels).then((admission) => {
									release = admission.release;
									if (isOver) return release();
									limitTime('picture-timeout');
									send({ kind: 'go', concurrency: admission.concurrency });
								}, reject);
								return;
							case 'step':
								progress.lastStep = message.event.step;
								return onStep(message.event);
							case 'variant':
								return onVariant(message.output);
							case 'done':
								residentBytes = message.residentBytes;
								if (task.isCached && imagingSettings.keptMegabytes > 0) cached.set(task.sha256, true);
								return resolve(message.result);
							case 'failed':
								residentBytes = message.residentBytes;
								return reject(unpackError(message.error));
						}
					};
					limitTime('storage-unavailable', 'read');
					send({ kind: 'task', task });
				});
			} finally {
				isOver = true;
				memory.stop();
				clearTimeout(timer);
				release?.();
				onMessage = () => {};
				onDeath = () => {};
			}
		},
	};
}

function diedOf(how: string, seen: Seen): PicpipeError {
	return new PicpipeError('imaging-process-died', `The imaging process died while processing the picture (${how}).`, {
		seen,
	});
}

function forkImaging(): ChildProcess {
	const { path, flags } = programOf('imaging-process');
	const withheld = Object.fromEntries(withheldVariables.map((name) => [name, undefined]));
	return fork(path, [], {
		// Structured cloning carries bytes as they are.
		serialization: 'advanced',
		stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
		env: { ...process.env, ...withheld, ...allocatorSettings },
		execArgv: [...engineFlags, ...flags],
	});
}

function logOutput(child: ChildProcess, log: Logger): void {
	for (const [output, level] of [
		[child.stdout, 'info'],
		[child.stderr, 'warn'],
	] as const) {
		if (!output) continue;
		createInterface({ input: output }).on('line', (line) => log[level](line.slice(0, maximumLogLine)));
	}
}

/** Milliseconds between two samples. Memory grows more slowly than that, and a sample costs some 50 µs. */
const memoryInterval = 250;

/** Samples a process's memory from outside: a killed process cannot report it. */
interface MemoryWatch {
	/** Peak resident memory, bytes; undefined on systems without proc(5). */
	readonly peak: number | undefined;
	stop(): void;
}

function watchMemory(pid: number): MemoryWatch {
	let peak: number | undefined;
	const sample = async () => {
		const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
		// A process that just died has no such line.
		if (kilobytes !== undefined) peak = Math.max(peak ?? 0, Number(kilobytes) * 1_024);
	};
	const trySample = () => void sample().catch(() => {});
	trySample();
	const timer = setInterval(trySample, memoryInterval);
	timer.unref();
	return {
		get peak() {
			return peak;
		},
		stop: () => clearInterval(timer),
	};
}
