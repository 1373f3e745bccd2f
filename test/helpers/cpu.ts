import { cpuUsage } from 'node:process';

/** Milliseconds of CPU time that this process has used. A busy machine makes them take longer, but not become more. */
export function cpuMilliseconds(): number {
	const { user, system } = cpuUsage();
	return (user + system) / 1_000;
}
