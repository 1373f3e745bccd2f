import { cpuUsage } from 'node:process';

/** Milliseconds of CPU time of this process. On a busy machine the work takes longer, but not more CPU time. */
export function cpuMilliseconds(): number {
	const { user, system } = cpuUsage();
	return (user + system) / 1_000;
}
