import type { Request } from 'express';
import { isSignedWith, parseCloudinary } from '../../delivery/dialects/cloudinary.ts';
import type { ImageUrl } from '../../delivery/dialects/image-request.ts';
import { isSignedBy, parseImgproxy, spellingsOf } from '../../delivery/dialects/imgproxy.ts';
import { parseIpx } from '../../delivery/dialects/ipx.ts';
import { maximumUrlLength } from '../../delivery/sign-path.ts';
import { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';

/** Reads a URL below a dialect's path. @throws PicpipeError `invalid-signature`, and as the dialect */
export type ReadImageUrl = (context: ApiContext, path: string, request: Request) => ImageUrl;

/** The part of the URL below a dialect's path, as received, without the query. @param root as in `request.url`, whatever the prefix */
export function pathBelow(request: Request, root: string): string {
	const [path = ''] = request.url.split('?', 1);
	if (path.length > maximumUrlLength) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected at most ${maximumUrlLength} characters but received ${path.length}.`,
		);
	}
	return path.slice(root.length);
}

/** Words in place of the signature in an unsigned URL. */
const unsignedWords = new Set(['unsafe', 'insecure', '_', '-']);

/** imgproxy: `/<signature>/<options>/<source>`. */
export const readImgproxy: ReadImageUrl = (context, path) => {
	const [, signature = '', rest = ''] = /^\/([^/]*)(\/.*)?$/s.exec(path) ?? [];
	const pairs = context.config.deliveryKeys ?? [];
	// The signed spelling is the one that is read, so a signature never covers anything but the path that its signer wrote.
	const signed = spellingsOf(rest).find((spelling) => isSignedBy(spelling, signature, pairs));
	if (signed === undefined) requireUnsigned(context, unsignedWords.has(signature), 'PICPIPE_DELIVERY_KEYS');
	const { presets } = context.recipeBook;
	const { presetsOnly } = context.config;
	const image = parseImgproxy(signed ?? rest, { presets: presets.imgproxy, presetsOnly });
	return { image, isSigned: signed !== undefined };
};

/** IPX: `/<modifiers>/<id>`, with its signature in the query: `?s=`. */
export const readIpx: ReadImageUrl = (context, path, request) => {
	const signature = typeof request.query.s === 'string' ? request.query.s : '';
	const isSigned = isSignedBy(path, signature, context.config.deliveryKeys ?? []);
	if (!isSigned) requireUnsigned(context, signature === '', 'PICPIPE_DELIVERY_KEYS');
	const { presets } = context.recipeBook;
	const { presetsOnly } = context.config;
	return { image: parseIpx(path, { presets: presets.ipx, presetsOnly }), isSigned };
};

/** Cloudinary: `/<account>/image/upload/...`. */
export const readCloudinary: ReadImageUrl = (context, path) => {
	const { presets } = context.recipeBook;
	const { presetsOnly } = context.config;
	const url = parseCloudinary(path, { presets: presets.cloudinary, presetsOnly });
	const isSigned = isSignedWith(url, context.config.cloudinarySecrets ?? []);
	if (!isSigned) requireUnsigned(context, url.signature === undefined, 'PICPIPE_CLOUDINARY_SECRETS');
	return { image: url.image, isSigned };
};

/** @param isUnsigned whether the URL has no signature; a wrong signature is always refused */
function requireUnsigned({ config, keys }: ApiContext, isUnsigned: boolean, setting: string): void {
	const mayBeUnsigned =
		config.deliveryUnsigned === 'true' || (config.deliveryUnsigned === 'local' && keys.wasNeeded === false);
	if (mayBeUnsigned && isUnsigned) return;
	throw new PicpipeError(
		'invalid-signature',
		isUnsigned
			? `Expected a URL signed with a key of ${setting} but this one is unsigned; \`picpipe sign\` signs URLs.`
			: `Expected a URL signed with a key of ${setting} but the signature matches none of them.`,
	);
}
