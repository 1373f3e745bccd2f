import { randomBytes } from 'node:crypto';
import { typeidUnboxed } from 'typeid-js';
import * as z from 'zod';
import { isWebhookSecret, maximumWebhookSecrets } from '../config/webhooks.ts';
import { stored, storedWord } from '../domain/stored.ts';
import { eventTypes } from './event.ts';

/** Who is told: an endpoint in the storage, or one of the two that are not. */

/** The address of `PICPIPE_WEBHOOK_URL`. */
export const settingEndpoint = 'setting';
/** Stands for all addresses that uploads name as their `webhook`. */
export const pictureEndpoint = 'picture';

const endpointIdPattern = /^hook_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/;

/** Most endpoints: each is asked for every picture whether it wants to know. */
export const maximumEndpoints = 100;
/** Bytes of a secret that is made here: 256 bits. */
const secretBytes = 32;
/** Characters of a description. */
export const maximumDescription = 200;

const secretSchema = stored({
	/** `whsec_...`. Kept as it is, because a signature can't be made of less. */
	secret: z.string().refine(isWebhookSecret),
	createdAt: z.iso.datetime(),
	/** When it signs no more; absent of the newest. */
	expiresAt: z.iso.datetime().optional(),
});

const endpointSchema = stored({
	version: z.literal(1),
	id: z.string().regex(endpointIdPattern),
	url: z.string(),
	description: z.string().max(maximumDescription).optional(),
	/** What it is told of; everything when absent. */
	events: z.array(storedWord(eventTypes)).min(1).optional(),
	/** Newest first. */
	secrets: z.array(secretSchema).min(1).max(maximumWebhookSecrets),
	createdAt: z.iso.datetime(),
	updatedAt: z.iso.datetime(),
});
/** An endpoint as the storage keeps it. */
export type EndpointRecord = z.infer<typeof endpointSchema>;

/** Why an endpoint is told nothing for now: it said so (410), it took nothing for as long as is tried, or somebody asked for it. */
const disabledReasons = ['gone', 'failing', 'asked'] as const;

const disabledSchema = stored({
	version: z.literal(1),
	at: z.iso.datetime(),
	reason: storedWord(disabledReasons),
	/** The address that was meant: with another one, an endpoint of the settings is told again. */
	url: z.string(),
});
export type Disabled = z.infer<typeof disabledSchema>;

export function isEndpointId(text: string): boolean {
	return endpointIdPattern.test(text);
}

export function newSecret(): string {
	return `whsec_${randomBytes(secretBytes).toString('base64')}`;
}

/** A new endpoint. @param secret one is made when not given */
export function makeEndpoint(
	wishes: Pick<EndpointRecord, 'url' | 'description' | 'events'>,
	secret = newSecret(),
): EndpointRecord {
	const createdAt = new Date().toISOString();
	const record = { version: 1 as const, id: typeidUnboxed('hook'), ...wishes, createdAt, updatedAt: createdAt };
	return endpointSchema.parse({ ...record, secrets: [{ secret, createdAt }] });
}

/** The same endpoint with a new secret; those before it sign beside it for some time more. @param seconds how long */
export function withNewSecret(record: EndpointRecord, secret: string, seconds: number): EndpointRecord {
	const now = Date.now();
	const [createdAt, end] = [now, now + seconds * 1_000].map((time) => new Date(time).toISOString()) as [string, string];
	const before = record.secrets
		.filter((one) => one.secret !== secret && isGood(one, now))
		.map((one) => ({ ...one, expiresAt: one.expiresAt && one.expiresAt < end ? one.expiresAt : end }))
		.filter((one) => isGood(one, now));
	const secrets = [{ secret, createdAt }, ...before].slice(0, maximumWebhookSecrets);
	return { ...record, secrets, updatedAt: createdAt };
}

/** The secrets that sign now. */
export function signingSecrets({ secrets }: EndpointRecord, now = Date.now()): string[] {
	return secrets.filter((one) => isGood(one, now)).map(({ secret }) => secret);
}

function isGood({ expiresAt }: EndpointRecord['secrets'][number], now: number): boolean {
	return expiresAt === undefined || Date.parse(expiresAt) > now;
}

/** @throws Error when the text is no record that this version can read */
export function parseEndpoint(json: string): EndpointRecord {
	return endpointSchema.parse(JSON.parse(json));
}

/** @throws Error likewise */
export function parseDisabled(json: string): Disabled {
	return disabledSchema.parse(JSON.parse(json));
}
