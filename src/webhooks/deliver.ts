import { folderOf, readManifest } from '../catalog/manifest.ts';
import { PicpipeError } from '../errors.ts';
import type { Resolve } from '../http/guard.ts';
import type { Logger } from '../observe/log.ts';
import { willRetry } from '../queue/retry.ts';
import { manifestKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import { isEndpointId, settingEndpoint } from './endpoint.ts';
import { disableEndpoint } from './endpoint-store.ts';
import { testEventType } from './event.ts';
import type { Attempt, DeliveryLog, DeliveryState } from './log.ts';
import { findMessage, giveUpMessage, type Message, removeMessage } from './outbox.ts';
import { type Receipt, sendMessage } from './send.ts';
import type { WebhookSettings } from './settings.ts';
import type { Target, Targets } from './targets.ts';

export interface DeliverContext {
	readonly storage: Storage;
	readonly settings: WebhookSettings;
	readonly targets: Targets;
	readonly deliveries: DeliveryLog;
	readonly log: Logger;
	/** Resolves host names; by default the system's resolver. */
	readonly resolve?: Resolve | undefined;
}

/** Result of a completed job; Arena shows it. */
export interface DeliverResult {
	/** `unwanted`: the endpoint was deleted, or the message was withdrawn. `disabled`: the message is kept for a replay. */
	readonly outcome: 'delivered' | 'unwanted' | 'disabled';
	readonly status?: number;
	readonly milliseconds?: number;
}

/**
 * Makes one attempt to deliver a message.
 *
 * @param attempt starts at 1
 * @param attempts after the last of these, the message is given up
 * @throws PicpipeError why the delivery failed, after the consequences were recorded
 */
export async function deliver(
	context: DeliverContext,
	{ endpoint, messageId }: { readonly endpoint: string; readonly messageId: string },
	attempt: number,
	attempts: number,
): Promise<DeliverResult> {
	const { storage } = context;
	const message = await findMessage(storage, endpoint, messageId);
	if (!message) return { outcome: 'unwanted' };
	const target = await context.targets.find(message);
	if (!target || (await isWithdrawn(storage, message)) || (await isUntrue(storage, message, attempt === attempts))) {
		await removeMessage(storage, message);
		return { outcome: 'unwanted' };
	}
	if (target.disabled) {
		await setAside(storage, message);
		await note(context, message, 'failed');
		return { outcome: 'disabled' };
	}

	const at = new Date().toISOString();
	const started = performance.now();
	const receipt = await sendMessage(message, target, context.settings, context.resolve);
	const milliseconds = Math.round(performance.now() - started);
	const { status, error } = receipt;
	const again = error !== undefined && willRetry(error, attempt, attempts);
	const { type, pictureId, batchId } = message;
	const log = context.log.child({ endpoint, messageId, type, pictureId, batchId, attempt });
	if (error) log.warn({ status, milliseconds, code: error.code, err: error, attempts, again }, 'webhook not delivered');
	else log.info({ status, milliseconds }, 'webhook delivered');

	if (!error) await removeMessage(storage, message);
	else if (!again) await giveUp(context, message, target, error);
	const state = error ? (again ? 'waiting' : 'failed') : 'delivered';
	await note(context, message, state, asAttempt(receipt, { number: attempt, at, milliseconds }));
	if (error) throw error;
	return { outcome: 'delivered', ...(status !== undefined && { status }), milliseconds };
}

/** The picture of a message about its end was deleted: nobody is told of it any more. */
async function isWithdrawn(storage: Storage, { type, pictureId }: Message): Promise<boolean> {
	if (type === 'picture.deleted' || pictureId === undefined) return false;
	return (await storage.stat(manifestKey(folderOf(pictureId)))) === undefined;
}

/** Sets a message aside, unless its picture was deleted in the meantime: the deletion may not have seen it there. */
async function setAside(storage: Storage, message: Message): Promise<void> {
	await giveUpMessage(storage, message);
	if (await isWithdrawn(storage, message)) await removeMessage(storage, message);
}

/**
 * Earlier versions announced a deletion before it happened. Before such a delivery this checks that it has happened.
 *
 * @param isLast whether no further attempt will check
 * @returns whether the deletion never happened
 */
async function isUntrue(storage: Storage, { type, pictureId }: Message, isLast: boolean): Promise<boolean> {
	if (type !== 'picture.deleted' || pictureId === undefined) return false;
	if (!(await readManifest(storage, pictureId))) return false;
	if (isLast) return true;
	throw new PicpipeError('picture-still-there');
}

/** Sets a message aside. Disables an endpoint that answered 410, or that accepted nothing for as long as this message was tried. */
async function giveUp(context: DeliverContext, message: Message, target: Target, error: PicpipeError): Promise<void> {
	const { storage, log } = context;
	const { endpoint } = message;
	await setAside(storage, message);
	// A test tells whether the endpoint works, and disables nothing.
	if (message.type === testEventType || (endpoint !== settingEndpoint && !isEndpointId(endpoint))) return;
	const isFailing = error.retryable && (await hasFailedThroughout(context.deliveries, message));
	const reason = error.code === 'webhook-gone' ? 'gone' : isFailing ? 'failing' : undefined;
	if (reason === undefined) return;
	await disableEndpoint(storage, endpoint, { at: new Date().toISOString(), reason, url: target.url });
	log.error({ endpoint, reason }, 'webhook endpoint disabled');
}

/** Has the endpoint accepted nothing since this message was first tried? False if unknown. */
async function hasFailedThroughout(deliveries: DeliveryLog, { endpoint, id }: Message): Promise<boolean> {
	try {
		const [since, delivery] = await Promise.all([deliveries.failingSince(endpoint), deliveries.read(endpoint, id)]);
		const [first] = delivery?.attempts ?? [];
		return since !== undefined && first !== undefined && since <= Date.parse(first.at);
	} catch {
		return false;
	}
}

/** Nothing depends on the log, so an error of the log fails nothing. */
async function note(context: DeliverContext, message: Message, state: DeliveryState, attempt?: Attempt): Promise<void> {
	await context.deliveries
		.note(message, state, attempt)
		.catch((err) => context.log.debug({ err, messageId: message.id }, 'delivery not written to the log'));
}

function asAttempt({ status, answer, error }: Receipt, made: Pick<Attempt, 'number' | 'at' | 'milliseconds'>): Attempt {
	return {
		...made,
		...(status !== undefined && { status }),
		...(answer !== undefined && { answer }),
		...(error && { error: { code: error.code, message: error.message } }),
	};
}
