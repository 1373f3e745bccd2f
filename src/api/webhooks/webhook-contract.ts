import * as z from 'zod';
import { isWebhookSecret } from '../../config/webhooks.ts';
import { shownUrl } from '../../domain/picture.ts';
import { knownPart } from '../../domain/stored.ts';
import { type Disabled, type EndpointRecord, maximumDescription } from '../../webhooks/endpoint.ts';
import { eventTypes } from '../../webhooks/event.ts';
import { attemptSchema, type Delivery, deliveryStates } from '../../webhooks/log.ts';
import { publicKeyOf } from '../../webhooks/signature.ts';
import { cursorOfNumber, webhookUrl, wholeNumber } from '../contract.ts';

/** Requests and responses about webhooks. */

const secret = z.string().refine(isWebhookSecret, 'expected whsec_ and 24 to 64 bytes in base64').optional().meta({
	description: 'Signing secret, `whsec_` and 24 to 64 bytes in base64; generated when absent.',
	writeOnly: true,
});

export const createWebhookSchema = z.strictObject({
	url: webhookUrl.describe('URL of the endpoint. The `PICPIPE_WEBHOOK_*` settings limit the allowed URLs.'),
	events: z.array(z.enum(eventTypes)).min(1).optional().describe('Event types to subscribe to; all when absent.'),
	description: z.string().max(maximumDescription).optional().describe('A description to recognise the endpoint by.'),
	secret,
});

/** Longest time that an old secret keeps signing, seconds. */
const longestOverlap = 30 * 24 * 60 * 60;

export const rotateSecretSchema = z.strictObject({
	secret,
	keepOldFor: z
		.int()
		.min(0)
		.max(longestOverlap)
		.default(24 * 60 * 60)
		.describe('Seconds for which the old secrets keep signing beside the new one.'),
});

export const deliveriesQuerySchema = z.strictObject({
	state: z.enum(deliveryStates).optional().describe('Only deliveries in this state.'),
	limit: wholeNumber(1, 200).default(50).describe('Number of deliveries per page.'),
	cursor: cursorOfNumber.optional().describe('`next` of the previous page.'),
});

export const replayBodySchema = z.strictObject({
	limit: z.int().min(1).max(10_000).default(1_000).describe('Number of messages delivered again by one call.'),
});

/** An endpoint in storage, or the one of the configuration. */
export type Endpoint = Pick<EndpointRecord, 'id' | 'url'> &
	Partial<Omit<EndpointRecord, 'signingKeys'>> & {
		readonly signingKeys?:
			| readonly { readonly privateKey: string; createdAt?: string; expiresAt?: string | undefined }[]
			| undefined;
	};

/** An endpoint as the API shows it: without its secrets, and without the parts of its URL that may be secret. */
export function endpointView(
	record: Endpoint,
	{ disabled, failingSince }: { readonly disabled?: Disabled | undefined; readonly failingSince?: number | undefined },
) {
	const { id, url, description, events, secrets, signingKeys, createdAt, updatedAt } = record;
	const self = `/v1/webhooks/${id}`;
	return {
		id,
		url: shownUrl(url),
		description,
		events: events ?? eventTypes,
		state: disabled ? 'disabled' : 'enabled',
		...(disabled && { disabled: { at: disabled.at, reason: disabled.reason } }),
		...(failingSince !== undefined && { failingSince: new Date(failingSince).toISOString() }),
		secrets: secrets?.map(({ createdAt, expiresAt }) => ({ createdAt, expiresAt })),
		publicKeys: signingKeys?.map(({ privateKey, createdAt, expiresAt }) => ({
			publicKey: publicKeyOf(privateKey),
			createdAt,
			expiresAt,
		})),
		createdAt,
		updatedAt,
		links: { self, deliveries: `${self}/deliveries` },
	};
}

/** A delivery as the API shows it. @param jobUrl URL of its job in Arena */
export function deliveryView({ message, state, attempts }: Delivery, jobUrl: string) {
	const { id, type, timestamp, pictureId, batchId, endpoint, url, queuedAt } = message;
	const self = `/v1/webhooks/${endpoint}/deliveries/${id}`;
	return {
		id,
		type,
		timestamp,
		pictureId,
		batchId,
		...(url !== undefined && { url: shownUrl(url) }),
		state,
		queuedAt,
		attempts: attempts.map((attempt) => knownPart(attemptSchema, attempt)),
		links: { self, replay: `${self}/replay`, job: jobUrl },
	};
}
