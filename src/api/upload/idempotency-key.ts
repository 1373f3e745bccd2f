import { PicpipeError } from '../../errors.ts';

/** Longest key, characters. */
export const maximumIdempotencyKey = 255;

/** A String of a structured field (RFC 9651, 3.3.3), with optional parameters. */
const quoted = /^"((?:[ !#-[\]-~]|\\["\\])*)"(?: *;.*)?$/;
/** Many clients send the key without quotes. Characters that could belong to a list, parameters or quotes are not allowed. */
const bare = /^[!#-+\--:<-[\]-~]+$/;

/**
 * The key in an `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header-07). A key without quotes is the same key.
 *
 * @throws PicpipeError `invalid-idempotency-key`
 * @example
 * parseIdempotencyKey('"8e03978e-40d5-43dd-bc93-6894a57f9324"'); // '8e03978e-40d5-43dd-bc93-6894a57f9324'
 */
export function parseIdempotencyKey(header: string): string {
	const text = header.trim();
	const key = quoted.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1') ?? bare.exec(text)?.[0];
	if (!key || key.length > maximumIdempotencyKey) {
		throw new PicpipeError(
			'invalid-idempotency-key',
			`Expected one string of 1 to ${maximumIdempotencyKey} visible ASCII characters in double quotes for Idempotency-Key but received ${JSON.stringify(text.slice(0, 80))}.`,
		);
	}
	return key;
}
