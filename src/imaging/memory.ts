import { readFile } from 'node:fs/promises';

/** Milliseconds between two looks: what grows takes longer than that to become a trouble, and a look costs some 50 µs. */
const every = 250;

/** Watches how much memory a process has, from outside: one that is killed can't tell any more. */
export interface MemoryWatch {
	/** Most resident bytes at any look; undefined where the system does not tell (proc(5), Linux only). */
	readonly peak: number | undefined;
	stop(): void;
}

export function watchMemory(pid: number): MemoryWatch {
	let peak: number | undefined;
	const look = async () => {
		const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
		// One that has just died has none.
		if (kilobytes !== undefined) peak = Math.max(peak ?? 0, Number(kilobytes) * 1_024);
	};
	const tryToLook = () => void look().catch(() => {});
	tryToLook();
	const timer = setInterval(tryToLook, every);
	timer.unref();
	return {
		get peak() {
			return peak;
		},
		stop: () => clearInterval(timer),
	};
}
