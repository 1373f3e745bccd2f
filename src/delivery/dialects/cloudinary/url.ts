import { isPictureId } from '../../../domain/picture.ts';
import type { ImageSource, RenderFormat } from '../image-request.ts';
import { percentDecoded } from '../shared/arguments.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';
import { maximumSourceUrl } from '../shared/source.ts';
import { signaturePattern } from './signature.ts';

/** The parts of a URL, before the transformations are read. */
export interface CloudinaryUrlParts {
	readonly account: string;
	readonly signature?: string;
	/** The text that the signature covers: the rest of the URL as written, without the version. */
	readonly signedText: string;
	/** Decoded components, separated by `/`. */
	readonly transformations: string;
	readonly source: ImageSource;
	readonly format?: RenderFormat;
}

/** Formats by extension and by value of `f_`. */
const formats: ReadonlyMap<string, RenderFormat> = new Map<string, RenderFormat>([
	['jpg', 'jpeg'],
	['jpeg', 'jpeg'],
	['jpe', 'jpeg'],
	['png', 'png'],
	['webp', 'webp'],
	['avif', 'avif'],
	['gif', 'gif'],
	['tif', 'tiff'],
	['tiff', 'tiff'],
]);

const formatNames = 'jpg, png, webp, avif, gif or tiff';

/** @throws PicpipeError `option-unsupported` */
export function formatOf(name: string, text: string): RenderFormat {
	const format = formats.get(text.toLowerCase());
	if (!format) throw unsupportedValue(name, formatNames, text);
	return format;
}

const versionPattern = /^v\d{1,12}$/;

/**
 * Splits a URL: `/<account>/image/upload/[s--…--/]<transformations>/[v<digits>/]<id>[.<ext>]`, or `fetch` with the URL of a picture at the
 * end.
 *
 * @param path the part after the dialect's prefix, still percent-encoded
 * @throws PicpipeError
 */
export function splitUrl(path: string): CloudinaryUrlParts {
	const [nothing, account = '', kind, delivery, ...rest] = path.split('/');
	if (nothing !== '' || kind === undefined || delivery === undefined || !/^[A-Za-z0-9_-]{1,64}$/.test(account)) {
		throw invalidValue('the account', '/<account>/image/upload/<transformations>/<id>', path);
	}
	if (kind !== 'image') throw unsupportedValue('the type of asset', 'image', kind);
	if (delivery !== 'upload' && delivery !== 'fetch') {
		throw unsupportedValue('the type of delivery', 'upload or fetch', delivery);
	}
	const signature = rest[0]?.startsWith('s--') ? rest[0] : undefined;
	if (signature !== undefined && !signaturePattern.test(signature)) {
		throw invalidValue('the signature', 's--, 8 or 32 characters of base64url, and --', signature);
	}
	const segments = signature === undefined ? rest : rest.slice(1);
	const found = delivery === 'upload' ? findStored(segments) : findElsewhere(segments);
	const before = segments.slice(0, found.at);
	const isVersioned = versionPattern.test(before.at(-1) ?? '');
	const transformations = isVersioned ? before.slice(0, -1) : before;
	return {
		account,
		...(signature !== undefined && { signature }),
		signedText: [...transformations, ...segments.slice(found.at)].join('/'),
		transformations: percentDecoded('the transformations', transformations.join('/')),
		source: found.source,
		...(found.format && { format: found.format }),
	};
}

interface Found {
	/** Index of the source's first segment. */
	readonly at: number;
	readonly source: ImageSource;
	readonly format?: RenderFormat;
}

function findStored(segments: readonly string[]): Found {
	const last = percentDecoded('the picture', segments.at(-1) ?? '');
	const [, id = '', extension] = /^([^.]*)(?:\.([^.]*))?$/s.exec(last) ?? [];
	if (!isPictureId(id)) throw invalidValue('the picture', 'an id such as pic_01h455vb4pex5vsknk084sn02q', last);
	const format = extension === undefined ? undefined : formatOf('the extension', extension);
	return { at: segments.length - 1, source: { id }, ...(format && { format }) };
}

function findElsewhere(segments: readonly string[]): Found {
	// The URL may be encoded as a whole, or written plainly with its own slashes.
	const at = segments.findIndex((segment) => /^https?(:|%3A)/i.test(segment));
	const text = at < 0 ? '' : percentDecoded('the URL of the picture', segments.slice(at).join('/'));
	const expected = `a URL that begins with http:// or https://, at most ${maximumSourceUrl} characters long`;
	if (text.length > maximumSourceUrl || !/^https?:\/\//i.test(text) || !URL.canParse(text)) {
		throw invalidValue('the picture', expected, at < 0 ? segments.join('/') : text);
	}
	return { at, source: { url: new URL(text).href } };
}
