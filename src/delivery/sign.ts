import type { SigningPair } from '../config/delivery.ts';
import { PicpipeError } from '../errors.ts';
import type { DialectOptions, ImageSource } from './dialects/image-request.ts';
import { imgproxyPath, parseImgproxy } from './dialects/imgproxy.ts';
import { signPath } from './sign-path.ts';

/** What an address is to ask for, in the language of imgproxy. */
export interface Signable {
	/** Such as `rs:fit:300:200/q:80`. */
	readonly options: string;
	readonly source: ImageSource;
	/** Format of the result, such as `webp`; what the options say when absent. */
	readonly extension?: string | undefined;
	/** From when on the address is refused, seconds since 1970. */
	readonly expiresAt?: number | undefined;
}

/**
 * The path of an address that was read before it is signed, so that nothing is signed that would be refused.
 *
 * @param pair none for an address without a signature
 * @throws PicpipeError `invalid-delivery-url`, `option-unsupported`
 * @example signedPath({ options: 'rs:fit:300:200', source: { id }, extension: 'webp' }, config.deliveryKeys?.[0], { presets })
 */
export function signedPath(wanted: Signable, pair: SigningPair | undefined, dialect: DialectOptions): string {
	const { options, source, extension, expiresAt } = wanted;
	if (dialect.presetsOnly && expiresAt !== undefined) {
		throw new PicpipeError(
			'option-unsupported',
			'Expected no expiry, because addresses name presets and nothing else here (PICPIPE_PRESETS_ONLY), and it would be an option.',
		);
	}
	const written = expiresAt === undefined ? options : `${options.replace(/\/+$/, '')}/exp:${expiresAt}`;
	const path = imgproxyPath(written, source, extension);
	const read = parseImgproxy(path, dialect);
	// Options with a part that is none would be read as the beginning of a source.
	if (!isSame(read.source, source)) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected options such as rs:fit:300:200/q:80 and a source but received ${JSON.stringify(options.slice(0, 200))}.`,
		);
	}
	return signPath(path, pair);
}

function isSame(one: ImageSource, other: ImageSource): boolean {
	if ('id' in one) return 'id' in other && one.id === other.id;
	return 'url' in other && one.url === URL.parse(other.url)?.href;
}

/** What people and programs name a picture by: its id, or a URL of http or https. */
export function sourceOf(text: string): ImageSource {
	return /^https?:\/\//i.test(text) ? { url: text } : { id: text };
}
