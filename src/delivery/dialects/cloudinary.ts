import { readTransformation } from './cloudinary/plan.ts';
import { splitUrl } from './cloudinary/url.ts';
import type { DialectOptions, ImageRequest, ImageSource } from './image-request.ts';
import { sourceName } from './shared/source.ts';

export { isSignedWith, signCloudinary } from './cloudinary/signature.ts';

/** A Cloudinary URL. */
export interface CloudinaryUrl {
	/** Cloudinary's cloud name. Every URL has one; picpipe ignores it. */
	readonly account: string;
	/** `s--…--` as written in the URL. Not verified yet: see `isSignedWith`. */
	readonly signature?: string;
	/** The text that the signature covers. */
	readonly signedText: string;
	readonly image: ImageRequest;
}

/**
 * Reads a Cloudinary URL: `/<account>/image/upload/[s--…--/]<transformations>/[v<digits>/]<id>[.<ext>]`, or
 * `/<account>/image/fetch/[s--…--/]<transformations>/<URL of a picture>`. `docs/dialects/cloudinary.md` documents the mapping.
 *
 * @param path the part after the dialect's prefix, still percent-encoded
 * @throws PicpipeError `invalid-delivery-url`, `option-unsupported`
 * @example parseCloudinary('/demo/image/upload/c_fill,w_300,h_200/pic_01h455vb4pex5vsknk084sn02q.webp', { presets: new Map() })
 */
export function parseCloudinary(path: string, options: DialectOptions): CloudinaryUrl {
	const { account, signature, signedText, transformations, source, format } = splitUrl(path);
	const { output, plan } = readTransformation(transformations, options, format);
	return {
		account,
		...(signature !== undefined && { signature }),
		signedText,
		image: {
			source,
			target: { kind: 'render', plan },
			...(output.isAttachment && { filename: output.filename ?? sourceName(source), isAttachment: true }),
		},
	};
}

/**
 * The path of an unsigned URL. To sign it, insert `signCloudinary(...)` of the part after `upload/` or `fetch/` there.
 *
 * @param transformations as written in a URL, percent-encoded; may be empty
 * @param extension of the file, without the dot; for a remote picture, `f_` sets the format instead
 * @example cloudinaryPath('c_fill,w_300,h_200', { id: 'pic_01h455vb4pex5vsknk084sn02q' }, 'webp')
 */
export function cloudinaryPath(
	transformations: string,
	source: ImageSource,
	extension?: string,
	account = 'picpipe',
): string {
	const last = 'id' in source ? `${source.id}${extension ? `.${extension}` : ''}` : encodeURIComponent(source.url);
	const delivery = 'id' in source ? 'upload' : 'fetch';
	return ['', account, 'image', delivery, ...(transformations === '' ? [] : [transformations]), last].join('/');
}
