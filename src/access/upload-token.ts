import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { maximumPriority, maximumTags, tagPattern } from '../domain/picture.ts';
import { namePattern } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';

/** `picpipe_upload_<what it allows>.<signature>`, both base64url. */
const tokenPattern = /^picpipe_upload_([A-Za-z0-9_-]{1,4096})\.([A-Za-z0-9_-]{43})$/;

/** Shortest life of a token, seconds: an upload has to begin in it. */
export const shortestToken = 1;

/**
 * What an upload token allows. It stands in the token, signed, and is kept nowhere else. Strict, unlike what is stored: a field of a
 * newer version may forbid something, and who reads over it would allow that.
 */
const grantSchema = z.strictObject({
	version: z.literal(1),
	/** So that its uses can be counted. */
	id: z.string(),
	/** The caller who made it; its limits count, and it ends with that key. */
	caller: z.string(),
	recipe: z.string().regex(namePattern),
	tags: z.array(z.string().regex(tagPattern)).max(maximumTags),
	priority: z.int().min(0).max(maximumPriority),
	/** The batch that pictures belong to. */
	batch: z.string().optional(),
	/** Largest file, bytes. */
	maxBytes: z.int().min(1),
	/** Pictures that may be uploaded with it, in all. */
	maxPictures: z.int().min(1),
	/** Seconds since 1970 at which uploads may no longer begin. */
	expires: z.int(),
});
export type UploadGrant = z.infer<typeof grantSchema>;

export function isUploadToken(text: string): boolean {
	return text.startsWith('picpipe_upload_');
}

/** @param secret of the caller who makes it */
export function signUploadToken(wishes: Omit<UploadGrant, 'version' | 'id'>, secret: Buffer): string {
	const grant: UploadGrant = { version: 1, id: randomBytes(12).toString('base64url'), ...wishes };
	const payload = Buffer.from(JSON.stringify(grantSchema.parse(grant))).toString('base64url');
	return `picpipe_upload_${payload}.${sign(payload, secret).toString('base64url')}`;
}

/**
 * What a token allows, when it is one of ours and has not ended.
 *
 * @param callerOf the secret of a caller, or undefined when there is none of that id any more
 * @param mayHaveEnded for going on with an upload that began in time
 * @throws PicpipeError `invalid-upload-token`; its sentence never repeats the token
 */
export async function readUploadToken<T extends { readonly signingSecret: Buffer }>(
	text: string,
	callerOf: (id: string) => Promise<T | undefined>,
	mayHaveEnded = false,
): Promise<{ grant: UploadGrant; caller: T }> {
	const [, payload = '', signature = ''] = tokenPattern.exec(text) ?? [];
	const grant = parsePayload(payload);
	const caller = grant && (await callerOf(grant.caller));
	// Whose token it says it is decides only with which secret it is checked.
	const isSigned = caller && timingSafeEqual(sign(payload, caller.signingSecret), Buffer.from(signature, 'base64url'));
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

function sign(payload: string, secret: Buffer): Buffer {
	return createHmac('sha256', secret).update(payload).digest();
}

/** Read before the signature is checked, to know who signed; so it is checked as what it is, a stranger's text. */
function parsePayload(payload: string): UploadGrant | undefined {
	try {
		return grantSchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString())).data;
	} catch {
		return undefined;
	}
}
