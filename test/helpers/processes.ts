import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Time to become ready, milliseconds: generous, because several runs share two cores. */
const patience = 60_000;

/** A log line of picpipe: one JSON object. */
export interface LogLine {
	readonly level: string;
	readonly role: string;
	readonly msg?: string;
	readonly [field: string]: unknown;
}

export interface ProcessOptions {
	/** `PICPIPE_DATA`, best a temporary folder that the test removes. */
	readonly folder: string;
	/** `start` when not given. */
	readonly command?:
		| 'start'
		| 'api'
		| 'worker'
		| 'arena'
		| 'watch'
		| 'process'
		| 'upload'
		| 'reindex'
		| 'reprocess'
		| 'keys'
		| 'sign';
	readonly arguments?: readonly string[];
	/** A command line other than picpipe's, such as `npm start` in a copy of the project. */
	readonly run?: { readonly program: string; readonly arguments: readonly string[]; readonly cwd: string };
	/** Added to the environment; `undefined` removes a variable. */
	readonly environment?: Record<string, string | undefined>;
}

/** picpipe's command line as shipped, built from the current source (`setup.ts`), in its own process, on free ports. */
export class PicpipeProcess {
	readonly child: ChildProcess;
	readonly folder: string;
	/** Every JSON line of standard output so far, of all its processes. */
	readonly lines: LogLine[] = [];
	/** Standard output and standard error as printed. */
	output = '';
	/** Resolves when the process has ended. */
	readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
	/** In the environment of every child process, so that orphans are found too. Imaging processes inherit no other names. */
	readonly #mark = `VIPS_PROCESS_TREE=${randomBytes(8).toString('hex')}`;
	#hasEnded = false;

	constructor(options: ProcessOptions) {
		this.folder = options.folder;
		const [name, value] = this.#mark.split('=') as [string, string];
		const {
			program,
			arguments: list,
			cwd,
		} = options.run ?? {
			program: process.execPath,
			arguments: ['dist/bin/cli.js', options.command ?? 'start', ...(options.arguments ?? [])],
			cwd: root,
		};
		this.child = spawn(program, list, {
			cwd,
			env: {
				...cleanEnvironment(),
				PICPIPE_DATA: options.folder,
				PICPIPE_PORT: '0',
				PICPIPE_ARENA_PORT: '0',
				// Each takes half a second of CPU to start.
				PICPIPE_IMAGING_PROCESSES: '1',
				...options.environment,
				[name]: value,
			},
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		this.exited = once(this.child, 'close').then(([code, signal]) => {
			this.#hasEnded = true;
			return { code, signal };
		});
		createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => this.#take(line));
		createInterface({ input: this.child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
			this.output += `${line}\n`;
		});
	}

	#take(line: string): void {
		this.output += `${line}\n`;
		if (line.startsWith('{')) this.lines.push(JSON.parse(line) as LogLine);
	}

	get pid(): number {
		return this.child.pid as number;
	}

	/**
	 * Waits for a log line, including earlier ones.
	 *
	 * @param from index in `lines` of the first line that counts; pass `lines.length` to wait for a new one
	 */
	async waitFor(what: (line: LogLine) => boolean, from = 0, milliseconds = patience): Promise<LogLine> {
		for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(20)) {
			const found = this.lines.slice(from).find(what);
			if (found) return found;
			if (this.#hasEnded) throw new Error(`picpipe ended while waiting for a log line:\n${this.output}`);
		}
		throw new Error(`No such log line within ${milliseconds} ms:\n${this.output}`);
	}

	/** Waits for the banner of `picpipe start`. */
	async ready(): Promise<{ api: string; arena: string; data: string; curl: string }> {
		const line = await this.waitFor((one) => one.msg === 'picpipe is ready');
		return line as unknown as { api: string; arena: string; data: string; curl: string };
	}

	/** The process id of a child as last announced by the supervisor. */
	pidOf(child: 'redis' | 'api' | 'watch' | 'worker' | 'arena'): number {
		const line = this.lines.findLast((one) => one.role === 'start' && one.child === child && one.childPid);
		if (!line) throw new Error(`${child} was never announced:\n${this.output}`);
		return line.childPid as number;
	}

	kill(signal: NodeJS.Signals): void {
		this.child.kill(signal);
	}

	/** Stops it as an operator would, and waits. */
	async stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
		this.kill('SIGTERM');
		return this.exited;
	}

	/** All living processes of this run: children, grandchildren and orphans. */
	survivors(): { pid: number; command: string }[] {
		return readdirSync('/proc')
			.filter((name) => /^\d+$/.test(name))
			.filter((name) => belongs(name, this.#mark, this.folder))
			.map((name) => ({ pid: Number(name), command: readProc(name, 'cmdline').replaceAll('\0', ' ').trim() }));
	}

	/** @throws Error that lists the processes alive when the time is up */
	async expectNoSurvivors(milliseconds = 10_000): Promise<void> {
		for (const end = Date.now() + milliseconds; this.survivors().length > 0; await sleep(50)) {
			if (Date.now() < end) continue;
			const list = this.survivors().map(({ pid, command }) => `${pid} ${command}`);
			throw new Error(`Still alive after ${milliseconds} ms:\n${list.join('\n')}\n${this.output}`);
		}
	}

	/** For `afterEach`: kills everything, in any state. */
	async destroy(): Promise<void> {
		for (let left = this.survivors(); left.length > 0; left = this.survivors()) {
			for (const { pid } of left) killQuietly(pid);
			await sleep(20);
		}
		await this.exited;
	}
}

/** Runs picpipe until it exits. */
export async function runPicpipe(
	options: ProcessOptions,
): Promise<{ code: number | null; output: string; lines: readonly LogLine[] }> {
	const picpipe = new PicpipeProcess(options);
	try {
		const { code } = await picpipe.exited;
		return { code, output: picpipe.output, lines: picpipe.lines };
	} finally {
		await picpipe.destroy();
	}
}

/** Settings of the person who runs the tests must not affect them. */
function cleanEnvironment(): NodeJS.ProcessEnv {
	return Object.fromEntries(
		Object.entries(process.env).filter(([name]) => !name.startsWith('PICPIPE_') && name !== 'REDIS_URL'),
	);
}

/** Detected by the mark in its environment. Redis overwrites its environment, so its working folder counts too. */
function belongs(pid: string, mark: string, folder: string): boolean {
	if (/^\d+ \(.*\) Z/.test(readProc(pid, 'stat'))) return false;
	if (readProc(pid, 'environ').split('\0').includes(mark)) return true;
	try {
		return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
	} catch {
		return false;
	}
}

function readProc(pid: string, file: string): string {
	try {
		return readFileSync(`/proc/${pid}/${file}`, 'utf8');
	} catch {
		return ''; // Ended in the meantime, or not ours to read.
	}
}

function killQuietly(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch {
		// Ended in the meantime.
	}
}
