import type { Redis } from 'ioredis';
import type { BatchPublisher } from '../catalog/finish-batch.ts';
import type { Config } from '../config/index.ts';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { deliverJob, deliverJobId } from '../queue/jobs.ts';
import type { Queues } from '../queue/queues.ts';
import { type MessageFolder, messageKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import { pictureEndpoint, settingEndpoint } from './endpoint.ts';
import { endpointIds } from './endpoint-store.ts';
import { batchEvent, endEventIds, testEvent, testEventType, type WebhookEvent } from './event.ts';
import { type DeliveryLog, openDeliveryLog } from './log.ts';
import { findMessage, listMessages, type Message, messageTo, putMessage } from './outbox.ts';
import { type WebhookSettings, webhookSettingsOf } from './settings.ts';
import { openTargets, type Targets } from './targets.ts';

/** The dependencies for publishing and delivering messages. */
export interface PublishDeps {
	readonly storage: Storage;
	readonly queues: Queues;
	readonly settings: WebhookSettings;
	readonly targets: Targets;
	readonly log: Logger;
}

/** Notifies every endpoint that subscribes to an event. */
export interface Publisher extends BatchPublisher {
	/** When this returns, delivery is guaranteed, whatever crashes: the outbox in storage holds a message for each subscriber. */
	publish(event: WebhookEvent): Promise<void>;
}

/** The webhook services of a process that publishes, delivers or shows webhooks. */
export interface Webhooks extends PublishDeps {
	readonly publisher: Publisher;
	readonly deliveries: DeliveryLog;
}

export function openWebhooks(
	config: Config,
	{ redis, ...on }: { readonly redis: Redis; readonly storage: Storage; readonly queues: Queues; readonly log: Logger },
): Webhooks {
	const settings = webhookSettingsOf(config);
	const deps = { ...on, settings, targets: openTargets(on.storage, settings, on.log) };
	const deliveries = openDeliveryLog(redis, { prefix: config.redisPrefix, ...settings });
	return { ...deps, publisher: openPublisher(deps), deliveries };
}

export function openPublisher(deps: PublishDeps): Publisher {
	const publish = async (event: WebhookEvent) => {
		const messages = (await deps.targets.of(event)).map((endpoint) => messageTo(endpoint, event));
		await Promise.all(messages.map((message) => putMessage(deps.storage, message)));
		for (const message of messages) {
			// The sweep queues the messages that Redis misses here.
			await queueDelivery(deps, message).catch((err) =>
				deps.log.warn(
					{ err, messageId: message.id, endpoint: message.endpoint },
					'webhook not queued; the sweep will queue it',
				),
			);
		}
	};
	return {
		publish,
		publishBatchEnd: (batch, finished) => publish(batchEvent(batch, finished)),
	};
}

/**
 * Queues the job of a message in the outbox, with as many attempts as its age leaves. Does nothing if the job exists.
 *
 * @throws PicpipeError `queue-unavailable`
 */
export async function queueDelivery(
	{ queues, settings }: Pick<PublishDeps, 'queues' | 'settings'>,
	message: Message,
): Promise<void> {
	const { schedule, keepSeconds } = settings;
	const { id, endpoint, type, pictureId, batchId, requestId, url } = message;
	const due = Date.parse(message.queuedAt);
	const before = attemptsBefore(schedule, Date.now() - due);
	const receiver = url !== undefined && URL.canParse(url) ? new URL(url).host : undefined;
	const job = deliverJob({
		endpoint,
		messageId: id,
		type,
		pictureId,
		batchId,
		receiver,
		attemptsBefore: before,
		requestId,
	});
	// A test tells what happens now.
	const isTest = type === testEventType;
	const attempts = isTest ? 1 : schedule.length + 1 - before;
	await queues.deliveries.offer({ job, attempts, keepSeconds, due: isTest ? 0 : due });
}

/**
 * The number of attempts of a schedule that are over by time, for a message whose job was lost with Redis. Delivery resumes at that point.
 *
 * @param schedule delays before the second and each further attempt, seconds
 * @param age time since the message was first due, milliseconds
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

/**
 * Sends an event to an endpoint that tests it. One attempt is made.
 *
 * @throws PicpipeError `webhook-disabled`, `queue-unavailable`
 */
export async function sendTest(deps: ReplayDeps, endpoint: string, requestId: string): Promise<Message> {
	const message = messageTo(endpoint, testEvent(endpoint, requestId));
	await requireEnabled(deps, message);
	await putMessage(deps.storage, message);
	await queueDelivery(deps, message);
	// The worker may have been faster.
	if (!(await deps.deliveries.read(endpoint, message.id))) await deps.deliveries.note(message, 'waiting');
	return message;
}

async function requireEnabled(deps: ReplayDeps, message: Message): Promise<void> {
	const target = await deps.targets.find(message);
	if (!target || target.disabled)
		throw new PicpipeError('webhook-disabled', 'Expected an enabled endpoint but this one is disabled.');
}

type ReplayDeps = PublishDeps & { readonly deliveries: DeliveryLog };

/** A message in the outbox, set aside, or in the log. Undefined if there is none. */
export async function findDelivered(deps: ReplayDeps, endpoint: string, id: string): Promise<Message | undefined> {
	return (await findMessage(deps.storage, endpoint, id)) ?? (await deps.deliveries.read(endpoint, id))?.message;
}

/**
 * Delivers a message again from the start of its schedule, with the same bytes and id, so that a receiver can drop a duplicate.
 *
 * @throws PicpipeError `webhook-disabled`, `delivery-busy`, `queue-unavailable`
 */
export async function replay(deps: ReplayDeps, message: Message): Promise<Message> {
	const { endpoint, id } = message;
	await requireEnabled(deps, message);
	if (!(await deps.queues.forgetDelivery({ endpoint, messageId: id }))) throw new PicpipeError('delivery-busy');
	const again = { ...message, queuedAt: new Date().toISOString() };
	await putMessage(deps.storage, again);
	await deps.storage.delete(messageKey('failed', endpoint, id));
	await queueDelivery(deps, again);
	await deps.deliveries.note(again, 'waiting');
	return again;
}

/**
 * Delivers every message again that was given up for an endpoint.
 *
 * @param limit most messages to queue
 * @returns the number of messages queued again
 * @throws PicpipeError as `replay` does
 */
export async function replayFailed(deps: ReplayDeps, endpoint: string, limit: number): Promise<number> {
	let replayed = 0;
	for await (const { message: id } of listMessages(deps.storage, 'failed', endpoint)) {
		if (replayed === limit) break;
		const message = await findMessage(deps.storage, endpoint, id);
		if (!message) continue;
		await replay(deps, message);
		replayed++;
	}
	return replayed;
}

/** Messages to delete at a time. */
const parallel = 16;
/** Revisions whose messages are deleted, counted from the last one. Those of earlier ones are long delivered. */
const mostRevisions = 1_000;
const folders: readonly MessageFolder[] = ['outbox', 'failed'];

/**
 * Deletes every message about the ends of a deleted picture, at every endpoint: waiting, given up and in the log, with their jobs. The ids
 * are derived from the picture and its revisions, so nothing has to be listed. A delivery in progress is not called back; it is neither
 * repeated nor recorded.
 *
 * @param picture.revision the last known one; a worker may be writing the next two
 */
export async function withdrawMessages(
	{ storage, queues, deliveries }: Pick<ReplayDeps, 'storage' | 'queues' | 'deliveries'>,
	{ id, revision }: { readonly id: string; readonly revision: number },
): Promise<void> {
	const messages = endEventIds(id, revision + 2).slice(-2 * mostRevisions);
	for (const endpoint of [settingEndpoint, pictureEndpoint, ...(await endpointIds(storage))]) {
		await deliveries.drop(endpoint, messages);
		await queues.deliveries.forget(endpoint, messages);
		for (let at = 0; at < messages.length; at += parallel) {
			await Promise.all(
				messages.slice(at, at + parallel).map(async (messageId) => {
					for (const folder of folders) await storage.delete(messageKey(folder, endpoint, messageId));
					// One that a worker is doing ends by itself: its message is gone.
					await queues.byName.webhooks.remove(deliverJobId({ endpoint, messageId }));
				}),
			);
		}
	}
}
