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
	return digest(path, { key, salt }).toString('base64url');
}

function digest(path: string, { key, salt }: KeyPair): Buffer {
	return createHmac('sha256', key).update(salt).update(path).digest();
}

/**
 * Did one of the pairs make the signature? All 32 bytes count, and every pair is checked, so that the time reveals nothing.
 *
 * @param signature untrusted text
 */
export function isSignedBy(path: string, signature: string, pairs: readonly KeyPair[]): boolean {
	const given = Buffer.from(/^[\w-]{43}=?$/.test(signature) ? signature : '', 'base64url');
	let isSigned = false;
	for (const pair of pairs) {
		const made = digest(path, pair);
		if (given.length === made.length && timingSafeEqual(given, made)) isSigned = true;
	}
	return isSigned;
}
