import type { Redis } from 'ioredis';
import type { DiskSpace } from '../config/connections.ts';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { Queues } from '../queue/queues.ts';
import { askRedis } from '../queue/redis.ts';
import { pictureQueues } from '../queue/waiting-list.ts';
import type { Storage } from '../storage/storage.ts';

/** How long a reading of queue and disk is used, milliseconds. A reading is cheap, but not cheap enough for every upload. */
const holds = 1_000;
/** How long an upload waits for Redis, milliseconds; then it continues without a reading. */
const patience = 500;

/** Seconds until a refused client may try again. A queue moves by itself; disk space has to be freed by an operator. */
const retryAfter = { queue: 15, disk: 60 };

export interface PressureOptions {
	readonly redis: Redis;
	readonly queues: Queues;
	readonly storage: Storage;
	/** Waiting jobs at which uploads are refused; infinity for no limit. */
	readonly maxQueue: number;
	/** Space that must stay free in the storage. */
	readonly minDiskFree: DiskSpace;
	readonly log: Logger;
}

/** Checks the load, so that an upload can be refused before its body is read. */
export interface Pressure {
	/** @throws PicpipeError `queue-full`, `storage-nearly-full` */
	check(): Promise<void>;
}

/** A failed reading refuses nothing: without Redis uploads are accepted, and an unreachable storage reports its own error. */
export function openPressure({ redis, queues, storage, maxQueue, minDiskFree, log }: PressureOptions): Pressure {
	const waiting = remembered(async () => {
		if (maxQueue === Number.POSITIVE_INFINITY) return 0;
		const count = () => Promise.all(pictureQueues.map((queue) => queues.countWaiting(queue)));
		const counts = await askRedis(redis, count, patience);
		return counts.reduce((sum, { waiting, delayed }) => sum + waiting + delayed, 0);
	}, log);
	const room = remembered(async () => storage.room?.(), log);

	return {
		async check() {
			const [jobs, disk] = await Promise.all([waiting(), room()]);
			if (jobs !== undefined && jobs >= maxQueue) {
				throw new PicpipeError(
					'queue-full',
					`Expected fewer than ${maxQueue} waiting jobs (PICPIPE_MAX_QUEUE) but there are ${jobs}.`,
					{
						retryAfter: retryAfter.queue,
					},
				);
			}
			if (disk === undefined) return;
			const least = 'bytes' in minDiskFree ? minDiskFree.bytes : (disk.total * minDiskFree.percent) / 100;
			if (disk.free < least) {
				throw new PicpipeError(
					'storage-nearly-full',
					`Expected at least ${Math.ceil(least)} bytes free in the storage (PICPIPE_MIN_DISK_FREE) but there are ${disk.free}.`,
					{ retryAfter: retryAfter.disk },
				);
			}
		},
	};
}

/** Reads at most once in `holds`; concurrent callers share the reading. Undefined while there is no result. */
function remembered<T>(ask: () => Promise<T>, log: Logger): () => Promise<T | undefined> {
	let answer: Promise<T | undefined> | undefined;
	let askedAt = 0;
	return () => {
		if (answer === undefined || performance.now() - askedAt > holds) {
			askedAt = performance.now();
			answer = ask().catch((err) => {
				log.debug({ err }, 'queue length or free disk space is unknown');
				return undefined;
			});
		}
		return answer;
	};
}
