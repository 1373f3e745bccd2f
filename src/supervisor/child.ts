import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { memory } from '../config/memory.ts';
import { type ProgramName, programOf } from '../programs.ts';

/** A process to keep running. */
export interface ChildSpec {
	readonly name: string;
	readonly program: ProgramName;
	readonly arguments: readonly string[];
	readonly environment: NodeJS.ProcessEnv;
}

/** Events for the supervisor. */
export interface ChildEvents {
	line(name: string, text: string, isError: boolean): void;
	spawned(child: Child): void;
	ready(child: Child): void;
	/** It exited with the code for invalid configuration before it was ready: a restart would not help. */
	refused(child: Child): void;
	/** It ended unexpectedly and restarts after `delay` milliseconds. */
	ended(child: Child, how: string, delay: number): void;
}

/** Delay before the first restart, milliseconds; it doubles each time. */
const firstDelay = 500;
const longestDelay = 30_000;
/** A process that was healthy for this long, milliseconds, restarts with the first delay again. */
const healthyTime = 60_000;
/** A process gets this long in addition to its own time limit, milliseconds, to end by itself. */
const grace = 1_000;

/**
 * V8 flags. On machines that are busy with pictures, the threads of parallel garbage collection wait for cores and for each other. A young
 * generation that starts with one megabyte is collected ten times as often as one that starts at its largest size, in megabytes. On small
 * machines, each process holds 15 to 35 MB less with the other flags, and a response out of the cache costs a third more CPU time
 * (docs/benchmarks.md).
 */
const engineFlags = [
	'--single-threaded-gc',
	...(memory.isSmall ? ['--optimize-for-size', '--max-semi-space-size=4'] : ['--min-semi-space-size=16']),
];

export function restartDelay(failures: number): number {
	return Math.min(firstDelay * 2 ** failures, longestDelay);
}

/** A child process: starts it, restarts it when it dies, stops it. */
export class Child {
	readonly name: string;
	/** The URL that it announced when it became ready, such as `http://127.0.0.1:3000`. */
	address: string | undefined;
	/** Whether it announced that clients need a key. */
	needsKey = false;
	isReady = false;
	readonly #spec: ChildSpec;
	readonly #events: ChildEvents;
	#process: ChildProcess | undefined;
	#timer: NodeJS.Timeout | undefined;
	#wasEverReady = false;
	#readySince = 0;
	#failures = 0;
	#isStopping = false;

	constructor(spec: ChildSpec, events: ChildEvents) {
		this.name = spec.name;
		this.#spec = spec;
		this.#events = events;
	}

	get pid(): number | undefined {
		return this.#process?.pid;
	}

	start(): void {
		// Its own session: Ctrl-C in the terminal reaches only the supervisor, which then stops all processes in order.
		const child = fork(programOf(this.#spec.program).path, [...this.#spec.arguments], {
			env: this.#spec.environment,
			execArgv: [...process.execArgv, ...engineFlags],
			detached: true,
			stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
		});
		this.#process = child;
		for (const [stream, isError] of [
			[child.stdout, false],
			[child.stderr, true],
		] as const) {
			if (stream) createInterface({ input: stream }).on('line', (text) => this.#events.line(this.name, text, isError));
		}
		child.on('message', (message) => this.#receive(message));
		child.once('error', (error) => this.#end(child, error.message, undefined));
		child.once('exit', (code, signal) => this.#end(child, signal ?? `exit code ${code}`, code));
		this.#events.spawned(this);
	}

	/** Asks it to end, and kills it when the time is up. */
	async stop(milliseconds: number): Promise<'stopped' | 'killed'> {
		this.#isStopping = true;
		clearTimeout(this.#timer);
		const child = this.#process;
		if (!child) return 'stopped';
		const closed = once(child, 'close');
		child.kill('SIGTERM');
		const timeUp = new AbortController();
		const isLate = await Promise.race([
			once(child, 'exit').then(() => false),
			sleep(milliseconds + grace, true, { signal: timeUp.signal }).catch(() => false),
		]);
		timeUp.abort();
		if (isLate) this.kill();
		// Wait for its last lines, but not for a grandchild that keeps the pipe open.
		await Promise.race([closed, sleep(grace)]);
		return isLate ? 'killed' : 'stopped';
	}

	/** Kills it and all its descendants at once. */
	kill(): void {
		this.#isStopping = true;
		clearTimeout(this.#timer);
		if (this.pid === undefined) return;
		try {
			process.kill(-this.pid, 'SIGKILL');
		} catch {
			// It has already ended.
		}
	}

	#receive(message: unknown): void {
		const { type, address, needsKey } = message as { type?: unknown; address?: unknown; needsKey?: unknown };
		if (type !== 'ready') return;
		this.address = typeof address === 'string' ? address : undefined;
		this.needsKey = needsKey === true;
		this.isReady = true;
		this.#wasEverReady = true;
		this.#readySince = Date.now();
		this.#events.ready(this);
	}

	#end(child: ChildProcess, how: string, code: number | null | undefined): void {
		if (this.#process !== child) return;
		this.#process = undefined;
		const wasHealthy = this.isReady && Date.now() - this.#readySince >= healthyTime;
		this.isReady = false;
		if (this.#isStopping) return;
		// Settings that worked once have not changed since. The obstacle, such as a used port, may go away.
		if (code === 2 && !this.#wasEverReady) {
			// Its last lines say why it refused, so they come first.
			void Promise.race([once(child, 'close'), sleep(grace)]).then(() => this.#events.refused(this));
			return;
		}
		if (wasHealthy) this.#failures = 0;
		const delay = restartDelay(this.#failures++);
		this.#events.ended(this, how, delay);
		this.#timer = setTimeout(() => this.start(), delay);
	}
}
