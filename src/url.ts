import { below, imgproxyPrefix, signPath } from './delivery/sign-path.ts';
import { PicpipeError } from './errors.ts';

/** The base URL of the pictures, and the key and salt that sign their URLs (`PICPIPE_DELIVERY_KEYS`), both in hex. */
export interface Signing {
	/** Such as `https://pictures.example.org`. */
	readonly base: string;
	readonly key: string;
	readonly salt: string;
	/** Path before the signature: `PICPIPE_IMGPROXY_PREFIX` of the installation, `/img` if absent. */
	readonly prefix?: string;
}

/** Options as text, `rs:fit:300:200/q:80`, or by name, `{ rs: 'fit:300:200', q: 80 }`, in that order. */
export type UrlOptions = string | Readonly<Record<string, string | number>>;

/**
 * Creates the signed URL of a picture. Call it on a server, because the key can sign any URL.
 *
 * @param source id of a picture, or its URL if the installation serves its host
 * @param options in imgproxy's syntax; they are validated when the URL is requested
 * @param format of the result, such as `webp`
 * @throws PicpipeError `invalid-delivery-url` for parts that a URL cannot contain
 * @example imageUrl({ base, key, salt }, 'pic_01jzkwp9nbe0tvahm2q4c8s6rd', { rs: 'fit:300:200', q: 80 }, 'webp')
 */
export function imageUrl(
	{ base, key, salt, prefix = imgproxyPrefix }: Signing,
	source: string,
	options: UrlOptions,
	format?: string,
): string {
	if (!/^https?:\/\/[^\s/?#]+[^\s?#]*$/.test(base))
		throw unexpected('an http or https URL without a query', 'base', base);
	if (!/^\/[^\s?#]*$/.test(prefix)) throw unexpected('a path such as /img', 'prefix', prefix);
	const pair = { key: bytesOf('key', key), salt: bytesOf('salt', salt) };
	const before = optionsText(options);
	return below(
		base,
		signPath(`/${before ? `${before}/` : ''}${place(source, format)}`, pair, prefix.replace(/\/+$/, '')),
	);
}

function place(source: string, format: string | undefined): string {
	if (format !== undefined && !/^[a-z0-9]+$/.test(format)) throw unexpected('a format such as webp', 'format', format);
	if (/^https?:\/\//i.test(source)) return Buffer.from(source).toString('base64url') + (format ? `.${format}` : '');
	if (!/^pic_[0-9a-z]+$/.test(source))
		throw unexpected('the id of a picture or an http or https URL', 'source', source);
	return `plain/${source}${format ? `@${format}` : ''}`;
}

function optionsText(options: UrlOptions): string {
	const list =
		typeof options === 'string'
			? options.replace(/^\/+|\/+$/g, '').split('/')
			: Object.entries(options).map(([name, value]) => `${name}:${value}`);
	// A slash within an option would start another option, and "plain" the source.
	const wrong = list.find((one) => one.includes('/') || one === 'plain');
	if (wrong !== undefined) throw unexpected('an option without a slash', 'options', wrong);
	return list.filter((one) => one !== '').join('/');
}

function bytesOf(name: string, hex: string): Buffer {
	// The received value is a secret, so it is not shown.
	if (!/^(?:[0-9a-f]{2}){16,}$/i.test(hex)) {
		throw new PicpipeError('invalid-delivery-url', `Expected at least 32 hex digits for ${name}.`);
	}
	return Buffer.from(hex, 'hex');
}

function unexpected(expected: string, name: string, received: string): PicpipeError {
	return new PicpipeError(
		'invalid-delivery-url',
		`Expected ${expected} for ${name} but received ${JSON.stringify(received.slice(0, 200))}.`,
	);
}
