import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { typeidUnboxed } from 'typeid-js';
import * as z from 'zod';
import { builtInOwners } from '../domain/picture.ts';
import { namePattern } from '../domain/recipe.ts';
import { stored, storedWord } from '../domain/stored.ts';
import { keyLimitsSchema, scopes, wishedLimitsSchema } from './key-rights.ts';

/** Version of the record's shape. Other versions are refused. */
const recordVersion = 1;

/** A TypeID, like a picture's id. */
const keyIdPattern = /^key_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/;
/**
 * The key that a person uses: `picpipe_<id>_<secret>`. The secret is 256 bits in base64url. The fixed prefix lets secret scanners find
 * leaked keys.
 */
const keyTextPattern = /^picpipe_([0-7][0-9abcdefghjkmnpqrstvwxyz]{25})_([A-Za-z0-9_-]{43})$/;

/** Bytes of a secret: impossible to guess, so a plain SHA-256 is as good as a slow hash. */
const secretBytes = 32;

/** Longest name, in characters; it must fit on one line. */
const maximumName = 100;

/** The group of a key. A key without one is a group of its own, named by its id. */
const groupPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;
/** The names that a group can have, for error messages. */
export const groupNames = `1 to 63 characters a to z, 0 to 9, _ and -, and none of ${Object.values(builtInOwners).join(', ')}`;

export function isGroupName(text: string): boolean {
	return groupPattern.test(text) && !Object.hasOwn(builtInOwners, text);
}

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** An API key as stored. Written once and never changed. */
export const keyRecordSchema = stored({
	version: z.literal(recordVersion),
	id: z.string().regex(keyIdPattern),
	/** A label for people. */
	name: z
		.string()
		.min(1)
		.max(maximumName)
		.regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u),
	/** Owns what the key uploads; the key's own id if absent. Keys of one group act for each other, so a new key can replace an old one. */
	group: z.string().refine(isGroupName).optional(),
	/** Digest of the secret. The secret itself is stored nowhere. */
	sha256: digest,
	scopes: z.array(storedWord(scopes)).min(1),
	/** Names of the allowed recipes; all if absent. */
	recipes: z.array(z.string().regex(namePattern)).min(1).optional(),
	limits: keyLimitsSchema,
	/** Signs the upload tokens of this key, hexadecimal. */
	signingSecret: digest,
	createdAt: z.iso.datetime(),
	revokedAt: z.iso.datetime().optional(),
});
export type KeyRecord = z.infer<typeof keyRecordSchema>;

/** The parts of a new key that need a check for unknown scopes and limits. */
const wishesSchema = z.object({ scopes: z.array(z.enum(scopes)), limits: wishedLimitsSchema });

/** The properties that the creator of a key chooses. */
export type KeyWishes = Pick<KeyRecord, 'name' | 'group' | 'scopes' | 'recipes' | 'limits'>;

/** @returns the record to store, and the key's text, which cannot be recovered later */
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

/** The owner of what a key uploads. */
export function groupOf({ id, group = id }: Pick<KeyRecord, 'id' | 'group'>): string {
	return group;
}

/** The parts of a key's text; undefined if the text is not a valid key. */
export function readKeyText(text: string): { id: string; secret: string } | undefined {
	const [, suffix, secret] = keyTextPattern.exec(text) ?? [];
	return suffix === undefined || secret === undefined ? undefined : { id: `key_${suffix}`, secret };
}

/** Takes the same time for any secret. The id is not secret: logs and lists show it. */
export function isSecretOf(record: KeyRecord, secret: string): boolean {
	return timingSafeEqual(Buffer.from(record.sha256, 'hex'), sha256(secret));
}

/** @throws Error if this version cannot read the record */
export function parseKeyRecord(json: string): KeyRecord {
	return keyRecordSchema.parse(JSON.parse(json));
}

/** Digests have equal lengths, as `timingSafeEqual` requires, and hide the length of the input. */
export function sha256(text: string): Buffer {
	return createHash('sha256').update(text).digest();
}
