import { isQueueUnavailable } from '../errors.ts';
import { earliestNow } from '../observe/clock.ts';
import { conditionsPerScript } from '../queue/conditions.ts';
import { deliverJobId } from '../queue/jobs.ts';
import type { DeliveryLog } from './log.ts';
import { listMessages, readMessage } from './outbox.ts';
import { type PublishDeps, queueDelivery } from './publish.ts';

export interface WebhookSweep extends PublishDeps {
	readonly deliveries: DeliveryLog;
	/** How often this is called, seconds. */
	readonly sweepSeconds: number;
}

/** Messages to queue again at the same time. */
const parallel = 8;
/** Messages that were given up are checked this many times in their lifetime, and at least once an hour. */
const looks = 8;
const longestWait = 3_600;

/**
 * Queues every message in the outbox that has no live job: Redis may have lost the job, or a process died before it was queued.
 *
 * @returns how many it queued
 * @throws PicpipeError `queue-unavailable`
 */
export async function sweepOutbox(context: PublishDeps): Promise<number> {
	let queued = 0;
	type Listed = { readonly key: string; readonly endpoint: string; readonly message: string };
	const look = async (messages: readonly Listed[]) => {
		const jobIds = messages.map(({ endpoint, message: messageId }) => deliverJobId({ endpoint, messageId }));
		const conditions = await context.queues.conditionsOf('webhooks', jobIds);
		const lost = messages.filter((_, at) => conditions[at]?.state !== 'live');
		for (let at = 0; at < lost.length; at += parallel) {
			await Promise.all(
				lost.slice(at, at + parallel).map(async ({ key, endpoint, message }) => {
					try {
						if (await queueAgain(context, endpoint, message)) queued++;
					} catch (err) {
						if (isQueueUnavailable(err)) throw err;
						context.log.error({ err, key }, 'could not check a webhook; the next sweep tries again');
					}
				}),
			);
		}
	};
	const batch: Listed[] = [];
	for await (const listed of listMessages(context.storage, 'outbox')) {
		batch.push(listed);
		if (batch.length === conditionsPerScript) await look(batch.splice(0));
	}
	await look(batch);
	return queued;
}

async function queueAgain(context: PublishDeps, endpoint: string, id: string): Promise<boolean> {
	const message = await readMessage(context.storage, 'outbox', endpoint, id);
	if (!message) return false;
	// The job ended while the storage could not be written to, so the outbox still has the message.
	await context.queues.forgetDelivery({ endpoint, messageId: id });
	await queueDelivery(context, message);
	return true;
}

/**
 * Deletes old messages that were given up. Many calls return without checking, see `looks`.
 *
 * @param now milliseconds since 1970
 * @returns how many it deleted
 */
export async function forgetFailed(
	{ storage, settings, sweepSeconds }: Pick<WebhookSweep, 'storage' | 'settings' | 'sweepSeconds'>,
	now = earliestNow(),
): Promise<number> {
	const every = Math.max(sweepSeconds, Math.min(settings.keepSeconds / looks, longestWait)) * 1_000;
	if (Math.floor(now / every) === Math.floor((now - sweepSeconds * 1_000) / every)) return 0;
	let forgotten = 0;
	for await (const { key } of listMessages(storage, 'failed')) {
		const stat = await storage.stat(key);
		if (!stat || stat.modifiedAt.getTime() > now - settings.keepSeconds * 1_000) continue;
		await storage.delete(key);
		forgotten++;
	}
	return forgotten;
}

/** After a loss of the log, records the messages that were given up, so that they can be seen and replayed. */
export async function restoreLog({ storage, deliveries, settings }: WebhookSweep): Promise<void> {
	let left = settings.logLength;
	for await (const { endpoint, message: id } of listMessages(storage, 'failed')) {
		if (left-- === 0) return;
		const message = await readMessage(storage, 'failed', endpoint, id);
		if (message && !(await deliveries.read(endpoint, id))) await deliveries.note(message, 'failed');
	}
}
