import { PicpipeError } from '../errors.ts';
import { messageKey } from '../storage/keys.ts';
import type { DeliveryLog } from './log.ts';
import { findMessage, listMessages, type Message, putMessage } from './outbox.ts';
import { type PublishDeps, queueDelivery } from './publish.ts';

type ReplayDeps = PublishDeps & { readonly deliveries: DeliveryLog };

/** A message that is still undelivered or in the log. Undefined when there is none. */
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
	const target = await deps.targets.find(message);
	if (!target || target.disabled) throw new PicpipeError('webhook-disabled', 'Expected an endpoint that is enabled.');
	if (!(await deps.queues.forgetDelivery({ endpoint, messageId: id }))) throw new PicpipeError('delivery-busy');
	const again = { ...message, queuedAt: new Date().toISOString() };
	await putMessage(deps.storage, again);
	await deps.storage.delete(messageKey('failed', endpoint, id));
	await queueDelivery(deps, again);
	await deps.deliveries.note(again, 'waiting');
	return again;
}

/**
 * Delivers again every message that could not be delivered to an endpoint.
 *
 * @param limit maximum number of messages
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
