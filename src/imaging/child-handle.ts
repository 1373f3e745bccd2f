import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { LRUCache } from 'lru-cache';
import { type ErrorCode, PicpipeError, type Seen, toPicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { programOf } from '../programs.ts';
import type { Release } from './budget.ts';
import {
	type FromImaging,
	type ImagingResult,
	type ImagingSettings,
	type ImagingTask,
	type ProcessTask,
	type TaskListener,
	type ToImaging,
	unpackError,
	unpackResult,
} from './protocol.ts';
import { cachedFor } from './source-cache.ts';

/** The worker's handle of one imaging process. */
export interface ImagingChild {
	readonly pid: number;
	/** Resolves when the process accepts tasks; never if it dies before that. */
	readonly ready: Promise<void>;
	/** Resolves with how it ended, in words. */
	readonly exited: Promise<string>;
	/** Resident memory after the last picture, bytes. */
	readonly residentBytes: number;
	/** Number of pictures that it was given. */
	readonly pictures: number;
	/** Has it recently processed and cached this original? */
	hasCached(original: Pick<ImagingTask, 'sha256'>): boolean;
	/**
	 * Processes one picture. Call it again only after this one has ended.
	 *
	 * @throws PicpipeError; NoLongerCached, if the task names no file for its original
	 */
	run(task: ProcessTask, work: WorkOptions): Promise<ImagingResult>;
	/** Kills it at once. Its current picture fails with this error. */
	kill(reason?: PicpipeError): void;
}

/** The process no longer has the original in memory, and the task names no file. The task was not begun. */
export class NoLongerCached extends Error {
	override readonly name = 'NoLongerCached';
}

interface WorkOptions extends TaskListener {
	/** Longest time for reading and inspecting, and again for the work after admission, seconds. */
	readonly seconds: number;
	/** Waits until the picture may be decoded. Returns how many steps may run in parallel. */
	admit(megapixels: number): Promise<{ readonly release: Release; readonly concurrency: number }>;
}

/** Most cached pictures to remember for a process. */
const maximumCachedKnown = 64;

/** Longest line to copy from a process's output to the log, in characters. */
const maximumLogLine = 2_000;

/**
 * The variables that an imaging process inherits: for the program loader, libvips and its libraries. All others stay with the worker, because
 * a process that decodes untrusted pictures needs no credential, and nobody can list every name that may hold one.
 */
const inheritedVariables =
	/^(PATH|HOME|USER|LANG|LANGUAGE|TZ|TMPDIR|NODE_(ENV|OPTIONS|V8_COVERAGE|ICU_DATA)|UV_THREADPOOL_SIZE|(LC|LD|DYLD|MALLOC|GLIBC|G|VIPS|SHARP|OMP|FC|FONTCONFIG|PANGO|XDG|TSX)_.*)$/;

/**
 * Settings for glibc's allocator; others ignore them. By default every thread has its own arena, and long runs fragment all of them.
 * Decoding also allocates hundreds of buffers of a megabyte, each of which is requested from the kernel and returned. With the highest
 * threshold that glibc accepts, they are reused, and a photograph costs an eighth less CPU time (docs/benchmarks.md).
 *
 * @public The benchmarks run the engine with it.
 */
export const allocatorSettings = {
	MALLOC_ARENA_MAX: '2',
	MALLOC_MMAP_THRESHOLD_: String(32 * 1024 * 1024),
	MALLOC_TRIM_THRESHOLD_: String(64 * 1024 * 1024),
};

/**
 * V8 flags. Every pixel buffer counts as memory that a collection might free, so a collection runs with every picture or two, although the
 * heap itself is only a dozen megabytes. Sharing such a collection among threads costs twenty times what it saves, and marking in small
 * steps costs ten times as much as marking at once. Without those steps, most buffers are freed by collecting the young generation, which
 * the process does after each picture; otherwise they would pile up (docs/benchmarks.md). By default the young generation grows to 48 MB,
 * of which work on pictures needs little.
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
	// If the process has since evicted the picture, only time is lost.
	const cached = new LRUCache<string, true>({ max: maximumCachedKnown, ttl: cachedFor });
	let killReason: PicpipeError | undefined;
	// Handler of the current picture. Replaced for each picture, so that nothing of earlier ones is held.
	let onMessage: (message: FromImaging) => void = () => {};
	let onDeath: (how: string) => void = () => {};

	const exited = new Promise<string>((resolve) => {
		child.on('error', (err) => {
			childLog.warn({ err }, 'imaging process error');
			// Without a process id it never started, and no exit event follows.
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
			// The listener of the picture failed. Later messages of this picture must not be taken for the next one's.
			kill(toPicpipeError(error));
		}
	});
	const send = (message: ToImaging) => {
		// A process that just died cannot receive messages; its exit event says the rest.
		child.send(message, (error) => error && childLog.debug({ err: error }, 'message not sent to an imaging process'));
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
		async run(task, { seconds, admit, onInspected, onStep, onVariant }) {
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
							case 'evicted':
								cached.delete(task.sha256);
								return reject(new NoLongerCached());
							case 'read':
								return limitTime('picture-timeout', 'inspect');
							case 'inspected':
								// The picture is not at fault while it waits for others.
								clearTimeout(timer);
								progress.megapixels = Math.round(message.megapixels * 100) / 100;
								onInspected?.(message.facts);
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
								return resolve(unpackResult(message.result));
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
	const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => inheritedVariables.test(name)));
	return fork(path, [], {
		// Structured cloning transfers bytes unchanged.
		serialization: 'advanced',
		stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
		env: { ...inherited, ...allocatorSettings },
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
