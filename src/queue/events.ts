import { QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { pictureIdOfJob, type QueueName } from './jobs.ts';

/** Reports when jobs end, on any machine. */
export interface Endings {
	/**
	 * Resolves when a job of this subject has ended, when an attempt at a fetch has failed and another follows, when the time is up, or when
	 * the signal aborts.
	 */
	ended(subject: string, milliseconds: number, signal: AbortSignal): Promise<void>;
	close(): Promise<void>;
}

/** Jobs of the queues `fetches` and `pictures`. Their subjects are picture ids. */
export function listenToPictures(redis: Redis, prefix: string): Endings {
	return listenTo(redis, prefix, ['fetches', 'pictures'], pictureIdOfJob);
}

/** Jobs of the queue `renders`. Their subjects are job ids. */
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
	const queues = names.map((name) => {
		const events = new QueueEvents(name, { connection: redis, prefix });
		// The connection reconnects by itself, and its own listener logs errors.
		events.on('error', () => {});
		events.on('completed', ended);
		events.on('failed', ended);
		// A request does not wait for a remote server that may be down for hours.
		if (name === 'fetches') events.on('delayed', ended);
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
