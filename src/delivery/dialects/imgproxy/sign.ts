import { createHmac, timingSafeEqual } from 'node:crypto';

/** A key and a salt: secrets shared with the programs that make URLs. */
export interface KeyPair {
	readonly key: Buffer;
	readonly salt: Buffer;
}

/**
 * Signature of a URL: HMAC-SHA256 of salt and path, URL-safe base64 without padding.
 *
 * @param path the part after the signature as written in the URL, with its leading slash
 * @see https://docs.imgproxy.net/usage/signing_url
 */
export function signImgproxy(path: string, { key, salt }: KeyPair): string {
	return createHmac('sha256', key).update(salt).update(path).digest('base64url');
}

/**
 * Whether one of the pairs made the signature. Its text is compared, so that no other spelling of the same bytes is accepted, and every pair is
 * tried, so that the time reveals nothing.
 *
 * @param signature untrusted text
 */
export function isSignedBy(path: string, signature: string, pairs: readonly KeyPair[]): boolean {
	const given = Buffer.from(signature);
	let isSigned = false;
	for (const pair of pairs) {
		const made = Buffer.from(signImgproxy(path, pair));
		if (given.length === made.length && timingSafeEqual(given, made)) isSigned = true;
	}
	return isSigned;
}
