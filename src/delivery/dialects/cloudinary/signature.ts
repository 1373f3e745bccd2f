import { createHash, timingSafeEqual } from 'node:crypto';

/** How a URL is signed: `short` is the default of Cloudinary's SDKs, `long` their `long_url_signature`. */
export type SignatureKind = 'short' | 'long';

/** Characters of base64url that are kept of the digest: 48 bits, or 192. */
const kinds = { short: { digest: 'sha1', characters: 8 }, long: { digest: 'sha256', characters: 32 } } as const;

/** What a signature looks like in a URL. */
export const signaturePattern = /^s--(?:[A-Za-z0-9_-]{8}|[A-Za-z0-9_-]{32})--$/;

/**
 * The part `s--…--` of a URL, as Cloudinary makes it.
 *
 * @param signedText what follows in the URL, without the version: transformations and what they are done to
 * @example signCloudinary('w_300/pic_01h455vb4pex5vsknk084sn02q.jpg', secret)
 */
export function signCloudinary(signedText: string, secret: string, kind: SignatureKind = 'short'): string {
	const { digest, characters } = kinds[kind];
	const made = createHash(digest).update(signedText).update(secret).digest('base64url');
	return `s--${made.slice(0, characters)}--`;
}

/**
 * Whether one of the secrets made the signature. Takes as long whichever it was; a URL without a signature has none that is good.
 */
export function isSignedWith(
	{ signature, signedText }: { readonly signature?: string; readonly signedText: string },
	secrets: readonly string[],
): boolean {
	if (signature === undefined || !signaturePattern.test(signature)) return false;
	const kind: SignatureKind =
		signature.length === 's--'.length + kinds.long.characters + '--'.length ? 'long' : 'short';
	const received = Buffer.from(signature);
	// The SDKs sign spaces before they become %20, in a text all but those of its style after that. A URL can't hold a space
	// otherwise, so that all of these mean the same.
	const spaced = (text: string) => text.replaceAll('%20', ' ');
	const texts = [signedText, spaced(signedText), signedText.replaceAll(/l_text:[^:]*/g, spaced)];
	let isGood = false;
	for (const secret of secrets) {
		for (const text of texts) {
			const expected = Buffer.from(signCloudinary(text, secret, kind));
			// A secret that is empty is no secret.
			if (timingSafeEqual(received, expected) && secret !== '') isGood = true;
		}
	}
	return isGood;
}
