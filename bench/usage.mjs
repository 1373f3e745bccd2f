import { readdirSync, readFileSync } from 'node:fs';

/** Resource usage of processes, read from /proc (Linux; elsewhere the numbers are missing). */

/** The kernel counts CPU time in hundredths of a second (`getconf CLK_TCK`, 100 everywhere since Linux 2.6). */
const millisecondsPerTick = 10;

/** @returns {{ pid: number, parent: number, cpu: number, cpuOfEnded: number, command: string, isImaging: boolean }[]} the processes given and all below them; CPU in milliseconds, its own and that of its children that have ended */
export function processTree(roots) {
	const all = readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name))
		.flatMap(readProcess);
	const wanted = new Set(roots);
	// A child may be listed before its parent.
	for (let size = 0; size < wanted.size; ) {
		size = wanted.size;
		for (const { pid, parent } of all) if (wanted.has(parent)) wanted.add(pid);
	}
	return all.filter(({ pid }) => wanted.has(pid));
}

function readProcess(name) {
	try {
		const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ');
		const [user, system, userOfEnded, systemOfEnded] = fields.slice(11, 15).map(Number);
		const cpu = (user + system) * millisecondsPerTick;
		const cpuOfEnded = (userOfEnded + systemOfEnded) * millisecondsPerTick;
		return [
			{
				pid: Number(name),
				parent: Number(fields[1]),
				cpu,
				cpuOfEnded,
				command,
				isImaging: command.includes('imaging-process'),
			},
		];
	} catch {
		return []; // Ended in the meantime.
	}
}

/** Memory in bytes; shared pages are divided among the processes that share them. */
function memoryOf(pid) {
	try {
		return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
	} catch {
		return 0;
	}
}

/** Milliseconds between samples. Reading the memory of eight processes takes time, which would count against the side with the most. */
const sampleTime = 2_000;

/** Samples the memory of processes and everything below them. `stop` returns the peak of the sum in bytes, undefined where it can't be read. */
export function watchMemory(roots, every = sampleTime) {
	if (process.platform !== 'linux') return { stop: () => undefined };
	let peak = 0;
	const sample = () => {
		peak = Math.max(
			peak,
			processTree(roots()).reduce((sum, { pid }) => sum + memoryOf(pid), 0),
		);
	};
	const timer = setInterval(sample, every);
	return {
		stop() {
			clearInterval(timer);
			sample();
			return peak;
		},
	};
}

/** CPU milliseconds so far of processes and everything below them: in imaging processes, and in all. */
export function cpuOf(roots) {
	if (process.platform !== 'linux') return { imaging: 0, all: 0 };
	const tree = processTree(roots);
	const sum = (processes) => processes.reduce((total, { cpu }) => total + cpu, 0);
	// Imaging processes are sometimes replaced; no other process ends while picpipe runs.
	const ended = tree.reduce((total, { cpuOfEnded }) => total + cpuOfEnded, 0);
	return { imaging: sum(tree.filter(({ isImaging }) => isImaging)) + ended, all: sum(tree) + ended };
}

/** Programs of picpipe by a part of their command line; the first match counts. */
const roles = {
	api: / api /,
	worker: / worker /,
	'imaging processes': /imaging-process/,
	arena: / arena /,
	redis: /^\S*(redis|valkey)-server /,
};

/** Memory in bytes by role, of picpipe as `picpipe start` runs it. */
export function memoryByRole(roots) {
	return sumByRole(roots, memoryOf);
}

/** Open files, sockets and pipes by role. */
export function handlesByRole(roots) {
	return sumByRole(roots, (pid) => {
		try {
			return readdirSync(`/proc/${pid}/fd`).length;
		} catch {
			return 0;
		}
	});
}

function sumByRole(roots, measure) {
	const tree = processTree(roots);
	const sum = (pattern) =>
		tree.filter(({ command }) => pattern.test(command)).reduce((total, { pid }) => total + measure(pid), 0);
	return Object.fromEntries(Object.entries(roles).map(([name, pattern]) => [name, sum(pattern)]));
}
