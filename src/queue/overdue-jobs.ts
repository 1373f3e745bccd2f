import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';

/** Jobs of a queue that are looked at in one call: those that are due last. */
const mostPerCall = 1_000;
/** Milliseconds by which clocks of several machines may differ. */
const tolerance = 5_000;
/** BullMQ keeps the time at which a delayed job is due in the upper bits of its score. */
const scorePerMillisecond = 0x1000;

/**
 * Brings forward jobs that would wait for longer than they were told to. That happens where the clock was set back: what was due by the old
 * time would come late by as much.
 *
 * @returns how many jobs
 */
export async function promoteOverdueJobs(redis: Redis, queues: readonly Queue[]): Promise<number> {
	let forward = 0;
	for (const queue of queues) {
		const rows = await redis.zrevrange(queue.toKey('delayed'), 0, mostPerCall - 1, 'WITHSCORES');
		for (let at = 0; at < rows.length; at += 2) {
			const job = await queue.getJob(rows[at] ?? '');
			const wait = Number(rows[at + 1]) / scorePerMillisecond - Date.now();
			if (!job || wait <= job.delay + tolerance) continue;
			// Somebody may have promoted or taken it at this moment.
			await job.promote().then(
				() => forward++,
				() => {},
			);
		}
	}
	return forward;
}
