import { createHash, timingSafeEqual } from 'node:crypto';

/** How a URL is signed: `short` is the default of Cloudinary's SDKs, `long` their `long_url_signature`. */
export type SignatureKind = 'short' | 'long';

/** Base64url characters of the digest that are used: 48 or 192 bits. */
const kinds = { short: { digest: 'sha1', characters: 8 }, long: { digest: 'sha256', characters: 32 } } as const;

/** The signature part of a URL. */
export const signaturePattern = /^s--(?:[A-Za-z0-9_-]{8}|[A-Za-z0-9_-]{32})--$/;

/**
 * Creates the part `s--…--` of a URL.
 *
 * @param signedText the rest of the URL without the version: transformations and source
 * @example signCloudinary('w_300/pic_01h455vb4pex5vsknk084sn02q.jpg', secret)
 */
export function signCloudinary(signedText: string, secret: string, kind: SignatureKind = 'short'): string {
	const { digest, characters } = kinds[kind];
	const made = createHash(digest).update(signedText).update(secret).digest('base64url');
	return `s--${made.slice(0, characters)}--`;
}

/**
 * Did one of the secrets make the signature? Takes the same time for each secret. A URL without a signature is never valid.
 */
export function isSignedWith(
	{ signature, signedText }: { readonly signature?: string; readonly signedText: string },
	secrets: readonly string[],
): boolean {
	if (signature === undefined || !signaturePattern.test(signature)) return false;
	const kind: SignatureKind =
		signature.length === 's--'.length + kinds.long.characters + '--'.length ? 'long' : 'short';
	const received = Buffer.from(signature);
	// The SDKs sign spaces before encoding them as %20; in text layers, all but those of the style are signed after encoding. A URL contains
	// spaces in no other form, so both signatures mean the same URL.
	const spaced = (text: string) => text.replaceAll('%20', ' ');
	const texts = [signedText, spaced(signedText), signedText.replaceAll(/l_text:[^:]*/g, spaced)];
	let isGood = false;
	for (const secret of secrets) {
		for (const text of texts) {
			const expected = Buffer.from(signCloudinary(text, secret, kind));
			// An empty secret never counts.
			if (timingSafeEqual(received, expected) && secret !== '') isGood = true;
		}
	}
	return isGood;
}
