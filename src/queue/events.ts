import { QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { pictureIdOfJob, type QueueName } from './jobs.ts';

/** Hears which jobs end, on any machine. */
export interface Endings {
	/** Resolves when a job of this subject has ended, after the time is up, or when the signal aborts. */
	ended(subject: string, milliseconds: number, signal: AbortSignal): Promise<void>;
	close(): Promise<void>;
}

/** Jobs on the queues that pictures pass. Their subjects are the ids of the pictures. */
export function listenToPictures(redis: Redis, prefix: string): Endings {
	return listenTo(redis, prefix, ['fetches', 'pictures'], pictureIdOfJob);
}

/** Renders. Their subjects are the ids of the jobs. */
export function listenToRenders(redis: Redis, prefix: string): Endings {
	return listenTo(redis, prefix, ['renders'], (jobId) => jobId);
}

function listenTo(
	redis: Redis,
	prefix: string,
	names: readonly QueueName[],
	subjectOf: (jobId: string) => string,
): Endings {
	const waiting = new Map<string, Set<() => void>>();
	const ended = ({ jobId }: { jobId: string }) => {
		for (const wake of waiting.get(subjectOf(jobId)) ?? []) wake();
	};
	const queues = names.map((queue) => {
		const events = new QueueEvents(queue, { connection: redis, prefix });
		// The connection reconnects by itself and its own listener reports trouble.
		events.on('error', () => {});
		events.on('completed', ended);
		events.on('failed', ended);
		return events;
	});

	return {
		ended(subject, milliseconds, signal) {
			return new Promise((resolve) => {
				const wakers = waiting.get(subject) ?? new Set();
				waiting.set(subject, wakers);
				const wake = () => {
					clearTimeout(timer);
					signal.removeEventListener('abort', wake);
					wakers.delete(wake);
					if (wakers.size === 0) waiting.delete(subject);
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
