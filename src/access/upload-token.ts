import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { maximumTags, tagPattern } from '../domain/labels.ts';
import { maximumPriority, urgentPriority } from '../domain/picture.ts';
import { namePattern } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';

/** Longest payload of a token, characters: a token has to fit into a URL. */
const longestPayload = 4_096;

/** `picpipe_upload_<grant>.<signature>`, both base64url. */
const tokenPattern = new RegExp(`^picpipe_upload_([A-Za-z0-9_-]{1,${longestPayload}})\\.([A-Za-z0-9_-]{43})$`);

/** Shortest lifetime of a token, seconds: an upload has to begin within it. */
export const shortestToken = 1;

/**
 * The rights of an upload token. The signed token contains them; they are stored nowhere else. The schema is strict, unlike those of stored
 * data: a field of a newer version may forbid something, and ignoring it would allow that.
 */
const grantSchema = z.strictObject({
	version: z.literal(1),
	/** Identifies the token, so that its uses can be counted. */
	id: z.string(),
	/** The caller who created it. Its limits apply, and the token ends with its key. */
	caller: z.string(),
	recipe: z.string().regex(namePattern),
	tags: z.array(z.string().regex(tagPattern)).max(maximumTags),
	/** Metadata of the pictures. A client with the token can add to it, and not change it. */
	meta: z.record(z.string(), z.string()).optional(),
	/** -1 for urgent. */
	priority: z.int().min(urgentPriority).max(maximumPriority),
	/** The batch that the pictures join. */
	batch: z.string().optional(),
	/** Largest file, bytes. */
	maxBytes: z.int().min(1),
	/** Number of pictures that can be uploaded with it in total. */
	maxPictures: z.int().min(1),
	/** Time after which uploads can no longer begin, seconds since 1970. */
	expires: z.int(),
});
export type UploadGrant = z.infer<typeof grantSchema>;

export function isUploadToken(text: string): boolean {
	return text.startsWith('picpipe_upload_');
}

/**
 * @param secret of the caller who creates it
 * @throws PicpipeError `invalid-field` if tags and metadata are too long for a token
 */
export function signUploadToken(wishes: Omit<UploadGrant, 'version' | 'id'>, secret: Buffer): string {
	const grant: UploadGrant = { version: 1, id: randomBytes(12).toString('base64url'), ...wishes };
	const payload = Buffer.from(JSON.stringify(grantSchema.parse(grant))).toString('base64url');
	if (payload.length > longestPayload) {
		throw new PicpipeError(
			'invalid-field',
			`Expected tags and meta that fit into an upload token of ${longestPayload} characters but they need ${payload.length}.`,
		);
	}
	return `picpipe_upload_${payload}.${sign(payload, secret)}`;
}

/**
 * The rights of a token, if its signature is valid and it has not expired.
 *
 * @param callerOf returns the caller with this id, or undefined if it no longer exists
 * @param mayHaveEnded accept an expired token, to resume an upload that began in time
 * @throws PicpipeError `invalid-upload-token`; the message never repeats the token
 */
export async function readUploadToken<T extends { readonly signingSecret: Buffer }>(
	text: string,
	callerOf: (id: string) => Promise<T | undefined>,
	mayHaveEnded = false,
): Promise<{ grant: UploadGrant; caller: T }> {
	const [, payload = '', signature = ''] = tokenPattern.exec(text) ?? [];
	const grant = parsePayload(payload);
	const caller = grant && (await callerOf(grant.caller));
	// The token's own claim only selects the secret that it is checked with.
	const isSigned = caller && isSame(sign(payload, caller.signingSecret), signature);
	if (!grant || !caller || !isSigned) {
		throw new PicpipeError(
			'invalid-upload-token',
			'Expected an unchanged upload token of `POST /v1/upload-tokens` whose key is still valid.',
		);
	}
	if (!mayHaveEnded && grant.expires * 1_000 <= Date.now()) {
		throw new PicpipeError(
			'invalid-upload-token',
			`The upload token expired at ${new Date(grant.expires * 1_000).toISOString()}.`,
		);
	}
	return { grant, caller };
}

function sign(payload: string, secret: Buffer): string {
	return createHmac('sha256', secret).update(payload).digest('base64url');
}

/** Compares the texts, so that a signature has one spelling. Takes the same time for any signature of the right length. */
function isSame(expected: string, received: string): boolean {
	return expected.length === received.length && timingSafeEqual(Buffer.from(expected), Buffer.from(received));
}

/** Parsed before the signature is checked, to find the signer; so it is treated as untrusted input. */
function parsePayload(payload: string): UploadGrant | undefined {
	try {
		return grantSchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString())).data;
	} catch {
		return undefined;
	}
}
