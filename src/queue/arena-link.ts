import type { QueueName } from './jobs.ts';

/** The group that Arena files every queue under; the first segment of its addresses. */
export const arenaHostId = 'picpipe';

/** The path of a queue's page in Arena, to be put behind Arena's address. */
export function arenaQueuePath(queue: QueueName): string {
	return `/${arenaHostId}/${queue}`;
}

/**
 * The path of a job's page in Arena, to be put behind Arena's address.
 *
 * @example
 * arenaJobPath('pictures', 'pic_01h455vb4pex5vsknk084sn02q-0a1b2c3d4e5f');
 * // '/picpipe/pictures/pic_01h455vb4pex5vsknk084sn02q-0a1b2c3d4e5f'
 */
export function arenaJobPath(queue: QueueName, jobId: string): string {
	return `${arenaQueuePath(queue)}/${encodeURIComponent(jobId)}`;
}
