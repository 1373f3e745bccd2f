import * as z from 'zod';
import { stored, storedWord } from '../domain/stored.ts';
import { type MessageFolder, messageFolders, messageKey, messageOfKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { pictureEndpoint } from './endpoint.ts';
import { bodyOf, eventTypes, type WebhookEvent } from './event.ts';

/**
 * What is still to be delivered, in the storage, because attempts go on for days and Redis may lose them: an object for each message and endpoint, gone
 * when it was delivered. What can't be delivered is moved aside and kept for some time, to be replayed.
 */

const messageSchema = stored({
	version: z.literal(1),
	/** Of the event; the same for every endpoint. */
	id: z.string(),
	type: storedWord(eventTypes),
	timestamp: z.iso.datetime(),
	/** Sent as it is, in every attempt. */
	body: z.string(),
	endpoint: z.string(),
	/** Where it goes, when the endpoint stands for the addresses of pictures. */
	url: z.string().optional(),
	pictureId: z.string().optional(),
	batchId: z.string().optional(),
	requestId: z.string().optional(),
	/** When it was first to be delivered, or to be delivered again. */
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

/** @throws Error when the text is no message that this version can read */
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

/** Moves a message aside. Killed in between it is in both places, and is tried once more. */
export async function giveUpMessage(storage: Storage, message: Message): Promise<void> {
	await putMessage(storage, message, 'failed');
	await storage.delete(messageKey('outbox', message.endpoint, message.id));
}

/** It was delivered, or nobody wants it any more. */
export async function removeMessage(
	storage: Storage,
	{ endpoint, id }: Pick<Message, 'endpoint' | 'id'>,
): Promise<void> {
	await storage.delete(messageKey('outbox', endpoint, id));
	await storage.delete(messageKey('failed', endpoint, id));
}

/** Endpoints and ids of all messages in one of the folders. */
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
