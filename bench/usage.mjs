import { readdirSync, readFileSync } from 'node:fs';

/** What processes use, read from /proc (Linux; elsewhere the numbers are left out). */

/** The kernel counts CPU time in hundredths of a second (`getconf CLK_TCK`, 100 everywhere since Linux 2.6). */
const millisecondsPerTick = 10;

/** @returns {{ pid: number, parent: number, cpu: number, isImaging: boolean }[]} the processes given and all below them; CPU in milliseconds */
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
		const isImaging = readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('imaging-process');
		const cpu = (Number(fields[11]) + Number(fields[12])) * millisecondsPerTick;
		return [{ pid: Number(name), parent: Number(fields[1]), cpu, isImaging }];
	} catch {
		return []; // Ended in the meantime.
	}
}

/** Memory in bytes, shared pages divided among those who share them. */
function memoryOf(pid) {
	try {
		return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
	} catch {
		return 0;
	}
}

/** Samples the memory of processes and everything below them. `stop` returns the peak of the sum in bytes, undefined where it can't be read. */
export function watchMemory(roots) {
	if (process.platform !== 'linux') return { stop: () => undefined };
	let peak = 0;
	const sample = () => {
		peak = Math.max(
			peak,
			processTree(roots()).reduce((sum, { pid }) => sum + memoryOf(pid), 0),
		);
	};
	const timer = setInterval(sample, 500);
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
	return { imaging: sum(tree.filter(({ isImaging }) => isImaging)), all: sum(tree) };
}
