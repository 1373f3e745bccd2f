import type { ImagingPool } from '../imaging/scheduler.ts';

/**
 * How many jobs a worker takes beyond its imaging processes, so that reading, storing and Redis overlap with imaging. On a local Redis two
 * are enough. The farther away Redis or the storage is, the more it takes: otherwise its imaging processes would be idle while all jobs that
 * it may take wait for an answer.
 */

/** Most jobs to take by itself. Each holds a manifest and a few variants in memory. */
const mostAhead = 32;
/** How often in a row imaging has to be idle, or crowded, before the number changes. */
const patience = 3;

interface JobsAhead {
	/** A job begins. */
	begin(): void;
	/** A job has ended or was left. */
	end(): void;
}

/**
 * @param options.least the setting
 * @param options.hasMore whether jobs wait that have not reached the queue: then it is too slow in getting them
 * @param onChange called with the new number
 */
export function adaptJobsAhead(
	pool: Pick<ImagingPool, 'load'>,
	{ processes, least, hasMore }: { readonly processes: number; readonly least: number; hasMore(): boolean },
	onChange: (ahead: number) => void,
): JobsAhead {
	let ahead = least;
	let underWay = 0;
	let idle = 0;
	let crowded = 0;
	return {
		begin() {
			underWay++;
			const { working, waiting } = pool.load();
			const isShort = underWay >= processes + ahead || hasMore();
			idle = isShort && working < processes && waiting === 0 ? idle + 1 : 0;
			crowded = waiting > processes ? crowded + 1 : 0;
			const wanted = idle === patience ? ahead + 1 : crowded === patience ? ahead - 1 : ahead;
			if (wanted === ahead) return;
			idle = 0;
			crowded = 0;
			const allowed = Math.min(Math.max(wanted, least), Math.max(least, mostAhead));
			if (allowed === ahead) return;
			ahead = allowed;
			onChange(ahead);
		},
		end() {
			underWay--;
		},
	};
}
