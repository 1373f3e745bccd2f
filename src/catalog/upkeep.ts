import { setTimeout as sleep } from 'node:timers/promises';
import { firstPictureIdAt, pictureStates } from '../domain/picture.ts';
import { isQueueUnavailable } from '../errors.ts';
import { askRedis } from '../queue/redis.ts';
import { raiseEpoch, wholenessKeys } from './epoch.ts';
import { type RebuildDependencies, rebuildOnce, takeWorkLease, type WorkLease } from './rebuild.ts';
import { beginOf, daysOf, endOf, indexStretch, readStretch, type Stretch, stretchesOf } from './walk.ts';

/**
 * Keeps the index whole. One process of the installation raises the epoch at each interval, rebuilds the index when it is lost, and checks
 * a few pictures, so that single lost entries are found within a day. The others wait to take over.
 */

export interface IndexUpkeep {
	/** Ends a rebuild between two steps; another process continues it. */
	close(): Promise<void>;
}

export interface UpkeepOptions extends RebuildDependencies {
	/** Seconds between two raises of the epoch, at most a minute; a loss is noticed within this time. */
	readonly everySeconds: number;
	/** Called after each rebuild. */
	onRebuilt?(): Promise<void>;
}

/** Longest time between two raises of the epoch, seconds. */
const longestInterval = 60;
/** Lifetime of the lease without renewal, and the pause between two attempts to take it, milliseconds. */
const leaseTime = 15_000;
const attemptEvery = 5_000;

export function keepIndexWhole(options: UpkeepOptions): IndexUpkeep {
	const { redis, prefix, log } = options;
	const everySeconds = Math.min(options.everySeconds, longestInterval);
	const stopping = new AbortController();
	const pause = (milliseconds: number) => sleep(milliseconds, undefined, { signal: stopping.signal }).catch(() => {});
	const trouble = (err: unknown) => {
		if (isQueueUnavailable(err)) log.debug({ err }, 'index not checked');
		else log.warn({ err }, 'index not checked; trying again');
	};

	const hold = async (lease: WorkLease) => {
		const upkeep = openIndexUpkeep({ ...options, everySeconds });
		try {
			while (!stopping.signal.aborted && (await lease.renew())) {
				await upkeep.turn().catch(trouble);
				// Ends early when the lease is lost, so that this process can try for it again.
				await sleep(everySeconds * 1_000, undefined, { signal: AbortSignal.any([stopping.signal, lease.lost]) }).catch(
					() => {},
				);
			}
		} finally {
			await upkeep.close();
			await lease.release();
		}
	};
	const run = async () => {
		while (!stopping.signal.aborted) {
			const lease = await takeWorkLease(redis, `${prefix}:catalog:upkeep-lease`, leaseTime).catch(trouble);
			if (lease) await hold(lease).catch(trouble);
			else await pause(Math.min(attemptEvery, everySeconds * 1_000));
		}
	};
	const running = run();
	return {
		async close() {
			stopping.abort();
			await running;
		},
	};
}

/** The turns of the process that holds the lease. */
export function openIndexUpkeep(options: UpkeepOptions) {
	const { redis, prefix, storage, catalog, log } = options;
	const { epoch, complete, rebuild } = wholenessKeys(prefix);
	const scan = openScan(options);
	let rebuilding: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

	const startRebuild = () => {
		const stop = new AbortController();
		const work = async () => {
			const result = await rebuildOnce(options, { stopping: stop.signal });
			if (result) await options.onRebuilt?.();
		};
		const done = work()
			.catch((err) => log.warn({ err }, 'index not rebuilt; trying again'))
			.finally(() => {
				rebuilding = undefined;
			});
		rebuilding = { stop, done };
	};

	return {
		/** Raises the epoch, and starts a rebuild or checks some pictures. A rebuild goes on after it returns. */
		async turn(): Promise<void> {
			const loss = await raiseEpoch(redis, [epoch, complete, rebuild], storage, log);
			if (loss) {
				log.warn(loss === 'lost' ? 'Redis lost the index' : 'Redis was set back to an earlier state of the index');
				// What it has written so far is lost too.
				rebuilding?.stop.abort();
				await rebuilding?.done;
			}
			if (rebuilding) return;
			if (await catalog.isComplete()) await scan();
			else startRebuild();
		},
		/** Waits for a rebuild in progress. */
		async settled(): Promise<void> {
			await rebuilding?.done;
		},
		async close(): Promise<void> {
			rebuilding?.stop.abort();
			await rebuilding?.done;
		},
	};
}

/** Turns in which the scan checks every picture: those of a day. */
const secondsPerRound = 24 * 60 * 60;
/** Most pictures to check in one turn. Beyond 1.4 million pictures a round takes longer than a day. */
const mostPerTurn = 1_000;

/** Checks some pictures at each call: all of them in a day. Another process continues with the same day of the pictures. */
function openScan({ redis, prefix, storage, catalog, log, everySeconds }: UpkeepOptions): () => Promise<void> {
	const key = `${prefix}:catalog:scan`;
	let size = 1;
	let walk: AsyncGenerator<Stretch> | undefined;

	async function* allStretches(): AsyncGenerator<Stretch> {
		const from = (await askRedis(redis, () => redis.get(key))) ?? '';
		let after = from ? beginOf(from) : firstPictureIdAt(0);
		for (const day of await daysOf(storage, from)) {
			await askRedis(redis, () => redis.set(key, day));
			yield* stretchesOf(storage, day, after, () => size);
			after = endOf(day);
		}
		await askRedis(redis, () => redis.del(key));
	}

	return async () => {
		const counts = await catalog.countStates();
		const total = pictureStates.reduce((sum, state) => sum + counts[state], 0);
		size = Math.min(mostPerTurn, Math.ceil((total * everySeconds) / secondsPerRound) || 1);
		walk ??= allStretches();
		const { value: stretch, done } = await walk.next();
		if (done || !stretch) {
			walk = undefined;
			return;
		}
		const removed = await indexStretch(storage, catalog, await readStretch(storage, stretch));
		if (removed > 0) log.warn({ removed, day: stretch.day }, 'removed pictures without a manifest from the index');
	};
}
