import { QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { pictureIdOfJob, type QueueName } from './jobs.ts';

/** Hears what happens on the queues that pictures pass, from any process. */
export interface PictureEvents {
	/** Resolves when a job of this picture has ended, after the time is up, or when the signal aborts. */
	ended(pictureId: string, milliseconds: number, signal: AbortSignal): Promise<void>;
	close(): Promise<void>;
}

export function listenToPictures(redis: Redis, prefix: string): PictureEvents {
	const waiting = new Map<string, Set<() => void>>();
	const ended = ({ jobId }: { jobId: string }) => {
		for (const wake of waiting.get(pictureIdOfJob(jobId)) ?? []) wake();
	};
	const queues = (['fetches', 'pictures'] satisfies QueueName[]).map((queue) => {
		const events = new QueueEvents(queue, { connection: redis, prefix });
		// The connection reconnects by itself and its own listener reports trouble.
		events.on('error', () => {});
		events.on('completed', ended);
		events.on('failed', ended);
		return events;
	});

	return {
		ended(pictureId, milliseconds, signal) {
			return new Promise((resolve) => {
				const wakers = waiting.get(pictureId) ?? new Set();
				waiting.set(pictureId, wakers);
				const wake = () => {
					clearTimeout(timer);
					signal.removeEventListener('abort', wake);
					wakers.delete(wake);
					if (wakers.size === 0) waiting.delete(pictureId);
					resolve();
				};
				const timer = setTimeout(wake, milliseconds);
				signal.addEventListener('abort', wake);
				wakers.add(wake);
				if (signal.aborted) wake();
			});
		},
		async close() {
			await Promise.all(queues.map((events) => events.close()));
		},
	};
}
