import type { Request, RequestHandler, Response } from 'express';
import { PicpipeError } from '../../errors.ts';
import { arenaJobPath, deliverJobId } from '../../queue/jobs.ts';
import { pictureEndpoint, settingEndpoint } from '../../webhooks/endpoint.ts';
import { readEndpoint } from '../../webhooks/endpoint-store.ts';
import { isEventId } from '../../webhooks/event.ts';
import type { Delivery } from '../../webhooks/log.ts';
import { findDelivered, replay, replayFailed, sendTest } from '../../webhooks/publish.ts';
import type { ApiContext } from '../context.ts';
import { parse } from '../contract.ts';
import { arenaOf } from '../picture-view.ts';
import { deliveriesQuerySchema, deliveryView, replayBodySchema } from './webhook-contract.ts';

/** `GET /v1/webhooks/{id}/deliveries` */
export function listDeliveries(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const endpoint = await endpointOf(context, request);
		const { cursor = 0, ...query } = parse(deliveriesQuerySchema, request.query);
		const { deliveries, next } = await context.webhooks.deliveries.list(endpoint, { ...query, skip: cursor });
		response.json({ deliveries: deliveries.map(viewOf(context, request)), ...(next && { next }) });
	};
}

/** `GET /v1/webhooks/{id}/deliveries/{delivery}`: includes the message's body */
export function getDelivery(context: ApiContext): RequestHandler {
	return withDelivery(context, (delivery, request, response) => {
		const body: unknown = JSON.parse(delivery.message.body);
		response.json({ ...viewOf(context, request)(delivery), body });
	});
}

/** `POST /v1/webhooks/{id}/deliveries/{delivery}/replay` */
export function replayDelivery(context: ApiContext): RequestHandler {
	return withDelivery(context, async ({ message, attempts }, request, response) => {
		const again = await replay(context.webhooks, message);
		const { id: messageId, endpoint } = again;
		response.locals.log.info({ messageId, endpoint }, 'webhook replayed');
		response.status(202).json(viewOf(context, request)({ message: again, state: 'waiting', attempts }));
	});
}

/** `POST /v1/webhooks/{id}/replay`: replays every message that was given up */
export function replayDeliveries(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const endpoint = await endpointOf(context, request);
		const { limit } = parse(replayBodySchema, request.body ?? {});
		const replayed = await replayFailed(context.webhooks, endpoint, limit);
		response.locals.log.info({ endpoint, replayed }, 'webhooks replayed');
		response.status(202).json({ replayed });
	};
}

/** `POST /v1/webhooks/{id}/test`: the response is the delivery, which waits; its URL shows the outcome */
export function testWebhook(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const endpoint = await endpointOf(context, request);
		const { settings } = context.webhooks;
		// It stands for many URLs, or for none.
		if (endpoint === pictureEndpoint || (endpoint === settingEndpoint && settings.url === undefined))
			throw new PicpipeError('webhook-not-found');
		const message = await sendTest(context.webhooks, endpoint, response.locals.requestId);
		response.locals.log.info({ messageId: message.id, endpoint }, 'webhook test sent');
		const view = viewOf(context, request)({ message, state: 'waiting', attempts: [] });
		response.status(202).location(view.links.self).json(view);
	};
}

/** @throws PicpipeError `webhook-not-found` */
async function endpointOf({ storage }: ApiContext, request: Request): Promise<string> {
	const id = String(request.params.id);
	// The two endpoints that are not in storage have deliveries, whatever the current configuration says.
	if (id === settingEndpoint || id === pictureEndpoint || (await readEndpoint(storage, id))) return id;
	throw new PicpipeError('webhook-not-found');
}

function withDelivery(
	context: ApiContext,
	handler: (delivery: Delivery, request: Request, response: Response) => Promise<void> | void,
): RequestHandler {
	return async (request, response) => {
		const endpoint = await endpointOf(context, request);
		const id = String(request.params.delivery);
		const delivery = isEventId(id) ? await findDelivery(context, endpoint, id) : undefined;
		if (!delivery) throw new PicpipeError('delivery-not-found');
		await handler(delivery, request, response);
	};
}

/** The log may have lost it, but storage still has undelivered messages. */
async function findDelivery({ webhooks }: ApiContext, endpoint: string, id: string): Promise<Delivery | undefined> {
	const logged = await webhooks.deliveries.read(endpoint, id);
	if (logged) return logged;
	const message = await findDelivered(webhooks, endpoint, id);
	return message && { message, state: 'waiting', attempts: [] };
}

function viewOf(context: ApiContext, request: Request) {
	const arena = arenaOf(context, request);
	return (delivery: Delivery) => {
		const { endpoint, id } = delivery.message;
		return deliveryView(delivery, arena + arenaJobPath('webhooks', deliverJobId({ endpoint, messageId: id })));
	};
}
