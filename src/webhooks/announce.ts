import type { Logger } from '../observe/log.ts';
import { deliverJob } from '../queue/jobs.ts';
import type { Queues } from '../queue/queues.ts';
import type { Storage } from '../storage/storage.ts';
import type { WebhookEvent } from './event.ts';
import { type Message, messageTo, putMessage } from './outbox.ts';
import { attemptsBefore } from './schedule.ts';
import type { WebhookSettings } from './settings.ts';
import type { Targets } from './targets.ts';

/** What it takes to bring messages on their way. */
export interface Post {
	readonly storage: Storage;
	readonly queues: Queues;
	readonly settings: WebhookSettings;
	readonly targets: Targets;
	readonly log: Logger;
}

/** Tells whoever wants to know. */
export interface Announcer {
	/** When this returns the event will be told, whatever dies: it is in the storage, for each who wants to know. */
	announce(event: WebhookEvent): Promise<void>;
	/** The same in two steps, for what is about to happen: the event is told at the latest with the next sweep. @returns tells it now */
	prepare(event: WebhookEvent): Promise<() => Promise<void>>;
}

export function openAnnouncer(to: Post): Announcer {
	const prepare = async (event: WebhookEvent) => {
		const messages = (await to.targets.of(event)).map((endpoint) => messageTo(endpoint, event));
		await Promise.all(messages.map((message) => putMessage(to.storage, message)));
		return async () => {
			for (const message of messages) {
				// What Redis misses now, the sweep brings later.
				await queueDelivery(to, message).catch((err) =>
					to.log.warn({ err, messageId: message.id, endpoint: message.endpoint }, 'a webhook waits for the sweep'),
				);
			}
		};
	};
	return {
		prepare,
		async announce(event) {
			const queue = await prepare(event);
			await queue();
		},
	};
}

/**
 * Adds the job of a message that is in the outbox, with as many attempts as its age leaves it; nothing happens when the job is there.
 *
 * @throws PicpipeError `queue-unavailable`
 */
export async function queueDelivery(
	{ queues, settings }: Pick<Post, 'queues' | 'settings'>,
	message: Message,
): Promise<void> {
	const { schedule, keepSeconds } = settings;
	const { id, endpoint, type, pictureId, batchId, requestId } = message;
	const before = attemptsBefore(schedule, Date.now() - Date.parse(message.queuedAt));
	const job = deliverJob({ endpoint, messageId: id, type, pictureId, batchId, attemptsBefore: before, requestId });
	await queues.enqueueDelivery(job, schedule.length + 1 - before, keepSeconds);
}
