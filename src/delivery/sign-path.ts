import { PicpipeError } from '../errors.ts';
import { type KeyPair, signImgproxy } from './dialects/imgproxy/sign.ts';

/** Longest address that is served, characters, `/img` and the signature included. */
export const maximumUrlLength = 4_096;
/** What stands where the signature does in an address that has none. */
const unsigned = 'unsafe';

/** The path at the place where the api is reached. */
export function below(base: string, path: string): string {
	return base.replace(/\/+$/, '') + path;
}

/**
 * The path of an address: `/img`, the signature and what is signed. Loads little, so that other programs can use it too.
 *
 * @param path what is signed, its first slash too
 * @param pair none for an address without a signature
 * @throws PicpipeError `invalid-delivery-url` for a path that would not arrive as it was signed
 */
export function signPath(path: string, pair: KeyPair | undefined): string {
	// What clients rewrite or cut off, such as a space, "?", or "..", would be asked for under another path than the signed one.
	if (URL.parse(path, 'http://localhost')?.href !== `http://localhost${path}` || /[?#]/.test(path)) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected a path of characters that stay as they are in a URL but received ${JSON.stringify(path.slice(0, 200))}.`,
		);
	}
	const signed = `/img/${pair ? signImgproxy(path, pair) : unsigned}${path}`;
	if (signed.length > maximumUrlLength) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected an address of at most ${maximumUrlLength} characters but it would have ${signed.length}.`,
		);
	}
	return signed;
}
