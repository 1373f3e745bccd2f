import type { BatchPublisher } from '../catalog/finish-batch.ts';
import type { Logger } from '../observe/log.ts';
import { deliverJob } from '../queue/jobs.ts';
import type { Queues } from '../queue/queues.ts';
import type { Storage } from '../storage/storage.ts';
import { batchEvent, type WebhookEvent } from './event.ts';
import { type Message, messageTo, putMessage } from './outbox.ts';
import type { WebhookSettings } from './settings.ts';
import type { Targets } from './targets.ts';

/** What publishing and delivering messages needs. */
export interface PublishDeps {
	readonly storage: Storage;
	readonly queues: Queues;
	readonly settings: WebhookSettings;
	readonly targets: Targets;
	readonly log: Logger;
}

/** Notifies every endpoint that subscribes to an event. */
export interface Publisher extends BatchPublisher {
	/** When this returns, delivery is guaranteed whatever dies: the outbox in storage holds a message for each subscriber. */
	publish(event: WebhookEvent): Promise<void>;
	/** The same in two steps, for an event about to happen: the next sweep delivers it at the latest. @returns queues the delivery now */
	prepare(event: WebhookEvent): Promise<() => Promise<void>>;
}

export function openPublisher(deps: PublishDeps): Publisher {
	const prepare = async (event: WebhookEvent) => {
		const messages = (await deps.targets.of(event)).map((endpoint) => messageTo(endpoint, event));
		await Promise.all(messages.map((message) => putMessage(deps.storage, message)));
		return async () => {
			for (const message of messages) {
				// The sweep queues what Redis misses now.
				await queueDelivery(deps, message).catch((err) =>
					deps.log.warn(
						{ err, messageId: message.id, endpoint: message.endpoint },
						'webhook not queued; the sweep will queue it',
					),
				);
			}
		};
	};
	const publish = async (event: WebhookEvent) => {
		const queue = await prepare(event);
		await queue();
	};
	return {
		prepare,
		publish,
		publishBatchEnd: (batch, finished) => publish(batchEvent(batch, finished)),
	};
}

/**
 * Adds the job of a message in the outbox, with as many attempts as its age leaves. Does nothing when the job exists.
 *
 * @throws PicpipeError `queue-unavailable`
 */
export async function queueDelivery(
	{ queues, settings }: Pick<PublishDeps, 'queues' | 'settings'>,
	message: Message,
): Promise<void> {
	const { schedule, keepSeconds } = settings;
	const { id, endpoint, type, pictureId, batchId, requestId } = message;
	const before = attemptsBefore(schedule, Date.now() - Date.parse(message.queuedAt));
	const job = deliverJob({ endpoint, messageId: id, type, pictureId, batchId, attemptsBefore: before, requestId });
	await queues.enqueueDelivery(job, schedule.length + 1 - before, keepSeconds);
}

/**
 * The number of attempts of a schedule that are over by time, for a message whose job was lost with Redis: delivery resumes where it was.
 *
 * @param schedule delays before the second and every further attempt, in seconds
 * @param age time since the message was first due, in milliseconds
 * @returns at most as many as leave one attempt
 */
export function attemptsBefore(schedule: readonly number[], age: number): number {
	let due = 0;
	let over = 0;
	for (const delay of schedule) {
		due += delay * 1_000;
		if (due > age) break;
		over++;
	}
	return over;
}
