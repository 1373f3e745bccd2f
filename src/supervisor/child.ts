import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProgramName, programOf } from '../programs.ts';

/** A process to keep running. */
export interface ChildSpec {
	readonly name: string;
	readonly program: ProgramName;
	readonly arguments: readonly string[];
	readonly environment: NodeJS.ProcessEnv;
}

/** What the supervisor is told. */
export interface ChildEvents {
	line(name: string, text: string, isError: boolean): void;
	spawned(child: Child): void;
	ready(child: Child): void;
	/** It ended with the exit code for a problem of configuration before it was ever ready: starting it again won't help. */
	refused(child: Child): void;
	/** It ended unexpectedly and is started again after `delay` milliseconds. */
	ended(child: Child, how: string, delay: number): void;
}

/** Delay before the first restart, milliseconds; it doubles each time. */
const firstDelay = 500;
const longestDelay = 30_000;
/** A process that was healthy for this long, milliseconds, starts with the first delay again. */
const healthyTime = 60_000;
/** On top of its own time limit a process gets this long, milliseconds, to end itself. */
const grace = 1_000;

/**
 * For V8. On machines that are busy with pictures the threads that share out a collection wait for a core, and for each other; and a
 * young generation that begins with one megabyte is collected ten times as often as one that begins with the most it may have, megabytes
 * (docs/benchmarks.md).
 */
const engineFlags = ['--single-threaded-gc', '--min-semi-space-size=16'];

export function restartDelay(failures: number): number {
	return Math.min(firstDelay * 2 ** failures, longestDelay);
}

/** One child process: started, started again when it dies, stopped. */
export class Child {
	readonly name: string;
	/** What it announced when it became ready, such as the address it listens on. */
	address: string | undefined;
	/** Whether it announced that whoever calls it needs a key. */
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
		// A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops all in order.
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

	/** Asks it to end, kills it when the time is up. */
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
		// Its last lines; a process below it that holds the pipe open isn't waited for.
		await Promise.race([closed, sleep(grace)]);
		return isLate ? 'killed' : 'stopped';
	}

	/** Kills it and every process below it, at once. */
	kill(): void {
		this.#isStopping = true;
		clearTimeout(this.#timer);
		if (this.pid === undefined) return;
		try {
			process.kill(-this.pid, 'SIGKILL');
		} catch {
			// Ended in the meantime.
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
		// Settings that worked once haven't changed since: what is in the way now, such as a port, may go away again.
		if (code === 2 && !this.#wasEverReady) {
			// Why it refused stands in its last lines: they come first.
			void Promise.race([once(child, 'close'), sleep(grace)]).then(() => this.#events.refused(this));
			return;
		}
		if (wasHealthy) this.#failures = 0;
		const delay = restartDelay(this.#failures++);
		this.#events.ended(this, how, delay);
		this.#timer = setTimeout(() => this.start(), delay);
	}
}
