import { randomBytes } from 'node:crypto';
import { typeidUnboxed } from 'typeid-js';
import * as z from 'zod';
import { isSigningKey, isWebhookSecret, maximumWebhookSecrets } from '../config/webhooks.ts';
import { stored, storedWord } from '../domain/stored.ts';
import { eventTypes } from './event.ts';
import { newSigningKey } from './signature.ts';

/** Endpoints: those in storage, and two that are not. */

/** The endpoint of `PICPIPE_WEBHOOK_URL`. */
export const settingEndpoint = 'setting';
/** Stands for all URLs that uploads name as their `webhook`. */
export const pictureEndpoint = 'picture';

const endpointIdPattern = /^hook_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/;

/** Most endpoints: every event is checked against each of them. */
export const maximumEndpoints = 100;
/** Bytes of a generated secret: 256 bits. */
const secretBytes = 32;
/** Longest description, in characters. */
export const maximumDescription = 200;

const secretSchema = stored({
	/** `whsec_...`. Stored in plain form, because signing needs the secret itself. */
	secret: z.string().refine(isWebhookSecret),
	createdAt: z.iso.datetime(),
	/** When it stops signing; absent for the newest secret. */
	expiresAt: z.iso.datetime().optional(),
});

const signingKeySchema = stored({
	/** `whsk_...` */
	privateKey: z.string().refine(isSigningKey),
	createdAt: z.iso.datetime(),
	/** When it stops signing; absent for the newest key. */
	expiresAt: z.iso.datetime().optional(),
});

const endpointSchema = stored({
	version: z.literal(1),
	id: z.string().regex(endpointIdPattern),
	url: z.string(),
	description: z.string().max(maximumDescription).optional(),
	/** Event types that it subscribes to; all if absent. */
	events: z.array(storedWord(eventTypes)).min(1).optional(),
	/** Newest first. */
	secrets: z.array(secretSchema).min(1).max(maximumWebhookSecrets),
	/** Newest first. Absent for an endpoint of an earlier version until its secret is rotated. */
	signingKeys: z.array(signingKeySchema).max(maximumWebhookSecrets).optional(),
	createdAt: z.iso.datetime(),
	updatedAt: z.iso.datetime(),
});
/** An endpoint as stored. */
export type EndpointRecord = z.infer<typeof endpointSchema>;

/** Why an endpoint receives nothing for now: it answered 410, it accepted nothing for a whole retry schedule, or a client disabled it. */
const disabledReasons = ['gone', 'failing', 'asked'] as const;

const disabledSchema = stored({
	version: z.literal(1),
	at: z.iso.datetime(),
	reason: storedWord(disabledReasons),
	/** The URL that was disabled. If the configuration names another URL, its endpoint is enabled again. */
	url: z.string(),
});
export type Disabled = z.infer<typeof disabledSchema>;

export function isEndpointId(text: string): boolean {
	return endpointIdPattern.test(text);
}

export function newSecret(): string {
	return `whsec_${randomBytes(secretBytes).toString('base64')}`;
}

/** A new endpoint. @param secret generated if undefined */
export function makeEndpoint(
	wishes: Pick<EndpointRecord, 'url' | 'description' | 'events'>,
	secret = newSecret(),
): EndpointRecord {
	const createdAt = new Date().toISOString();
	const record = { version: 1 as const, id: typeidUnboxed('hook'), ...wishes, createdAt, updatedAt: createdAt };
	const signingKeys = [{ privateKey: newSigningKey(), createdAt }];
	return endpointSchema.parse({ ...record, secrets: [{ secret, createdAt }], signingKeys });
}

/** The endpoint with a new secret and a new key pair. The earlier ones also sign for some time. @param seconds how long */
export function withNewSecret(record: EndpointRecord, secret: string, seconds: number): EndpointRecord {
	const now = Date.now();
	const [createdAt, end] = [now, now + seconds * 1_000].map((time) => new Date(time).toISOString()) as [string, string];
	const before = <T extends Expiring>(list: readonly T[]): T[] =>
		list
			.filter((one) => isGood(one, now))
			.map((one) => ({ ...one, expiresAt: one.expiresAt && one.expiresAt < end ? one.expiresAt : end }))
			.filter((one) => isGood(one, now));
	const earlier = before(record.secrets.filter((one) => one.secret !== secret));
	return {
		...record,
		secrets: [{ secret, createdAt }, ...earlier].slice(0, maximumWebhookSecrets),
		signingKeys: [{ privateKey: newSigningKey(), createdAt }, ...before(record.signingKeys ?? [])].slice(
			0,
			maximumWebhookSecrets,
		),
		updatedAt: createdAt,
	};
}

/** The secrets that sign at this time. */
export function signingSecrets({ secrets }: EndpointRecord, now = Date.now()): string[] {
	return secrets.filter((one) => isGood(one, now)).map(({ secret }) => secret);
}

/** The private keys that sign at this time. */
export function signingKeys({ signingKeys = [] }: EndpointRecord, now = Date.now()): string[] {
	return signingKeys.filter((one) => isGood(one, now)).map(({ privateKey }) => privateKey);
}

interface Expiring {
	readonly expiresAt?: string | undefined;
}

function isGood({ expiresAt }: Expiring, now: number): boolean {
	return expiresAt === undefined || Date.parse(expiresAt) > now;
}

/** @throws Error if this version cannot read the record */
export function parseEndpoint(json: string): EndpointRecord {
	return endpointSchema.parse(JSON.parse(json));
}

/** @throws Error if this version cannot read the record */
export function parseDisabled(json: string): Disabled {
	return disabledSchema.parse(JSON.parse(json));
}
