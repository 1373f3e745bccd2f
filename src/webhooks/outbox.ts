import * as z from 'zod';
import { stored, storedWord } from '../domain/stored.ts';
import { type MessageFolder, messageFolders, messageKey, messageOfKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { pictureEndpoint } from './endpoint.ts';
import { bodyOf, eventTypes, testEventType, type WebhookEvent } from './event.ts';

/**
 * Undelivered messages in storage: attempts continue for days, and Redis may lose its data. Each message to an endpoint is an object that
 * is deleted on delivery. A message that is given up is moved aside and kept for some time for a replay.
 */

const messageSchema = stored({
	version: z.literal(1),
	/** Id of the event, the same for every endpoint. */
	id: z.string(),
	type: storedWord([...eventTypes, testEventType]),
	timestamp: z.iso.datetime(),
	/** Sent unchanged in every attempt. */
	body: z.string(),
	endpoint: z.string(),
	/** The recipient, if the endpoint stands for the webhook URLs of uploads. */
	url: z.string().optional(),
	pictureId: z.string().optional(),
	batchId: z.string().optional(),
	requestId: z.string().optional(),
	/** When the message was first due, or due again. */
	queuedAt: z.iso.datetime(),
});
/** A message to one endpoint. */
export type Message = z.infer<typeof messageSchema>;

export function messageTo(endpoint: string, event: WebhookEvent): Message {
	const { id, type, timestamp, pictureId, batchId, requestId, url } = event;
	return messageSchema.parse({
		version: 1,
		id,
		type,
		timestamp,
		body: bodyOf(event),
		endpoint,
		...(endpoint === pictureEndpoint && { url }),
		...(pictureId !== undefined && { pictureId }),
		...(batchId !== undefined && { batchId }),
		...(requestId !== undefined && { requestId }),
		queuedAt: new Date().toISOString(),
	} satisfies z.input<typeof messageSchema>);
}

/** @throws Error if this version cannot read the message */
export function parseMessage(json: string): Message {
	return messageSchema.parse(JSON.parse(json));
}

export async function putMessage(storage: Storage, message: Message, folder: MessageFolder = 'outbox'): Promise<void> {
	await storage.put(messageKey(folder, message.endpoint, message.id), Buffer.from(`${JSON.stringify(message)}\n`));
}

/** A message that was not delivered: one that waits, or one that was given up. */
export async function findMessage(storage: Storage, endpoint: string, id: string): Promise<Message | undefined> {
	return (await readMessage(storage, 'outbox', endpoint, id)) ?? (await readMessage(storage, 'failed', endpoint, id));
}

export async function readMessage(
	storage: Storage,
	folder: MessageFolder,
	endpoint: string,
	id: string,
): Promise<Message | undefined> {
	const bytes = await readObject(storage, messageKey(folder, endpoint, id));
	return bytes && parseMessage(bytes.toString());
}

/** Moves a message aside. After a crash in between it is in both folders, and is tried once more. */
export async function giveUpMessage(storage: Storage, message: Message): Promise<void> {
	await putMessage(storage, message, 'failed');
	await storage.delete(messageKey('outbox', message.endpoint, message.id));
}

/** Deletes a message that was delivered or is no longer wanted. */
export async function removeMessage(
	storage: Storage,
	{ endpoint, id }: Pick<Message, 'endpoint' | 'id'>,
): Promise<void> {
	await storage.delete(messageKey('outbox', endpoint, id));
	await storage.delete(messageKey('failed', endpoint, id));
}

/** Endpoint and message ids of all messages in one of the folders. */
export async function* listMessages(
	storage: Storage,
	folder: MessageFolder,
	endpoint?: string,
): AsyncIterable<{ readonly key: string; readonly endpoint: string; readonly message: string }> {
	const below = endpoint === undefined ? messageFolders[folder] : `${messageFolders[folder]}${endpoint}/`;
	for await (const key of storage.list(below)) {
		const found = messageOfKey(key);
		if (found) yield { key, ...found };
	}
}
