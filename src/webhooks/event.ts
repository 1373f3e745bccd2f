import { randomUUID } from 'node:crypto';
import type { Batch, FinishedBatch } from '../domain/batch.ts';
import { digest } from '../domain/digest.ts';
import type { Picture } from '../domain/picture.ts';
import { showPicture } from '../domain/show.ts';

/** The event types, with their meaning for the reference page. */
export const eventDocs = {
	'picture.ready':
		'A picture is ready. `data` is the picture; its `failures`, if there are any, name the variants that it lacks.',
	'picture.failed': 'A picture failed for good and has no variants. `data` is the picture, with its `failure`.',
	'picture.deleted': 'A picture and everything known about it were deleted. `data` is its `id` and nothing else.',
	'batch.finished':
		'Every picture of a closed batch has finished. `data` is the batch, with the number of pictures by state and of those with `failures`.',
} as const;
export type EventType = keyof typeof eventDocs;
/** The types that an endpoint can subscribe to. */
export const eventTypes = Object.keys(eventDocs) as [EventType, ...EventType[]];
/** The type of an event that tests an endpoint. It is sent on request, once, whatever the endpoint subscribes to. */
export const testEventType = 'webhook.test';

/** An event to publish to its subscribers. */
export interface WebhookEvent {
	/** Derived from the event, so that a receiver can drop a duplicate. */
	readonly id: string;
	readonly type: EventType | typeof testEventType;
	/** Time of the event, ISO 8601. */
	readonly timestamp: string;
	/** The `data` of the body. */
	readonly data: object;
	readonly pictureId?: string;
	readonly batchId?: string;
	/** A URL of this event alone, in addition to the endpoints. */
	readonly url?: string | undefined;
	/** The request that caused it, for its log lines. */
	readonly requestId?: string | undefined;
}

/** A picture has ended. @param given its current manifest, `ready` or `failed` */
export function pictureEvent(given: Picture): WebhookEvent {
	const type = given.state === 'ready' ? 'picture.ready' : 'picture.failed';
	return {
		// Includes the revision: a picture may be processed again, which is a new event.
		id: eventId(type, given.id, given.revision),
		type,
		timestamp: given.updatedAt,
		// Built on demand, because most events have no subscriber. Always in the order of the schema, so that equal events have equal bytes.
		get data() {
			return showPicture(given);
		},
		pictureId: given.id,
		url: given.webhook,
		requestId: given.requestId,
	};
}

/**
 * A picture was deleted.
 *
 * @param at when its deletion was requested, ISO 8601
 */
export function deletedEvent({ id, webhook, requestId }: Picture, at: string): WebhookEvent {
	const type = 'picture.deleted';
	// A picture is deleted once, whatever its revision.
	return { id: eventId(type, id), type, timestamp: at, data: { id }, pictureId: id, url: webhook, requestId };
}

/** The ids of all events that tell of an end of a picture, up to a revision. */
export function endEventIds(pictureId: string, revision: number): string[] {
	const revisions = Array.from({ length: revision }, (_, before) => before + 1);
	return revisions.flatMap((one) => [
		eventId('picture.ready', pictureId, one),
		eventId('picture.failed', pictureId, one),
	]);
}

/** All pictures of a batch have ended. */
export function batchEvent(batch: Batch, finished: FinishedBatch): WebhookEvent {
	const type = 'batch.finished';
	const { id, name, createdAt, owner, webhook, requestId } = batch;
	const { at, ready, failed, withFailures = 0 } = finished;
	const self = `/v1/batches/${id}`;
	const data = {
		id,
		name,
		createdAt,
		owner,
		finishedAt: at,
		ready,
		failed,
		withFailures,
		links: { self, pictures: `/v1/pictures?batch=${id}` },
	};
	// A batch ends once.
	return { id: eventId(type, id), type, timestamp: at, data, batchId: id, url: webhook, requestId };
}

/** An event that tests an endpoint. @param requestId of the request for it */
export function testEvent(endpoint: string, requestId: string): WebhookEvent {
	const type = testEventType;
	const timestamp = new Date().toISOString();
	return { id: eventId(type, endpoint, randomUUID()), type, timestamp, data: { webhook: endpoint }, requestId };
}

/** Hexadecimal digits of an id: 128 bits. */
const idDigits = 32;

export function isEventId(text: string): boolean {
	return /^msg_[0-9a-f]{32}$/.test(text);
}

function eventId(...parts: readonly unknown[]): string {
	return `msg_${digest(...parts).slice(0, idDigits)}`;
}

/** The body of a message by Standard Webhooks: `type`, `timestamp`, `data`. */
export function bodyOf({ type, timestamp, data }: WebhookEvent): string {
	return JSON.stringify({ type, timestamp, data });
}
