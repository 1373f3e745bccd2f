import { PicpipeError } from '../errors.ts';
import { messageKey } from '../storage/keys.ts';
import { type Post, queueDelivery } from './announce.ts';
import type { DeliveryLog } from './log.ts';
import { findMessage, listMessages, type Message, putMessage } from './outbox.ts';

type Replay = Post & { readonly deliveries: DeliveryLog };

/** A delivery that is nowhere yet delivered, or that the log knows. Undefined when there is none. */
export async function findDelivered(to: Replay, endpoint: string, id: string): Promise<Message | undefined> {
	return (await findMessage(to.storage, endpoint, id)) ?? (await to.deliveries.read(endpoint, id))?.message;
}

/**
 * Delivers a message again from the start of its schedule: the same bytes with the same id, so that a receiver that has it already can drop it.
 *
 * @throws PicpipeError `webhook-disabled`, `delivery-busy`, `queue-unavailable`
 */
export async function replay(to: Replay, message: Message): Promise<Message> {
	const { endpoint, id } = message;
	const target = await to.targets.find(message);
	if (!target || target.disabled) throw new PicpipeError('webhook-disabled', 'Expected an endpoint that is enabled.');
	if (!(await to.queues.forgetDelivery({ endpoint, messageId: id }))) throw new PicpipeError('delivery-busy');
	const again = { ...message, queuedAt: new Date().toISOString() };
	await putMessage(to.storage, again);
	await to.storage.delete(messageKey('failed', endpoint, id));
	await queueDelivery(to, again);
	await to.deliveries.note(again, 'waiting');
	return again;
}

/**
 * Delivers again whatever could not be delivered to an endpoint.
 *
 * @param limit most messages
 * @returns how many are on their way again
 * @throws PicpipeError likewise
 */
export async function replayFailed(to: Replay, endpoint: string, limit: number): Promise<number> {
	let replayed = 0;
	for await (const { message: id } of listMessages(to.storage, 'failed', endpoint)) {
		if (replayed === limit) break;
		const message = await findMessage(to.storage, endpoint, id);
		if (!message) continue;
		await replay(to, message);
		replayed++;
	}
	return replayed;
}
