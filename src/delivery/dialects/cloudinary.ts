import { readTransformation } from './cloudinary/plan.ts';
import { splitUrl } from './cloudinary/url.ts';
import type { DialectOptions, ImageRequest, ImageSource } from './image-request.ts';
import { sourceName } from './shared/source.ts';

export { isSignedWith, signCloudinary } from './cloudinary/signature.ts';

/** A URL in the words of Cloudinary. */
export interface CloudinaryUrl {
	/** The cloud, as Cloudinary calls it. It stands in every URL and means nothing here. */
	readonly account: string;
	/** `s--…--`, as it stands in the URL. It has not been checked: see `isSignedWith`. */
	readonly signature?: string;
	/** What a signature is made of. */
	readonly signedText: string;
	readonly image: ImageRequest;
}

/**
 * Reads a URL of Cloudinary's: `/<account>/image/upload/[s--…--/]<transformations>/[v<digits>/]<id>[.<ext>]`, or
 * `/<account>/image/fetch/[s--…--/]<transformations>/<URL of a picture>`. The mapping is told in `docs/dialects/cloudinary.md`.
 *
 * @param path what follows the place of the dialect, still percent-encoded
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
 * The path of a URL without a signature. To sign it, put `signCloudinary(...)` of what follows `upload/` or `fetch/` there.
 *
 * @param transformations as they stand in a URL, percent-encoded; may be empty
 * @param extension of the file, without the dot; of a picture that lies elsewhere the format is said by `f_`
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
