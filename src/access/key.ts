import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { typeidUnboxed } from 'typeid-js';
import * as z from 'zod';
import { namePattern } from '../domain/recipe.ts';
import { stored, storedWord } from '../domain/stored.ts';
import { keyLimitsSchema, scopes, wishedLimitsSchema } from './key-rights.ts';

/** Version of a record's shape; a reader refuses any other. */
const recordVersion = 1;

/** A TypeID, as of pictures. */
const keyIdPattern = /^key_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/;
/** What a person carries: `picpipe_<id>_<secret>`, the secret 256 bits in base64url. The fixed beginning is for scanners that look for leaked keys. */
const keyTextPattern = /^picpipe_([0-7][0-9abcdefghjkmnpqrstvwxyz]{25})_([A-Za-z0-9_-]{43})$/;

/** Bytes of a secret: beyond all guessing, so its plain SHA-256 is as good as a slow hash. */
const secretBytes = 32;

/** Characters of a name that can be shown on one line. */
const maximumName = 100;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** An API key as the storage keeps it. Written once and never changed. */
export const keyRecordSchema = stored({
	version: z.literal(recordVersion),
	id: z.string().regex(keyIdPattern),
	/** For people. */
	name: z
		.string()
		.min(1)
		.max(maximumName)
		.regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u),
	/** Of the secret. The secret itself is kept nowhere. */
	sha256: digest,
	scopes: z.array(storedWord(scopes)).min(1),
	/** Names of the recipes that it may use; all when absent. */
	recipes: z.array(z.string().regex(namePattern)).min(1).optional(),
	limits: keyLimitsSchema,
	/** Signs the upload tokens that are made with this key, hexadecimal. */
	signingSecret: digest,
	createdAt: z.iso.datetime(),
	revokedAt: z.iso.datetime().optional(),
});
export type KeyRecord = z.infer<typeof keyRecordSchema>;

/** What of a new key nobody may ask for who does not know it. */
const wishesSchema = z.object({ scopes: z.array(z.enum(scopes)), limits: wishedLimitsSchema });

/** What whoever makes a key decides. */
export type KeyWishes = Pick<KeyRecord, 'name' | 'scopes' | 'recipes' | 'limits'>;

/** @returns the record to keep, and the key's text, which can't be had again */
export function makeKey(wishes: KeyWishes): { record: KeyRecord; text: string } {
	wishesSchema.parse(wishes);
	const id = typeidUnboxed('key');
	const secret = randomBytes(secretBytes).toString('base64url');
	const record = keyRecordSchema.parse({
		version: recordVersion,
		id,
		...wishes,
		sha256: sha256(secret).toString('hex'),
		signingSecret: randomBytes(secretBytes).toString('hex'),
		createdAt: new Date().toISOString(),
	});
	return { record, text: `picpipe_${id.slice('key_'.length)}_${secret}` };
}

/** The parts of a key's text, or undefined for a text that can't be one of ours. */
export function readKeyText(text: string): { id: string; secret: string } | undefined {
	const [, suffix, secret] = keyTextPattern.exec(text) ?? [];
	return suffix === undefined || secret === undefined ? undefined : { id: `key_${suffix}`, secret };
}

/** Takes the same time whatever the secret is. The id beside it is none: logs and lists show it. */
export function isSecretOf(record: KeyRecord, secret: string): boolean {
	return timingSafeEqual(Buffer.from(record.sha256, 'hex'), sha256(secret));
}

/** @throws Error when the text is no record that this version can read */
export function parseKeyRecord(json: string): KeyRecord {
	return keyRecordSchema.parse(JSON.parse(json));
}

/** Digests are of one length, as `timingSafeEqual` needs, and hide that of what was sent. */
export function sha256(text: string): Buffer {
	return createHash('sha256').update(text).digest();
}
