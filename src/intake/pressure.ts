import type { Redis } from 'ioredis';
import type { DiskSpace } from '../config/connections.ts';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { Queues } from '../queue/queues.ts';
import { askRedis } from '../queue/redis.ts';
import type { Storage } from '../storage/storage.ts';

/** How long an answer about queue and disk holds, milliseconds: looking is cheap, and still too dear for each of many uploads. */
const holds = 1_000;
/** How long an upload waits for Redis to tell, milliseconds; then it goes on without. */
const patience = 500;

/** Seconds after which a refused client may try again: a queue moves, room has to be made by somebody. */
const retryAfter = { queue: 15, disk: 60 };

export interface PressureOptions {
	readonly redis: Redis;
	readonly queues: Queues;
	readonly storage: Storage;
	/** Waiting jobs at which nothing more is accepted; infinity for no limit. */
	readonly maxQueue: number;
	/** Room that has to be left in the storage. */
	readonly minDiskFree: DiskSpace;
	readonly log: Logger;
}

/** Tells whether there is room for more, so that an upload can be refused before it has begun. */
export interface Pressure {
	/** @throws PicpipeError `queue-full`, `storage-nearly-full` */
	check(): Promise<void>;
}

/** What can't be found out refuses nothing: without Redis uploads are accepted, and a storage that is away says so itself. */
export function openPressure({ redis, queues, storage, maxQueue, minDiskFree, log }: PressureOptions): Pressure {
	const waiting = remembered(async () => {
		if (maxQueue === Number.POSITIVE_INFINITY) return 0;
		const { pictures, fetches } = queues.byName;
		const count = () =>
			Promise.all([pictures, fetches].map((queue) => queue.getJobCountByTypes('waiting', 'prioritized', 'delayed')));
		const counts = await askRedis(redis, count, patience);
		return counts.reduce((sum, count) => sum + count, 0);
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

/** Asks at most once in `holds`, and once for all who ask meanwhile. Undefined while there is no answer. */
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
