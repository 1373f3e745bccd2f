import type { Request, RequestHandler, Response } from 'express';
import { PicpipeError } from '../../errors.ts';
import { checkUrl } from '../../http/guard.ts';
import {
	type EndpointRecord,
	makeEndpoint,
	maximumEndpoints,
	newSecret,
	pictureEndpoint,
	settingEndpoint,
	withNewSecret,
} from '../../webhooks/endpoint.ts';
import {
	disableEndpoint,
	enableEndpoint,
	listEndpoints,
	readDisabled,
	readEndpoint,
	removeEndpoint,
	writeEndpoint,
} from '../../webhooks/endpoint-store.ts';
import type { ApiContext } from '../context.ts';
import { parse } from '../contract.ts';
import { createWebhookSchema, type Endpoint, endpointView, rotateSecretSchema } from './webhook-contract.ts';

/** `POST /v1/webhooks`: only this response contains the secret */
export function createWebhook(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const { url, secret, ...wishes } = parse(createWebhookSchema, request.body ?? {});
		const { href } = checkUrl(url, context.webhooks.settings.rules);
		if ((await allEndpoints(context)).length >= maximumEndpoints) {
			throw new PicpipeError(
				'too-many-webhooks',
				`Expected at most ${maximumEndpoints} endpoints but there are that many already.`,
			);
		}
		const record = makeEndpoint({ url: href, ...wishes }, secret);
		await writeEndpoint(context.storage, record);
		response.locals.log.info({ endpoint: record.id }, 'webhook endpoint created');
		response.status(201).location(`/v1/webhooks/${record.id}`).set('Cache-Control', 'no-store');
		response.json({ ...(await viewOf(context, record)), secret: record.secrets[0]?.secret });
	};
}

/** `GET /v1/webhooks` */
export function listWebhooks(context: ApiContext): RequestHandler {
	return async (_request, response) => {
		const endpoints = [...settingOf(context), ...(await allEndpoints(context))];
		response.json({ webhooks: await Promise.all(endpoints.map((one) => viewOf(context, one))) });
	};
}

/** `GET /v1/webhooks/{id}` */
export function getWebhook(context: ApiContext): RequestHandler {
	return withEndpoint(context, async (endpoint, _request, response) => {
		response.json(await viewOf(context, endpoint));
	});
}

/** `DELETE /v1/webhooks/{id}`: also deletes its undelivered messages */
export function deleteWebhook(context: ApiContext): RequestHandler {
	return withRecord(context, async ({ id }, _request, response) => {
		await removeEndpoint(context.storage, id);
		await context.queues.deliveries
			.forgetEndpoint(id)
			.catch((err) => context.log.debug({ err }, 'deliveries not removed; they end by themselves'));
		await context.webhooks.deliveries
			.forget(id)
			.catch((err) => context.log.debug({ err }, 'delivery log not deleted; it expires'));
		response.locals.log.info({ endpoint: id }, 'webhook endpoint deleted');
		response.status(204).end();
	});
}

/** `POST /v1/webhooks/{id}/rotate-secret` */
export function rotateWebhookSecret(context: ApiContext): RequestHandler {
	return withRecord(context, async (record, request, response) => {
		const { secret = newSecret(), keepOldFor } = parse(rotateSecretSchema, request.body ?? {});
		const rotated = withNewSecret(record, secret, keepOldFor);
		await writeEndpoint(context.storage, rotated);
		response.locals.log.info({ endpoint: record.id, keepOldFor }, 'webhook secret rotated');
		response.set('Cache-Control', 'no-store').json({ ...(await viewOf(context, rotated)), secret });
	});
}

/** `POST /v1/webhooks/{id}/enable` */
export function enableWebhook(context: ApiContext): RequestHandler {
	return withEndpoint(context, async (endpoint, _request, response) => {
		await enableEndpoint(context.storage, endpoint.id);
		response.locals.log.info({ endpoint: endpoint.id }, 'webhook endpoint enabled');
		response.json(await viewOf(context, endpoint));
	});
}

/** `POST /v1/webhooks/{id}/disable` */
export function disableWebhook(context: ApiContext): RequestHandler {
	return withEndpoint(context, async (endpoint, _request, response) => {
		const { id, url } = endpoint;
		if (!(await readDisabled(context.storage, id)))
			await disableEndpoint(context.storage, id, { at: new Date().toISOString(), reason: 'asked', url });
		response.locals.log.info({ endpoint: id }, 'webhook endpoint disabled');
		response.json(await viewOf(context, endpoint));
	});
}

type Handler<T> = (found: T, request: Request, response: Response) => Promise<void>;

/** @throws PicpipeError `webhook-not-found` */
function withEndpoint(context: ApiContext, handler: Handler<Endpoint>): RequestHandler {
	return async (request, response) => {
		const id = String(request.params.id);
		const [setting] = settingOf(context);
		const found = id === settingEndpoint ? setting : await readEndpoint(context.storage, id);
		if (!found) throw new PicpipeError('webhook-not-found');
		await handler(found, request, response);
	};
}

/** @throws PicpipeError `webhook-not-found`, `webhook-fixed` */
function withRecord(context: ApiContext, handler: Handler<EndpointRecord>): RequestHandler {
	return async (request, response) => {
		const id = String(request.params.id);
		if (id === settingEndpoint || id === pictureEndpoint) {
			throw new PicpipeError(
				'webhook-fixed',
				'Expected an endpoint created with POST /v1/webhooks; PICPIPE_WEBHOOK_URL and PICPIPE_WEBHOOK_SECRETS define this one.',
			);
		}
		const record = await readEndpoint(context.storage, id);
		if (!record) throw new PicpipeError('webhook-not-found');
		await handler(record, request, response);
	};
}

function settingOf({ webhooks }: ApiContext): Endpoint[] {
	const { url, signingKeys } = webhooks.settings;
	return url === undefined
		? []
		: [{ id: settingEndpoint, url, signingKeys: signingKeys.map((privateKey) => ({ privateKey })) }];
}

function allEndpoints({ storage, log }: ApiContext): Promise<EndpointRecord[]> {
	return listEndpoints(storage, (key, err) => log.error({ err, key }, 'webhook endpoint cannot be read'));
}

async function viewOf(context: ApiContext, endpoint: Endpoint) {
	const [disabled, failingSince] = await Promise.all([
		readDisabled(context.storage, endpoint.id),
		// Unknown while Redis is away.
		context.webhooks.deliveries.failingSince(endpoint.id).catch(() => undefined),
	]);
	return endpointView(endpoint, { disabled: disabled?.url === endpoint.url ? disabled : undefined, failingSince });
}
