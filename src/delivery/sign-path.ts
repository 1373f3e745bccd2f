import { PicpipeError } from '../errors.ts';
import { type KeyPair, signImgproxy } from './dialects/imgproxy/sign.ts';

/** Longest path of a served URL, in characters, including its prefix and the signature. */
export const maximumUrlLength = 4_096;
/** The path before the signature that always works; `PICPIPE_IMGPROXY_PREFIX` is another. */
export const imgproxyPrefix = '/img';
/** The word in place of the signature in an unsigned URL. */
const unsigned = 'unsafe';

/** The URL of a path below the API's base URL. */
export function below(base: string, path: string): string {
	return base.replace(/\/+$/, '') + path;
}

/**
 * The path of a URL: its prefix, the signature and the signed part. Loads little, so that other programs can use it too.
 *
 * @param path the signed part, with its leading slash
 * @param pair undefined for an unsigned URL
 * @param prefix without a slash at the end
 * @throws PicpipeError `invalid-delivery-url` if clients would change the path
 */
export function signPath(path: string, pair: KeyPair | undefined, prefix = imgproxyPrefix): string {
	// Clients rewrite or cut off a space, "?" or "..", and would request a path other than the signed one.
	if (URL.parse(path, 'http://localhost')?.href !== `http://localhost${path}` || /[?#]/.test(path)) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected a path that needs no encoding in a URL but received ${JSON.stringify(path.slice(0, 200))}.`,
		);
	}
	const signed = `${prefix}/${pair ? signImgproxy(path, pair) : unsigned}${path}`;
	if (signed.length > maximumUrlLength) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected a URL path of at most ${maximumUrlLength} characters but it would have ${signed.length}.`,
		);
	}
	return signed;
}
